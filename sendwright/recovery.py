"""What a lost state folder can be made of again: the keys that hosts hold, and how far DNS says that they are. Pure.

Nothing is guessed: a key that differs between hosts, or from what DNS serves, is told of and left alone. What was seen
decides its stage, on the safe side: a key that signs nowhere has to prove itself again.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sendwright.delegated import aliases
from sendwright.deploys.remains import HeldKey, Remains
from sendwright.dkim import of_private
from sendwright.lines import Held, Record
from sendwright.signing import age, by_domain
from sendwright.stack import Domain, Stack
from sendwright.state.model import DkimKey, KeyStage, State


@dataclass(frozen=True)
class Found:
    """A key that hosts hold. ``pem``: its private part as it is installed; ``signs_on``: hosts that sign with it."""

    key: DkimKey
    signs_on: tuple[str, ...]
    pem: bytes = field(repr=False)


@dataclass(frozen=True)
class Remembered:
    """What hosts remember: keys, a sentence for each that cannot be recovered, and for each that should not be."""

    keys: tuple[Found, ...] = ()
    alone: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def found(stack: Stack, remains: Mapping[str, Remains], known: Iterable[DkimKey], now: datetime) -> Remembered:
    """Return the keys that hosts hold and the folder does not.

    Arguments: ``remains``: what hosts hold, by name; ``known``: keys of the folder, which are never changed; ``now``:
    no key is younger.
    """
    stories = {key.record_name: key for key in known}
    keys, alone, notes = [], [], []
    for record, held in _by_record(remains).items():
        domain, senders = _domain(stack, held)
        if strangers := held.keys() - senders:
            notes.append(
                f"{record} lies on {_list(strangers)}: the inventory has no mail of that domain sent from there."
            )
        mine = {host: key for host, key in held.items() if host in senders}
        if domain is None or not mine:
            continue
        result = _found(domain, record, mine, stories.get(record), remains, now)
        if isinstance(result, str):
            alone.append(result)
        elif result is not None:
            keys.append(result)
    return Remembered(tuple(keys), tuple(alone), tuple(notes))


def staged(
    keys: Iterable[Found],
    known: Iterable[DkimKey],
    held: Mapping[str, Record],
    served: Mapping[str, Record],
    now: datetime,
) -> tuple[tuple[Found, ...], tuple[str, ...]]:
    """Return keys at the stage that DNS and the hosts show them at, and a sentence about each that is left alone.

    Arguments: ``known``: keys of the folder; ``held``: what providers hold, by record name; ``served``: what every
    authoritative server answered about those that they hold.
    """
    told, said = [], []
    for each in keys:
        name = each.key.record_name
        if doubt := _doubt(name, held.get(name), served.get(name)):
            said.append(doubt)
        else:
            told.append(replace(each, key=_at_stage(each, held[name].held, now)))
    return _retired(told, known), tuple(said)


def lost(stack: Stack, state: State, keys: Iterable[Found], certified: Container[str]) -> tuple[str, ...]:
    """Return what is not recovered, and how each comes back, one sentence each.

    Arguments: ``certified``: the hosts whose TLS keys and certificates are recovered.
    """
    notes = []
    if tuple(keys):
        notes.append("When keys began to sign, and since when they are served, is not known: their clocks start now.")
    if not state.claims:
        notes.append(
            "The ledger is not recovered: what stands in the zones is somebody else's until `sendwright dns adopt`."
        )
    if not state.users:
        notes.append("Logins and their passwords are not recovered: `sendwright users add` before the next provision.")
    bare = [h.name for h in stack.hosts if state.certificate_of(h.name) is None and h.name not in certified]
    if bare:
        notes.append(
            f"The certificate of {_list(bare)} is not recovered: the next `sendwright provision` makes a new key. "
            "Senders that know the old one by TLSA records keep mail back: remove these records first, then wait."
        )
    return tuple(notes)


_PUBLIC = frozenset({KeyStage.PUBLISHED, KeyStage.SIGNING})
_ByHost = Mapping[str, HeldKey]


def _by_record(remains: Mapping[str, Remains]) -> dict[str, dict[str, HeldKey]]:
    found: dict[str, dict[str, HeldKey]] = {}
    for host, each in sorted(remains.items()):
        for key in each.keys:
            found.setdefault(f"{key.selector}._domainkey.{key.domain}", {})[host] = key
    return dict(sorted(found.items()))


def _domain(stack: Stack, held: _ByHost) -> tuple[Domain | None, frozenset[str]]:
    """Return the domain of a key and the hosts that send for it: what lies on any other says nothing of it."""
    name = next(iter(held.values())).domain
    domain = next((d for d in stack.domains if d.name == name), None)
    return domain, frozenset(host.name for host in stack.hosts_of(domain)) if domain else frozenset()


def _found(
    domain: Domain, record: str, held: _ByHost, known: DkimKey | None, remains: Mapping[str, Remains], now: datetime
) -> Found | str | None:
    made = {}
    for host, each in held.items():
        try:
            made[host] = of_private(each.domain, each.selector, each.pem, min(each.since, now))
        except ValueError:
            return f"{record} on {host} is no private key that can be read: left alone."
    digests = {key.pem_sha256 for key, _ in made.values()}
    if known is not None:
        same = digests == {known.pem_sha256}
        what = f"{record} on {_list(made)} is not the one in the state folder: left alone."
        return None if same else f"{what} Remove it there if the folder's is the right one."
    if len(digests) > 1:
        return f"{record} differs between {_list(made)}: left alone. Remove the one that DNS does not serve."
    key, pem = min(made.values(), key=lambda pair: pair[0].created)
    target = next((a.target for a in aliases(domain, ()) if a.name == record), None)
    signs_on = tuple(host for host in made if record in remains[host].signs)
    return Found(replace(key, target=target), signs_on, pem)


def _doubt(name: str, held: Record | None, served: Record | None) -> str | None:
    if held is None:
        return f"{name}: what DNS holds there is not known: left alone. Mend that, then run this again."
    if held.held is Held.OTHER:
        return f"{name}: DNS holds another key there than the hosts: left alone."
    if held.held is Held.KEY and (served is None or served.behind):
        why = "; ".join(served.behind) if served else "no server of its zone answers"
        return f"{name}: not every name server has it ({why}): left alone. Mend that, then run this again."
    return None


def _at_stage(each: Found, held: Held, now: datetime) -> DkimKey:
    if held is Held.EMPTY:
        return replace(each.key, stage=KeyStage.REVOKED, revoked=now)
    if held is Held.NOTHING:
        return each.key
    if each.signs_on:
        return replace(each.key, stage=KeyStage.SIGNING, proven_on=each.signs_on, signing_since=now, served_since=now)
    return replace(each.key, stage=KeyStage.PUBLISHED, served_since=now)


def _retired(keys: Iterable[Found], known: Iterable[DkimKey]) -> tuple[Found, ...]:
    """Return the keys with those that have a newer one as what they may be: on their way out, with mail to be verified.

    A candidate that gave way would be revoked at once: nobody knows any more that it never signed.
    """
    keys = tuple(keys)
    of = by_domain((*known, *(each.key for each in keys)))

    def story(key: DkimKey) -> DkimKey:
        line = (k for k in of[key.domain] if k.algorithm is key.algorithm and k.stage in _PUBLIC)
        given_way = any(age(k) > age(key) for k in line)
        return replace(key, stage=KeyStage.RETIRING) if key.stage is KeyStage.PUBLISHED and given_way else key

    return tuple(replace(each, key=story(each.key)) for each in keys)


def _list(hosts: Iterable[str]) -> str:
    return ", ".join(sorted(hosts))
