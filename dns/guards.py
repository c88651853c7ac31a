"""What is never written, whatever the plan says: the last look before a provider gets it. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable

from sendwright.dns.plan import Changes, Delete, Update, Write
from sendwright.dns.providers.base import Key, RecordSet
from sendwright.dns.rdata import canonical
from sendwright.dns.slots import revokes, slot
from sendwright.dns.spf_slot import VERDICTS
from sendwright.errors import DnsError
from sendwright.plan import Stage
from sendwright.state.model import Claim

# So many withdrawals in one zone are no everyday change, if they are a third of what is ours there as well.
_MANY = 10
_PART = 3


def check(zone: str, before: RecordSet | None, after: RecordSet | None, writes: Collection[Write]) -> None:
    """Raise DnsError for an edit that makes a second record where there may be one, or an empty DKIM key.

    An empty ``p=`` revokes: it comes last, and at once only for all selectors of a domain that sends no mail.
    """
    old, new = _slots(before), _slots(after)
    for write in writes:
        for title, count in new.items():
            if count > max(1, old[title]):
                what = f"refused to write a second {title} record at {write.name}; nothing was applied."
                raise DnsError(zone, what, "Plan again; if it says the same, report it as a mistake of sendwright.")
        if isinstance(write, Delete) or write.stage is Stage.CONTRACT or write.name.startswith("*._domainkey."):
            continue
        if revokes(write.name, write.type, write.value):
            what = f"refused to write an empty DKIM key at {write.name} outside revocation; nothing was applied."
            raise DnsError(zone, what, "The key's public part is missing in the state folder: restore it from git.")


def refuse_many_deletions(changes: Changes, claims: Iterable[Claim], *, allowed: bool) -> None:
    """Raise DnsError if one apply would withdraw very much of what is ours in a zone; what is replaced does not count.

    Arguments: ``claims``: the ledger; ``allowed``: somebody has looked at it and agrees.
    """
    ours = {(c.name, c.type, c.value) for c in claims if c.zone == changes.zone}
    replaced = {(r.name, r.type) for r in changes.expected}
    going = sum(_withdrawn(write, ours, replaced) for write in changes.writes)
    if not allowed and going > max(_MANY, len(ours) / _PART):
        what = f"{going} of the {len(ours)} values that are ours there would be withdrawn; nothing was applied."
        hint = "If the inventory lost nothing by mistake, look at the plan and run again with --allow-deletions."
        raise DnsError(changes.zone, what, hint)


def _withdrawn(write: Write, ours: Collection[tuple[str, str, str]], replaced: Collection[Key]) -> int:
    if isinstance(write, Update):
        return sum(term not in VERDICTS for term in write.drops)
    if isinstance(write, Delete):
        # Its successor may have come in an earlier stage: what counts is that there is to be one.
        own = (write.name, write.type) not in replaced and (write.name, write.type, _text(write)) in ours
        return len(write.drops) or own
    return 0


def _text(write: Delete) -> str:
    return canonical(write.type, write.seen)


def _slots(found: RecordSet | None) -> Counter[str]:
    if found is None:
        return Counter()
    return Counter(title for value in found.values if (title := slot(found.name, found.type, value)))
