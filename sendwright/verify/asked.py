"""What somebody wants verified, judged before anything is asked: every mistake at once."""

import re
import ssl
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sendwright.errors import UsageError
from sendwright.escape import plain
from sendwright.inventory import Inventory, load
from sendwright.mistakes import nearest
from sendwright.names import domain_name
from sendwright.state.folder import StateFolder
from sendwright.verify.asking.dns_exchange import Resolver
from sendwright.verify.asking.resolving import patient, resolver_at
from sendwright.verify.catalogue import CHECKS
from sendwright.verify.target import Declared, Target

T = TypeVar("T")

_LONGEST = 600
_SHOWN = 3
_GROUPS = {
    group: frozenset(check.name for check in CHECKS.values() if check.group == group)
    for group in dict.fromkeys(check.group for check in CHECKS.values())
}
# RFC 6376 section 3.1: names under the domain, of one label or several.
_SELECTOR = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")


@dataclass(frozen=True)
class Asked:
    """What a run is to do. ``wanted``: the names of the checks that were chosen; ``timeout`` in seconds.

    ``trust``: authorities instead of the system's; ``own``: that of the inventory, for what it issued.
    """

    targets: tuple[Target, ...]
    inventory: Inventory | None
    hosts: bool
    resolver: Resolver
    timeout: float
    wanted: frozenset[str]
    trust: Path | None
    own: Path | None = None


def asked(
    domains: Iterable[str],
    *,
    inventory: Path | Inventory | None,
    hosts: bool,
    selectors: Iterable[str],
    resolver: str | None,
    timeout: float,
    only: Iterable[str],
    skip: Iterable[str],
    trust: Path | None,
) -> Asked:
    """Return what is meant; UsageError otherwise, InventoryError for mistakes in an inventory."""
    domains, mistakes = tuple(domains), list[str]()
    if (inventory is None) == (not domains):
        raise UsageError("nothing to verify is named, or too much.", "Name an inventory, or domains: one of both.")
    if hosts and inventory is None:
        mistakes.append("only an inventory knows hosts to look at")
    if not 0 < timeout <= _LONGEST:
        mistakes.append(f"a server may take more than 0 and at most {_LONGEST} seconds, not {timeout:g}")
    _read([] if trust is None else [trust], authorities, mistakes)
    names = _read(domains, verified_name, mistakes)
    chosen = _read(selectors, selector_name, mistakes)
    wanted = _wanted(only, skip, mistakes)
    if not wanted and not mistakes:
        mistakes.append("of the checks that were chosen nothing is left")
    if mistakes:
        raise UsageError("nothing was verified: " + "; ".join(mistakes) + ".")
    at = patient(resolver_at(resolver), timeout)
    declared = load(inventory) if isinstance(inventory, Path) else inventory
    targets = tuple(Target(name, chosen) for name in names) if declared is None else _declared(declared, chosen)
    _known({target.domain for target in targets}, chosen)
    return Asked(targets, declared, hosts, at, timeout, wanted, trust, _own(declared))


def _own(inventory: Inventory | None) -> Path | None:
    """Return the roots of the private authority that an inventory has its certificates from, if it is one."""
    if inventory is None or inventory.stack.acme.trust is None:
        return None
    path = inventory.folder / Path(inventory.stack.acme.trust).expanduser()
    try:
        return authorities(path)
    except ValueError as error:
        raise UsageError(f"nothing was verified: acme › trust, {plain(path)}: {error}.") from None


def _known(domains: Collection[str], selectors: Iterable[str]) -> None:
    """Refuse a selector with its whole name that is no domain's of the run: nothing would look at it."""
    strange = [s for s in selectors if (of := s.partition("._domainkey.")[2]) and of not in domains]
    if strange:
        names = ", ".join(strange[:_SHOWN])
        raise UsageError(f"nothing was verified: the selector {names} belongs to no domain of this run.")


def verified_name(text: str) -> str:
    """Return a domain's name in lower case, and in its ASCII form (RFC 5891); ValueError for what is none."""
    if text.isascii():
        return domain_name(text)
    import idna

    try:
        return domain_name(idna.encode(text, uts46=True).decode())
    except idna.IDNAError as error:
        raise ValueError(f"not an internationalised domain name: {error}") from error


def authorities(path: Path) -> Path:
    """Return a file of authorities in PEM; ValueError for what is none."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise ValueError("no certificate in PEM form is in it") from None
    except OSError as error:
        raise ValueError(error.strerror) from None
    return path


def selector_name(text: str) -> str:
    """Return a DKIM selector in lower case; ValueError for what is none (RFC 6376, 3.1)."""
    if not _SELECTOR.fullmatch(text.lower()):
        raise ValueError("no selector of letters, digits, - and _")
    return text.lower()


def _declared(inventory: Inventory, selectors: tuple[str, ...]) -> tuple[Target, ...]:
    state = StateFolder.of(inventory).load()
    stack = inventory.stack
    return tuple(Target(domain.name, selectors, Declared(stack, state, domain)) for domain in stack.domains)


def _read(texts: Iterable[T], parse: Callable[[T], T], mistakes: list[str]) -> tuple[T, ...]:
    good: dict[T, None] = {}
    for text in texts:
        try:
            good[parse(text)] = None
        except ValueError as error:
            mistakes.append(f"{plain(text)[:100]}: {error}")
    return tuple(good)


def _wanted(only: Iterable[str], skip: Iterable[str], mistakes: list[str]) -> frozenset[str]:
    chosen = _named(only, mistakes)
    return (chosen or frozenset(CHECKS)) - _named(skip, mistakes)


def _named(names: Iterable[str], mistakes: list[str]) -> frozenset[str]:
    found: set[str] = set()
    for name in names:
        if name in CHECKS:
            found.add(name)
        elif name in _GROUPS:
            found |= _GROUPS[name]
        else:
            mistakes.append(f"there is no check {plain(name)[:100]} ({nearest(name, {*CHECKS, *_GROUPS})})")
    return frozenset(found)
