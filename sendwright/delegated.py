"""Delegated selectors: fixed ones, of which whoever keeps a domain's zone makes aliases of ours, once. Pure.

A domain whose zone is not ours to write publishes three aliases for each algorithm, as in ``s1._domainkey.example.com``
-> ``s1.example.com._domainkey.ours.example``; from then on its keys come and go in our zone alone (RFC 6376 section
3.6.2.1 lets the alias be). Three, because one signs, one is on its way out, and one is on its way in.
"""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sendwright.dns.record import TTL
from sendwright.domain import Domain
from sendwright.stack import DkimAlgorithm
from sendwright.state.model import DkimKey, KeyStage

SLOTS = {DkimAlgorithm.RSA: ("s1", "s2", "s3"), DkimAlgorithm.ED25519: ("e1", "e2", "e3")}
# After its key was removed: caches may have asked a secondary that was a whole TTL behind.
RESTS = timedelta(seconds=2 * TTL)
_ALWAYS = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Slot:
    """A fixed selector of a domain. ``target``: what its name is an alias of; ``free_at``: None while a key has it."""

    selector: str
    target: str
    free_at: datetime | None


@dataclass(frozen=True, order=True)
class Alias:
    """A name that verifiers ask for, and the name of ours that it has to lead to."""

    name: str
    target: str


def slots(
    domain: Domain, algorithm: DkimAlgorithm, keys: Iterable[DkimKey], standing: Container[str] = ()
) -> tuple[Slot, ...]:
    """Return a domain's slots for an algorithm, none if its selectors are not delegated; ``keys``: all stories of it.

    A slot whose key was removed is free again when no cache can hold what stood there: not while its record is among
    those ``standing``, which nobody was seen to take away.
    """
    if domain.dkim.delegate_to is None:
        return ()
    used = {key.selector: key for key in keys}
    return tuple(
        Slot(name, _target(domain, name), _free_at(used[name], standing) if name in used else _ALWAYS)
        for name in SLOTS[algorithm]
    )


def free(found: Iterable[Slot], now: datetime) -> Slot | None:
    """Return the slot that rests for longest of those that are free, or None."""
    rested = [(slot.free_at, slot.selector, slot) for slot in found if slot.free_at and slot.free_at <= now]
    return min(rested)[2] if rested else None


def free_at(found: Iterable[Slot]) -> datetime | None:
    """Return when the first slot is free; None if a key has to leave one before."""
    return min((slot.free_at for slot in found if slot.free_at), default=None)


def aliases(domain: Domain, keys: Iterable[DkimKey]) -> tuple[Alias, ...]:
    """Return the aliases that a domain has to publish: of every slot, and of what its living keys still stand at.

    Where a living key stands, its own story counts, whatever is declared by now: mail that it signed is verified there.
    """
    living = [key for key in keys if key.domain == domain.name and key.stage is not KeyStage.REMOVED]
    taken = {key.selector for key in living}
    return tuple(sorted({*_living(living), *(a for a in _declared(domain) if _selector(a) not in taken)}))


def _living(keys: Iterable[DkimKey]) -> Iterator[Alias]:
    return (Alias(key.record_name, key.target) for key in keys if key.target)


def _declared(domain: Domain) -> Iterator[Alias]:
    if domain.dkim.delegate_to and domain.sends:
        for algorithm in domain.dkim.algorithms:
            for name in SLOTS[algorithm]:
                yield Alias(f"{name}._domainkey.{domain.name}", _target(domain, name))


def _selector(alias: Alias) -> str:
    return alias.name.partition(".")[0]


def _target(domain: Domain, selector: str) -> str:
    return f"{selector}.{domain.name}._domainkey.{domain.dkim.delegate_to}"


def _free_at(key: DkimKey, standing: Container[str]) -> datetime | None:
    gone = key.removed if key.stage is KeyStage.REMOVED and key.txt_name not in standing else None
    return gone + RESTS if gone else None
