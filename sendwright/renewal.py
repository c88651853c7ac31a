"""When a certificate is renewed, with which key, and what has to come before. Pure.

The rule that all else serves: a key is used only once every sender that enforces DANE knows it, and a record goes only
once nothing shows the key any more (RFC 7671 section 8.1).
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sendwright.state.model import NextKey

# Of its own life: 30 days of 90, two of six.
_PART = 3
# Hosts do not all come at the same minute: over how much of the window they spread.
_SPREAD = 10
_LOST = "TLSA records tell of its keys, which are not in the state folder: restore that, or withdraw them"


@dataclass(frozen=True)
class Held:
    """A certificate as it is judged.

    ``spki``: the digest of its key; ``kind``: ``ecdsa`` or ``rsa``; ``mode``: how it was got; ``names``: all that it
    holds; ``issuer``: the authority that it was ordered from, by its directory's URL, None where there is none.
    """

    spki: str
    kind: str
    mode: str
    names: frozenset[str]
    not_before: datetime
    not_after: datetime
    issuer: str | None = None


@dataclass(frozen=True)
class Wanted:
    """What a host's certificate should be. ``mode``: how it is got; ``by_host``: the host renews it by itself.

    ``new_key``: somebody asks for another key now; ``renew_now``: and for another certificate, due or not.
    """

    host: str
    names: frozenset[str]
    kind: str = "ecdsa"
    issuer: str | None = None
    mode: str = "acme"
    by_host: bool = False
    new_key: bool = False
    renew_now: bool = False


@dataclass(frozen=True)
class Known:
    """What senders can know of a host's keys.

    ``told``: whether any TLSA record stands at one of its ports, or may: then only keys that are told may be shown;
    ``served``: the digests that every server has for every port now; ``behind``: why others are not, a sentence;
    ``window``: when the authority suggests a renewal to begin (RFC 9773), None where it does not say.
    """

    told: bool = False
    served: frozenset[str] = frozenset()
    behind: str = ""
    window: datetime | None = None


class Use(StrEnum):
    """With which key a certificate is ordered."""

    CURRENT = "current"
    NEXT = "next"
    FRESH = "fresh"


@dataclass(frozen=True)
class Order:
    """Order a certificate with that key. ``why``: a phrase for people."""

    use: Use
    why: str


@dataclass(frozen=True)
class Hold:
    """Another key is wanted and may not be used yet. ``until``: when it may, where that is known.

    ``instead``: what is done meanwhile with the present key, because its certificate ends.
    """

    why: str
    until: datetime | None = None
    instead: Order | None = None


def renew_from(held: Held, host: str, suggested: datetime | None = None, *, by_host: bool = False) -> datetime:
    """Return when a certificate's renewal begins: where a third of its life is left, or when the authority suggests.

    Hosts spread over a tenth of that third, each always at the same place. Where the host renews it by itself
    (``by_host``), it has half of that third before anybody else does.
    """
    window = (held.not_after - held.not_before) / _PART
    place = int.from_bytes(hashlib.sha256(host.encode()).digest()[:4]) / 2**32
    own = held.not_after - window + (window / _SPREAD) * place + (window / 2 if by_host else timedelta())
    return min(own, suggested) if suggested and not by_host else own


def due(held: Held | None, wanted: Wanted, now: datetime, suggested: datetime | None = None) -> str | None:
    """Return why a certificate has to be ordered, as a phrase, or None."""
    if held is None or held.mode != wanted.mode:
        return "there is none of the authority's yet"
    if missing := sorted(wanted.names - held.names):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return f"it does not name {missing[0]}{more}"
    if held.issuer != wanted.issuer:
        return "it is from another authority"
    if wanted.renew_now:
        return "somebody asked for it"
    if now >= renew_from(held, wanted.host, suggested, by_host=wanted.by_host):
        return f"it ends on {held.not_after:%Y-%m-%d %H:%M} UTC"
    return None


def decide(
    held: Held | None, coming: NextKey | None, coming_kind: str, wanted: Wanted, known: Known, now: datetime
) -> Order | Hold | None:
    """Return what to do about a host's certificate now; None: nothing.

    Arguments: ``held``: the one that the host has; ``coming``: the key made ahead, of ``coming_kind``.
    """
    why = due(held, wanted, now, known.window)
    if held is None:
        return Order(Use.FRESH, why or "") if not known.told else Hold(_LOST)
    another = _another(held, wanted)
    if another is None:
        return Order(Use.CURRENT, why) if why else None
    if not known.told:
        return Order(Use.NEXT if coming and coming_kind == wanted.kind else Use.FRESH, another)
    # Whoever asks for it now asks for the other key; what is due anyway waits for nobody.
    anyway = due(held, replace(wanted, renew_now=False), now, known.window)
    meanwhile = Order(Use.CURRENT, anyway) if anyway else None
    return _gate(coming, coming_kind, wanted, known, now, meanwhile) or Order(Use.NEXT, another)


def watched(coming: NextKey, known: Known, fresh: datetime | None) -> NextKey:
    """Return the next key with what a look at the servers told of it.

    Its clock runs only while every server has it: a set without it that any of them gave out may be held by a cache.
    Arguments: ``fresh``: ``fresh_at`` by a time after that look.
    """
    if coming.spki not in known.served:
        return unwatched(coming)
    return coming if coming.fresh_at else replace(coming, fresh_at=fresh)


def unwatched(coming: NextKey) -> NextKey:
    """Return the next key as it has to be remembered before its record is written: until then some server lacks it.

    Between two looks it may have gone and come back, and no look would tell.
    """
    return replace(coming, fresh_at=None) if coming.fresh_at else coming


def _another(held: Held, wanted: Wanted) -> str | None:
    if held.kind != wanted.kind:
        return f"the inventory says {wanted.kind}, its key is {held.kind}"
    return "somebody asked for another key" if wanted.new_key else None


def _gate(
    coming: NextKey | None, kind: str, wanted: Wanted, known: Known, now: datetime, meanwhile: Order | None
) -> Hold | None:
    if coming is None or kind != wanted.kind:
        return Hold("its next key is not made yet", instead=meanwhile)
    if coming.spki not in known.served:
        return Hold(known.behind or "its next key is not served by every name server yet", instead=meanwhile)
    if coming.fresh_at is None:
        return Hold("its next key has only just been served", instead=meanwhile)
    if now < coming.fresh_at:
        return Hold("caches may hold TLSA records without its next key", coming.fresh_at, meanwhile)
    return None


def fresh_at(served: datetime, ttl: timedelta, negative: timedelta, margin: timedelta) -> datetime:
    """Return from when no cache holds TLSA records without a key that every server has since then."""
    return served + max(ttl, negative) + margin
