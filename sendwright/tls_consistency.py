"""Contradictions in what an inventory says of certificates, TLSA and MTA-STS. Pure.

They would be found by the authority, by senders or by the first renewal otherwise: months later, and by lost mail.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from sendwright import sts
from sendwright.errors import Problem
from sendwright.escape import plain
from sendwright.mistakes import place
from sendwright.providers import Zonefile
from sendwright.stack import AcmeAuthority, AcmeTls, CertificateFile, Domain, Host, HostState, Mx, Shared, Stack


@dataclass(frozen=True)
class _Known:
    """An authority that many use. ``caa``: the names by which CAA records allow it; ``ties``: accounts to customers."""

    name: str
    caa: tuple[str, ...]
    ties: bool = False


_LETSENCRYPT = _Known("Let's Encrypt", ("letsencrypt.org",))
_SECTIGO = ("sectigo.com", "usertrust.com", "comodo.com", "comodoca.com", "trust-provider.com")
_GOOGLE = _Known("Google Trust Services", ("pki.goog",), ties=True)
# By the host of the directory's URL, or by the word that stands for it.
_AUTHORITIES = {
    "letsencrypt": _LETSENCRYPT,
    "staging": _LETSENCRYPT,
    "acme-v02.api.letsencrypt.org": _LETSENCRYPT,
    "acme-staging-v02.api.letsencrypt.org": _LETSENCRYPT,
    "acme.zerossl.com": _Known("ZeroSSL", _SECTIGO, ties=True),
    "acme.sectigo.com": _Known("Sectigo", _SECTIGO, ties=True),
    "dv.acme-v02.api.pki.goog": _GOOGLE,
    "dv.acme-v02.test-api.pki.goog": _GOOGLE,
    "acme.ssl.com": _Known("SSL.com", ("ssl.com",), ties=True),
}


def problems(hosts: Collection[Host], domains: Collection[Domain], shared: Shared | None) -> tuple[Problem, ...]:
    """Return every contradiction among the hosts and domains that could be read.

    Arguments: ``shared``: None where it could not be read; then nothing is said of it.
    """
    # The functions that decide what is served and ordered are those that decide what cannot be.
    stack = Stack.model_construct(hosts=tuple(hosts), domains=tuple(domains), dns=shared.dns if shared else {})
    acme = shared.acme if shared else None
    return (
        *_accounts(acme),
        *(problem for host in hosts for problem in _bound(host, acme)),
        *(problem for host in hosts for problem in _of_host(stack, host)),
        *(problem for domain in domains for problem in _impossible(stack, domain)),
        *(_forbidden(stack, acme) if acme else ()),
    )


def _accounts(acme: AcmeAuthority | None) -> Iterator[Problem]:
    known = _known(acme) if acme else None
    if acme is None or known is None:
        return
    if known.ties and acme.external_account is None:
        what = f"is missing: {known.name} gives certificates to accounts only that are tied to a customer"
        yield Problem(place("acme", "external_account"), what, "the key identifier and the secret that it shows you")
    if not known.ties and acme.external_account is not None:
        what = f"contradicts directory: {known.name} knows no such accounts"
        yield Problem(place("acme", "external_account"), what, "leave it out, or name the directory that it is of")
    if acme.directory == "letsencrypt" and acme.trust is not None:
        what = "contradicts directory: everybody trusts Let's Encrypt already"
        yield Problem(place("acme", "trust"), what, "leave it out, or name the URL of the private authority")


def _bound(host: Host, acme: AcmeAuthority | None) -> Iterator[Problem]:
    """A host has an account of its own, so that one that is broken into can do no more than for itself."""
    if acme and acme.external_account and isinstance(host.tls, AcmeTls) and host.tls.renewal == "host":
        what = "contradicts acme › external_account: the secret that opens accounts stays with the controller"
        yield Problem(place("hosts", host.name, "tls", "renewal"), what, '"controller"')


def _known(acme: AcmeAuthority) -> _Known | None:
    return _AUTHORITIES.get(acme.directory) or _AUTHORITIES.get(urlsplit(acme.directory).hostname or "")


def _of_host(stack: Stack, host: Host) -> Iterator[Problem]:
    at = ("hosts", host.name)
    if isinstance(host.tls, CertificateFile) and host.dane:
        what = "contradicts tls: whoever renews the file may give it another key, and senders would defer their mail"
        yield Problem(place(*at, "dane"), what, "leave it out, or tls of another mode, whose key is kept")
    if not isinstance(host.tls, AcmeTls):
        return
    if host.tls.challenge == "dns-01":
        yield from _unprovable(stack, host)
    if host.tls.renewal == "host" and host.tls.challenge == "dns-01":
        what = "contradicts challenge: a host has no access to DNS, and can prove its names by http-01 only"
        yield Problem(place(*at, "tls", "renewal"), what, '"controller", or challenge "http-01"')


def _unprovable(stack: Stack, host: Host) -> Iterator[Problem]:
    """Name the first name that nobody could write a challenge for; hosts in no zone of ours are told of elsewhere."""
    for name in sts.names(stack, host):
        domain = stack.covering(name)
        provider = stack.dns.get(domain.dns or "") if domain else None
        if domain is None or (name == host.name and domain.dns is None) or (domain.dns and provider is None):
            continue
        if domain.dns is None or isinstance(provider, Zonefile):
            why = "its zone is a file, which others publish" if domain.dns else "nobody writes its zone (dns is None)"
            what = f"{name} cannot be proven by dns-01: {why}"
            allowed = "leave it out: then each name is proven as it can be; or http-01"
            yield Problem(place("hosts", host.name, "tls", "challenge"), what, allowed)
            return


def _impossible(stack: Stack, domain: Domain) -> Iterator[Problem]:
    if domain.mta_sts is None or domain.mta_sts.mode == "off":
        return
    at = place("domains", domain.name, "mta_sts")
    if not domain.sends or domain.mx is not Mx.HERE:
        what = "its mail does not come to hosts of this inventory, and a policy is about who takes it"
        yield Problem(at, what, 'leave it out, or mx "here"')
        return
    without = [h for h in stack.hosts_of(domain) if h.state is HostState.ACTIVE and not isinstance(h.tls, AcmeTls)]
    if without:
        names = ", ".join(plain(h.name) for h in without)
        what = f"senders would insist on a certificate that they trust, and {names} has tls {without[0].tls.mode}"
        yield Problem(at, what, 'tls "acme" for each of its hosts, or leave it out')


def _forbidden(stack: Stack, acme: AcmeAuthority) -> Iterator[Problem]:
    known, limited = _known(acme), {d.name: d for d in stack.domains if d.caa}
    if known is None or not limited:
        return
    closed: dict[str, str] = {}
    for host in stack.hosts:
        for name in sts.names(stack, host) if isinstance(host.tls, AcmeTls) else ():
            above = _above(limited, name)
            if above and not set(above.caa) & set(known.caa):
                closed.setdefault(above.name, name)
    for domain, name in closed.items():
        what = f"does not allow {known.name} (acme), which is to issue the certificate for {name}"
        yield Problem(place("domains", domain, "caa"), what, f"add {known.caa[0]}, or name another directory")


def _above(limited: Mapping[str, Domain], name: str) -> Domain | None:
    """Return the closest domain at or above a name that says who may issue (RFC 8659 section 3)."""
    labels = name.split(".")
    return next((limited[n] for i in range(len(labels)) if (n := ".".join(labels[i:])) in limited), None)
