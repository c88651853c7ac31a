"""What to do about a record of a domain: for a declared one the inventory knows, and has a verb."""

from sendwright.dns.domain_records import of_domain
from sendwright.dns.rdata import joined
from sendwright.verify.target import Target
from sendwright.verify.wording import listed


def wanted(target: Target, rdtype: str) -> tuple[str, ...]:
    """Return what the inventory wants at a declared domain, as text: its SPF record (TXT) or its MX records."""
    if target.declared is None:
        return ()
    found = [r.value for r in of_domain(target.declared.stack, target.declared.domain) if r.type == rdtype]
    return tuple(joined(value).decode("latin-1") if rdtype == "TXT" else value for value in found)


def publish(target: Target, rdtype: str, otherwise: str) -> str:
    """Return how a record comes to be as it should be; ``otherwise`` for a domain that no inventory declares."""
    values = wanted(target, rdtype)
    if target.declared is None or not values:
        return otherwise
    if target.declared.domain.dns is None:
        return f"Have the owner of the zone publish at {target.domain} {rdtype}: {listed(values)}"
    return f"Run `sendwright provision`, which publishes at {target.domain} {rdtype}: {listed(values)}"
