"""What the zones should hold: a pure function of the Stack and the keys; each record knows why and when.

A host name gets no MX: its own address record is its implicit one (RFC 5321 section 5.1), so postmaster@ the host
name and bounces to it arrive without. An explicit one would only add a record that can go wrong.
"""

from collections.abc import Iterable, Iterator

from sendwright.delegated import aliases
from sendwright.dkim import record_text
from sendwright.dns import tls_records
from sendwright.dns.consents import consents
from sendwright.dns.domain_records import of_domain, spf_text
from sendwright.dns.policies import policies
from sendwright.dns.rdata import txt
from sendwright.dns.record import TTL, Record
from sendwright.plan import Stage
from sendwright.signing import by_domain
from sendwright.stack import Stack
from sendwright.state.model import DkimKey, KeyStage
from sendwright.tlsa import NO_TLS, TlsFacts

__all__ = ["TTL", "Record", "asked_of_others", "desired", "provider_of"]


def desired(stack: Stack, keys: Iterable[DkimKey], tls: TlsFacts = NO_TLS) -> tuple[Record, ...]:
    """Return every record that a stack, its keys and its certificates ask us to write, ordered by name.

    The order of the inventory makes no difference. Its time grows as the number of domains and keys does: there may be
    ten thousand.
    """
    return tuple(r for r in _all(stack, keys, tls) if provider_of(stack, r.name))


def asked_of_others(stack: Stack, keys: Iterable[DkimKey], tls: TlsFacts = NO_TLS) -> tuple[Record, ...]:
    """Return every record that the owners of zones have to publish which are not ours to write, ordered by name."""
    if all(domain.dns for domain in stack.domains):
        return ()
    return tuple(r for r in _all(stack, keys, tls) if (domain := stack.covering(r.name)) and domain.dns is None)


def provider_of(stack: Stack, name: str) -> str | None:
    """Return which entry of ``dns`` serves a name: that of the declared domain it lies in.

    None: it lies in none, or in one whose zone is not ours to write.
    """
    domain = stack.covering(name)
    return domain.dns if domain else None


def _all(stack: Stack, keys: Iterable[DkimKey], tls: TlsFacts) -> list[Record]:
    keys = tuple(keys)
    found = {*_hosts(stack), *_domains(stack, tls), *_consents(stack), *_aliases(stack, keys), *_dkim(stack, keys)}
    found.update(tls_records.of_hosts(stack.hosts, tls))
    return sorted(found, key=lambda r: (r.name, r.type, r.value))


def _hosts(stack: Stack) -> Iterator[Record]:
    declared = {d.name for d in stack.domains}
    for host in stack.hosts:
        for address in host.addresses:
            why = f"{host.name} is the name that the host greets with: it leads to every address that it sends from"
            yield Record(host.name, "A" if address.version == 4 else "AAAA", TTL, str(address), why)
        if host.name not in declared:
            # Bounces have no sender, so receivers check the HELO name (RFC 7208 section 2.3). Nothing but this host
            # ever greets with it, so -all is safe, and section 10.1.3 asks for a record at every name that is used
            # like this.
            spf = spf_text(host.addresses, (), "-all")
            yield Record(host.name, "TXT", TTL, txt(spf), "SPF for bounces, which are judged by the HELO name")


def _domains(stack: Stack, tls: TlsFacts) -> Iterator[Record]:
    for domain in stack.domains:
        yield from of_domain(stack, domain)
        yield from policies(domain)
        yield from tls_records.of_domain(stack, domain, tls)


def _consents(stack: Stack) -> Iterator[Record]:
    for consent in consents(stack):
        # Anybody else's is not ours to write.
        if stack.covering(consent.other):
            why = f"{consent.other} agrees to take DMARC reports about {consent.domain} (RFC 9990)"
            yield Record(consent.name, "TXT", TTL, txt("v=DMARC1"), why)


def _aliases(stack: Stack, keys: Iterable[DkimKey]) -> Iterator[Record]:
    of = by_domain(keys)
    for domain in stack.domains:
        for alias in aliases(domain, of[domain.name]):
            why = f"DKIM: keys of {domain.name} come and go where this leads to, and it stays"
            yield Record(alias.name, "CNAME", TTL, f"{alias.target}.", why)


def first_stage(stack: Stack, key: DkimKey) -> Stage:
    """Return when the record of a key may be written first.

    A key whose only copy may vanish is not published: where no command pushes the state folder, a host has to hold a
    copy of it before.
    """
    if key.stage is KeyStage.REVOKED:
        return Stage.CONTRACT
    alone = key.stage is KeyStage.GENERATED and stack.key_store.push is None
    return Stage.HOSTS if alone else Stage.EXPAND


def _dkim(stack: Stack, keys: Iterable[DkimKey]) -> Iterator[Record]:
    sending = {d.name: d for d in stack.domains if d.sends}
    for key in keys:
        domain = sending.get(key.domain)
        if domain is None or key.stage is KeyStage.REMOVED:
            continue
        if key.stage is KeyStage.GENERATED and key.algorithm not in domain.dkim.algorithms:
            continue  # nobody has seen it, and nothing will sign with it
        why = f"DKIM: the {key.algorithm} key {key.selector} is {key.stage}"
        yield Record(key.txt_name, "TXT", TTL, txt(record_text(key)), why, first_stage(stack, key))
