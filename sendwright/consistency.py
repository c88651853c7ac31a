"""Contradictions between parts of an inventory that are each valid on their own. Pure.

They are looked for among whatever parts could be read, so that one mistake elsewhere does not hide them.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network

from sendwright import tls_consistency
from sendwright.errors import Problem
from sendwright.escape import plain
from sendwright.mistakes import nearest, place
from sendwright.stack import Address, Dkim, Domain, Host, Mx, Receive, Shared, Spf, TlsRpt

# Where every lab has its own machines (`sendwright.lab.spec`).
LAB = ip_network("198.18.0.0/15")
# RFC 1035 section 3.1: 255 octets on the wire.
_LONGEST_NAME = 253


@dataclass(frozen=True)
class Draft:
    """The parts that could be read, and the names of all that were declared, readable or not.

    ``servers``: the name server of each provider, or None where there is none that a lab could have; ``shared``: what
    they share, None where it could not be read.
    """

    hosts: tuple[Host, ...]
    domains: tuple[Domain, ...]
    host_names: tuple[str, ...]
    domain_names: tuple[str, ...]
    providers: tuple[str, ...]
    servers: tuple[Address | None, ...] = ()
    rehearsal: bool = False
    shared: Shared | None = None


def problems(draft: Draft) -> tuple[Problem, ...]:
    """Return every contradiction in a draft, in the order of its parts."""
    return (
        *_twice("hosts", draft.host_names),
        *_twice("domains", draft.domain_names),
        *_shared_addresses(draft),
        *_uncovered(draft),
        *_unwritten(draft),
        *_unsigned_bounces(draft),
        *_rehearsed_outside(draft),
        *(problem for domain in draft.domains for problem in _of_domain(domain, draft)),
        *_loops(draft),
        *tls_consistency.problems(draft.hosts, draft.domains, draft.shared),
    )


def _twice(title: str, names: tuple[str, ...]) -> Iterator[Problem]:
    for name, count in Counter(names).items():
        if count > 1:
            yield Problem(
                place(title, name), "is declared more than once", "upper case and a final dot are no difference"
            )


def _shared_addresses(draft: Draft) -> Iterator[Problem]:
    owner: dict[str, str] = {}
    for host in draft.hosts:
        for index, address in enumerate(map(str, host.addresses)):
            first = owner.setdefault(address, host.name)
            if first != host.name:
                at = place("hosts", host.name, "egress", index, "public")
                yield Problem(at, f"{address} is the address of {first} already", "each host sends from its own")


def _uncovered(draft: Draft) -> Iterator[Problem]:
    for host in draft.hosts:
        if not any(_within(host.name, domain) for domain in draft.domain_names):
            # We publish its A, AAAA and SPF records, and sign its bounces.
            allowed = f"domains: {', '.join(map(plain, draft.domain_names)) or 'none'}"
            yield Problem(place("hosts", host.name), "lies in no declared domain", allowed)


def _unwritten(draft: Draft) -> Iterator[Problem]:
    for host in draft.hosts:
        above = max((d for d in draft.domain_names if _within(host.name, d)), key=len, default=None)
        if any(d.name == above and d.dns is None for d in draft.domains):
            what = f"lies in {above}, which has no dns: nobody writes its address, which all its mail is judged by"
            yield Problem(place("hosts", host.name), what, "name it in a domain that has dns")


def _unsigned_bounces(draft: Draft) -> Iterator[Problem]:
    for host in draft.hosts:
        above = max((d for d in draft.domain_names if _within(host.name, d)), key=len, default=None)
        domain = next((d for d in draft.domains if d.name == above), None)
        if domain and not domain.sends:
            what = f"lies in {domain.name}, which sends nothing: bounces from there would leave unsigned"
            yield Problem(place("hosts", host.name), what, "name it in a domain that sends")
        elif domain and domain.hosts and host.name not in domain.hosts and set(domain.hosts) <= set(draft.host_names):
            # Only keys that lie on a host can sign there.
            what = f"{host.name} lies in it and does not send for it: bounces from there would leave unsigned"
            yield Problem(place("domains", domain.name, "hosts"), what, "add it, or leave hosts out for all of them")


def _rehearsed_outside(draft: Draft) -> Iterator[Problem]:
    # Hosts that trust another root believe whoever runs it. A lab is told by its name server: RFC 2544 keeps these
    # addresses for tests of networks, so nobody has a real one there.
    if draft.rehearsal and any(server is None or server not in LAB for server in draft.servers):
        what = "is for hosts of a lab only: real ones would trust a root that is not the Internet's"
        yield Problem("rehearsal", what, f"leave it out; a lab's name server lies in {LAB}")


def _of_domain(domain: Domain, draft: Draft) -> Iterator[Problem]:
    at = ("domains", domain.name)
    if domain.dns is not None and domain.dns not in draft.providers:
        yield Problem(
            place(*at, "dns"), f"{domain.dns} names no DNS provider", nearest(domain.dns, draft.providers, "dns")
        )
    yield from _delegated(domain, draft)
    if domain.hosts == ():
        yield Problem(place(*at, "hosts"), "no host sends for it", "leave hosts out for all of them")
    for index, name in enumerate(domain.hosts or ()):
        if name not in draft.host_names:
            at_host = place(*at, "hosts", index)
            yield Problem(at_host, f"{name} names no host", nearest(name, draft.host_names, "hosts"))
    if domain.name in domain.spf.include:
        yield Problem(place(*at, "spf", "include"), "includes its own record, without end")
    if not domain.sends:
        yield from _of_locked(domain)
    elif domain.mx is Mx.ELSEWHERE:
        yield from _received_elsewhere(domain)
    elif domain.mx is Mx.NONE:
        yield Problem(place(*at, "mx"), "a domain that sends has to take its bounces", "here or elsewhere")


def _delegated(domain: Domain, draft: Draft) -> Iterator[Problem]:
    at, to = place("domains", domain.name, "dkim", "delegate_to"), domain.dkim.delegate_to
    if to is None:
        if domain.dns is None and domain.sends:
            what = (
                f"is missing: without dns nobody writes the zone of {domain.name}, and its keys have to lie in another"
            )
            yield Problem(at, what, "a name in a domain that has dns, for aliases to lead to")
        return
    above = max((d for d in draft.domain_names if _within(to, d)), key=len, default=None)
    if above is None:
        allowed = f"domains: {', '.join(map(plain, draft.domain_names))}"
        yield Problem(at, f"{to} lies in no declared domain", allowed)
    elif any(d.name == above and d.dns is None for d in draft.domains):
        yield Problem(at, f"{to} lies in {above}, which has no dns: nobody writes its zone", "one that has dns")
    if len(f"s1.{domain.name}._domainkey.{to}") > _LONGEST_NAME:
        yield Problem(at, f"names below {to} would be longer than {_LONGEST_NAME} characters", "a shorter one")


def _received_elsewhere(domain: Domain) -> Iterator[Problem]:
    at = ("domains", domain.name)
    if domain.replace_mx:
        yield Problem(place(*at, "replace_mx"), "contradicts mx: its mail stays elsewhere", "one of the two")
    if domain.receive != Receive():
        yield Problem(
            place(*at, "receive"), "contradicts mx: its mail goes elsewhere, none arrives here", "one of the two"
        )


def _of_locked(domain: Domain) -> Iterator[Problem]:
    at = ("domains", domain.name)
    without_effect = {
        "hosts": domain.hosts is not None,
        "dkim": domain.dkim != Dkim(),
        "spf": domain.spf != Spf(),
        "receive": domain.receive != Receive(),
        "tls_rpt": domain.tls_rpt != TlsRpt() and domain.mx is Mx.NONE,
        "replace_mx": domain.replace_mx and domain.mx is not Mx.NONE,
        "submission_srv": domain.submission_srv,
    }
    for setting, declared in without_effect.items():
        if declared:
            yield Problem(place(*at, setting), "contradicts sends: a domain that sends nothing has none", "one of both")
    if domain.mx is Mx.HERE:
        what = "contradicts sends: hosts take mail only for domains that they send for"
        yield Problem(place(*at, "mx"), what, "elsewhere or none")
    for setting in sorted(domain.dmarc.model_fields_set - {"rua", "ruf"}):
        if getattr(domain.dmarc, setting) != "reject":
            what = "contradicts sends: whatever claims to come from a domain that sends nothing is rejected"
            yield Problem(place(*at, "dmarc", setting), what, "leave it out; rua and ruf may stand")


def _loops(draft: Draft) -> Iterator[Problem]:
    here = {d.name for d in draft.domains if d.mx is Mx.HERE} | set(draft.host_names)
    for domain in draft.domains:
        targets: list[tuple[tuple[str, ...], str | None]] = [(("forward",), domain.receive.forward)]
        targets += [(("aliases", local), address) for local, address in domain.receive.aliases.items()]
        for where, address in targets:
            if address is not None and address.rpartition("@")[2] in here:
                yield Problem(
                    place("domains", domain.name, "receive", *where),
                    f"{address} lies in a domain that this stack receives itself: the mail would go round in circles",
                    "an address elsewhere, or nothing to keep it in a local Maildir",
                )


def _within(name: str, domain: str) -> bool:
    return name == domain or name.endswith("." + domain)
