"""Whether a domain sends mail at all: one that does not is judged as such."""

from sendwright.verify.look import Look
from sendwright.verify.spf_lookup import spf_records
from sendwright.verify.target import Target

_NOBODY = ["v=spf1", "-all"]


def sends_nothing(target: Target, look: Look) -> bool:
    """Return whether the inventory says so, or of others' domains whether SPF lets nobody send (RFC 7208, 10.1.2)."""
    if target.declared is not None:
        return not target.declared.domain.sends
    records = spf_records(look.dns.ask(target.domain, "TXT"))
    return len(records) == 1 and nobody(records[0])


def nobody(record: str) -> bool:
    """Return whether an SPF record says that nobody sends: ``v=spf1 -all``, whatever its case and spaces."""
    return [word for word in record.lower().split(" ") if word] == _NOBODY
