"""Which key does what on which host: pure, so that "never unsigned, never unproven" can be tested as a sentence."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from sendwright.stack import DkimAlgorithm, Domain, Host, Stack
from sendwright.state.model import DkimKey, KeyStage

_INSTALLED = frozenset({KeyStage.GENERATED, KeyStage.PUBLISHED, KeyStage.PROVEN, KeyStage.SIGNING, KeyStage.RETIRING})

# What the header From of every probe begins with, and of nothing else.
PROBE = "sendwright-probe+"


def by_domain(keys: Iterable[DkimKey]) -> Mapping[str, tuple[DkimKey, ...]]:
    """Return the keys of each domain, none for one without: a look through all for each of many domains is slow."""
    found: dict[str, list[DkimKey]] = defaultdict(list)
    for key in keys:
        found[key.domain].append(key)
    return defaultdict(tuple, {domain: tuple(of_domain) for domain, of_domain in found.items()})


def age(key: DkimKey) -> tuple[datetime, str]:
    """Return what sorts keys from the oldest to the newest, the same way for everybody who asks which signs."""
    return key.created, key.selector


def installed(domain: Domain, keys: Iterable[DkimKey]) -> tuple[DkimKey, ...]:
    """Return the keys of a domain that lie on its hosts, whether they sign or not."""
    wanted = domain.dkim.algorithms
    return tuple(k for k in keys if k.domain == domain.name and k.stage in _INSTALLED and k.algorithm in wanted)


def signing(domain: Domain, host: Host, keys: Iterable[DkimKey]) -> tuple[DkimKey, ...]:
    """Return the keys that sign a domain's mail on a host: at most one an algorithm, proven on that very host."""
    found = {
        k.algorithm: k
        for k in sorted(installed(domain, keys), key=age)
        if k.stage is KeyStage.SIGNING and host.name in k.proven_on
    }
    return tuple(found[a] for a in domain.dkim.algorithms if a in found)


def live(stack: Stack, host: Host, keys: Iterable[DkimKey]) -> tuple[Domain, ...]:
    """Return the domains whose mail may leave a host: an RSA key signs there, proven on that very host."""
    of = by_domain(keys)
    return tuple(d for d in stack.domains_of(host) if signs(d, host, of[d.name]))


def signs(domain: Domain, host: Host, keys: Iterable[DkimKey]) -> bool:
    """Return whether a domain's mail would leave a host with a signature that every receiver can verify.

    That is RSA's, which each domain declares (RFC 8301 section 3.1); Ed25519's joins where its key is proven.
    """
    return any(key.algorithm is DkimAlgorithm.RSA for key in signing(domain, host, keys))


def probe_address(key: DkimKey) -> str:
    """Return the header From by which a key can be made to sign a probe before it signs anything else."""
    return f"{PROBE}{key.selector}@{key.domain}"
