"""An older report beside a newer one: what a baseline accepts, and what changed since."""

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from pathlib import Path
from typing import Any

from sendwright.errors import UsageError
from sendwright.escape import plain
from sendwright.verify.finding import Finding, Kind, Status, Subject

# Ten thousand domains are told in less.
_MOST_BYTES = 1 << 30
_KIND = "verify"
_VERSION = 1
# How bad a status is. What cannot be told is worse than what is right: a check that was lost.
_BADNESS = {Status.PASS: 0, Status.UNKNOWN: 1, Status.WARN: 2, Status.FAIL: 3}


class Turn(StrEnum):
    """How a finding changed from one report to the next; the order is that in which people are told."""

    NEW = "new"
    WORSE = "worse"
    LOST = "lost"  # it was wrong, and now it cannot be told
    BETTER = "better"
    GONE = "gone"


@dataclass(frozen=True)
class Change:
    """A finding that is not as it was. ``before`` None: it is new; ``after`` None: it is gone."""

    turn: Turn
    before: Finding | None
    after: Finding | None

    @property
    def finding(self) -> Finding:
        """The newer one of the two."""
        found = self.after or self.before
        if found is None:
            raise ValueError("a change of nothing")
        return found


def read(path: Path) -> tuple[Finding, ...]:
    """Return the findings of a report that ``--format json`` wrote; UsageError when the file is something else."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{plain(path)} cannot be read: {error.strerror}.") from None
    if len(content) > _MOST_BYTES:
        raise _refused(path, "it is larger than any report")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise _refused(path, "it is no JSON, or damaged") from None
    if not isinstance(document, dict) or document.get("kind") != _KIND:
        raise _refused(path, "it is no report of `sendwright verify --format json`")
    if document.get("version") != _VERSION:
        version = plain(document.get("version"))
        raise _refused(path, f"its schema has the version {version}, this sendwright knows {_VERSION}")
    try:
        return tuple(_finding(fields) for fields in document["findings"])
    except (KeyError, TypeError, ValueError):
        raise _refused(path, "its findings are damaged") from None


def accepted(old: Iterable[Finding], new: Iterable[Finding]) -> frozenset[Finding]:
    """Return what is not right in the newer report and was as bad, or worse, in the older one."""
    pairs = _pairs(old, new)
    found = (after for before, after in pairs if before and after and _BADNESS[after.status] <= _BADNESS[before.status])
    return frozenset(finding for finding in found if finding.status is not Status.PASS)


def changes(old: Collection[Finding], new: Collection[Finding], checks: Collection[str]) -> tuple[Change, ...]:
    """Return what is wrong now and was not, was wrong and is not, or is wrong in another degree.

    ``checks``: those that the newer run made; about others it says nothing, nor about domains that it did not look at.
    """
    looked_at = {finding.subject for finding in new}
    # Of fewer domains than before: a server that is not among theirs has not gone.
    fewer = bool(left_out(old, new))
    was = (f for f in old if f.check in checks and (f.subject in looked_at or not fewer))
    found = (Change(turn, *pair) for pair in _pairs(was, new) if (turn := _turn(*pair)))
    order = list(Turn)
    return tuple(sorted(found, key=lambda c: (order.index(c.turn), -_BADNESS[c.finding.status], c.finding.identity)))


def left_out(old: Iterable[Finding], new: Iterable[Finding]) -> tuple[str, ...]:
    """Return the domains of the older report that the newer run did not look at."""
    before, after = ({f.subject.name for f in found if f.subject.kind is Kind.DOMAIN} for found in (old, new))
    return tuple(sorted(before - after))


def _pairs(old: Iterable[Finding], new: Iterable[Finding]) -> Iterator[tuple[Finding | None, Finding | None]]:
    """Pair findings by identity; several of one identity, the worst of one with the worst of the other."""
    before, after = _by_identity(old), _by_identity(new)
    for identity in dict.fromkeys((*before, *after)):
        yield from zip_longest(before.get(identity, ()), after.get(identity, ()))


def _by_identity(findings: Iterable[Finding]) -> dict[object, list[Finding]]:
    found: dict[object, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.identity, []).append(finding)
    for same in found.values():
        same.sort(key=lambda f: (-_BADNESS[f.status], f.seen))
    return found


def _turn(before: Finding | None, after: Finding | None) -> Turn | None:
    was = before.status if before else Status.PASS
    now = after.status if after else Status.PASS
    if was is now:
        return None
    if now is Status.UNKNOWN and was is not Status.PASS:
        return Turn.LOST
    if _BADNESS[now] > _BADNESS[was]:
        return Turn.WORSE if before else Turn.NEW
    return Turn.BETTER if after else Turn.GONE


def _finding(fields: Any) -> Finding:
    texts = [fields[name] for name in ("check", "seen", "advice", "target")]
    subject = Subject(Kind(fields["subject"]["kind"]), fields["subject"]["name"])
    if not all(isinstance(text, str) for text in (*texts, subject.name)):
        raise TypeError("a text is wanted")
    check, seen, advice, target = texts
    return Finding(check, subject, Status(fields["status"]), seen, advice, target)


def _refused(path: Path, why: str) -> UsageError:
    return UsageError(f"{plain(path)}: {why}.", "Make one with: sendwright verify … --format json=FILE")
