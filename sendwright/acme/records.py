"""The records of challenges: which are ours, and what becomes of the record sets that they stand in. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping

from sendwright.dns.providers.base import Edit, RecordSet
from sendwright.dns.rdata import canonical
from sendwright.state.model import Claim

# An authority asks for another value at the same name the next time: what caches hold of this one must not last.
_TTL = 60
# The digest of RFC 8555 section 8.4. No other record that we write looks like that, wherever an alias may have led it.
_DIGEST = re.compile(r'"[A-Za-z0-9_-]{43}"')

Values = Mapping[str, Collection[str]]
"""Canonical TXT data by name."""


def is_challenge(claim: Claim) -> bool:
    """Whether a claim of the ledger is on the answer to a challenge."""
    return claim.type == "TXT" and not claim.mechanism and _DIGEST.fullmatch(claim.value) is not None


def standing(served: Iterable[RecordSet]) -> frozenset[tuple[str, str]]:
    """Return the names and canonical values of all TXT records of a zone that were read."""
    texts = (found for found in served if found.type == "TXT")
    return frozenset((found.name, canonical("TXT", value)) for found in texts for value in found.values)


def edits(served: Iterable[RecordSet], come: Values, go: Values) -> tuple[Edit, ...]:
    """Return what becomes of record sets: values come beside what stands there, and others go; the rest stays."""
    have = {found.name: found for found in served if found.type == "TXT"}
    found = (_edit(name, have.get(name), come.get(name, ()), go.get(name, ())) for name in sorted({*come, *go}))
    return tuple(edit for edit in found if edit)


def _edit(name: str, before: RecordSet | None, come: Collection[str], go: Collection[str]) -> Edit | None:
    old = before.values if before else ()
    kept = tuple(text for text in old if canonical("TXT", text) in come or canonical("TXT", text) not in go)
    there = {canonical("TXT", text) for text in kept}
    new = tuple(sorted({*come} - there))
    if not new and kept == old:
        return None
    # All records of a set have one TTL (RFC 2181 section 5.2): where others have records, it is theirs.
    ttl = before.ttl if before and kept else _TTL
    values = (*kept, *new)
    return Edit(name, "TXT", before, RecordSet(name, "TXT", ttl, values) if values else None)
