"""The records at a domain that say who sends for it, who takes its mail, and who may issue its certificates. Pure."""

from collections.abc import Iterable, Iterator

from sendwright.dns.rdata import txt
from sendwright.dns.record import TTL, Record
from sendwright.plan import Stage
from sendwright.stack import Address, Domain, Host, HostState, Mx, Stack

_MX_PREFERENCE = 10
# Implicit TLS first (RFC 8314 section 3.3): a lower priority is tried before.
_SUBMISSION = (("_submissions", 0, 465), ("_submission", 10, 587))
# Hosts share the work evenly; with a weight of zero it would be chance (RFC 2782).
_WEIGHT = 1


def of_domain(stack: Stack, domain: Domain) -> Iterator[Record]:
    """Yield the records of a domain that name addresses, hosts and authorities."""
    active = [h for h in stack.hosts_of(domain) if h.state is HostState.ACTIVE]
    yield _spf(stack, domain)
    yield from _mx(domain, active)
    yield from _submission(domain, active)
    for authority in domain.caa:
        # Seen from below too: an authority climbs from the name to the next record above (RFC 8659 section 3).
        why = f"only declared authorities may issue certificates for {domain.name} and the names below it (RFC 8659)"
        yield Record(domain.name, "CAA", TTL, f'0 issue "{authority}"', why)


def spf_text(addresses: Iterable[Address], others: Iterable[str], verdict: str) -> str:
    """Return an SPF record: addresses, then other terms, then what happens to everybody else.

    Addresses first: they cost no lookup, and the first match ends the evaluation (RFC 7208 section 4.6.2).
    """
    ordered = sorted(set(addresses), key=lambda a: (a.version, int(a)))
    return " ".join(["v=spf1", *(f"ip{a.version}:{a}" for a in ordered), *dict.fromkeys(others), verdict])


def _spf(stack: Stack, domain: Domain) -> Record:
    if not domain.sends:
        return Record(domain.name, "TXT", TTL, txt("v=spf1 -all"), f"SPF: {domain.name} sends no mail")
    # A draining host stays: its queue still sends. A host of the domain's own name shares the one record (section 3.2).
    hosts = (*stack.hosts_of(domain), *(h for h in stack.hosts if h.name == domain.name))
    addresses = (*(a for h in hosts for a in h.addresses), *domain.spf.addresses)
    text = spf_text(addresses, (f"include:{name}" for name in domain.spf.include), domain.spf.all)
    why = f"SPF: which addresses may send for {domain.name}"
    # A verdict that refuses mail waits until ours is known to leave from where the record says.
    tightens = Stage.SWITCH if domain.spf.all == "-all" else None
    return Record(domain.name, "TXT", TTL, txt(text), why, tightens=tightens)


def _mx(domain: Domain, active: Iterable[Host]) -> Iterator[Record]:
    if domain.mx is Mx.NONE:
        why = f"{domain.name} takes no mail: who writes to it hears so at once (RFC 7505)"
        # In one step with the withdrawal of any other: it has to be the only one (section 3).
        yield Record(domain.name, "MX", TTL, "0 .", why, Stage.CONTRACT, replaces=domain.replace_mx)
    if domain.mx is Mx.HERE:
        why = f"mail for {domain.name} comes here: bounces, postmaster, abuse and reports"
        for host in active:
            # Only when the host takes mail: a record that points at nothing makes others' queues wait.
            value = f"{_MX_PREFERENCE} {host.name}."
            yield Record(domain.name, "MX", TTL, value, why, Stage.HOSTS, replaces=domain.replace_mx)


def _submission(domain: Domain, active: Iterable[Host]) -> Iterator[Record]:
    for host in active if domain.submission_srv else ():
        for service, priority, port in _SUBMISSION:
            why = f"mail programs of {domain.name} find out where to submit (RFC 6186, RFC 8314)"
            # Submission opens when the keys are proven.
            value = f"{priority} {_WEIGHT} {port} {host.name}."
            yield Record(f"{service}._tcp.{domain.name}", "SRV", TTL, value, why, Stage.SWITCH)
