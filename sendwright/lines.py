"""The keys of one algorithm of one domain, what is declared for them, and what was seen of them, as frozen data.

A **line** is what rotates by itself: RSA and Ed25519 keys of a domain do so independently.
"""

from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sendwright import signing
from sendwright.delegated import Slot, slots
from sendwright.dns.record import TTL
from sendwright.stack import DkimAlgorithm, Domain, Stack
from sendwright.state.model import DkimKey, KeyStage

NEW = frozenset({KeyStage.GENERATED, KeyStage.PUBLISHED, KeyStage.PROVEN})
ON_HOSTS = NEW | {KeyStage.SIGNING, KeyStage.RETIRING}

# Clocks that differ by more say nothing about when something was signed.
CLOCKS_DIFFER = timedelta(minutes=5)


class Act(StrEnum):
    """What a step does. First what changes a story, then what makes the world follow it, then what does nothing."""

    GENERATE = "generate"
    PROMOTE = "promote"
    DEMOTE = "demote"
    RESTART = "restart the clock of"
    CONFIRM = "start the clock of"
    REVOKE = "revoke"
    DATE = "date the revocation of"
    DISCLOSE = "disclose"
    REMOVE = "remove"

    CONVERGE = "converge hosts for"
    PUBLISH = "publish"
    PROVE = "prove"

    WAIT = "wait for"
    BLOCKED = "blocked:"
    DUE = "due:"


class Held(StrEnum):
    """What a key's provider holds at the name of its record."""

    KEY = "key"
    EMPTY = "empty"
    NOTHING = "nothing"
    OTHER = "other"


@dataclass(frozen=True)
class Record:
    """A key's record as it was looked at.

    ``held``: by the provider; ``behind``: each server that does not serve what the story says, or the alias that leads
    there, and why; ``fresh_at``: from when caches hold nothing older; None while not served; ``astray``: an alias leads
    elsewhere, which only its owner can mend.
    """

    held: Held
    behind: tuple[str, ...] = ()
    fresh_at: datetime | None = None
    astray: bool = False

    @property
    def served(self) -> bool:
        """Whether every authoritative server serves it."""
        return not self.behind and self.fresh_at is not None


@dataclass(frozen=True)
class HostSeen:
    """A sending host that answered.

    ``holds``: record names of the keys that lie there, whole; ``signs``: record names of those that its running
    signers sign mail with, None if that is not known; ``lifetime``: the longest that its Postfix keeps a message and
    its bounce; ``oldest``: when the oldest message in its queues arrived, on hold too; ``clock``: its own.
    """

    holds: frozenset[str]
    signs: frozenset[str] | None
    lifetime: timedelta
    oldest: datetime | None
    clock: datetime


@dataclass(frozen=True)
class Seen:
    """One look at the world: hosts that answered, by name, and records that were looked at, by record name.

    ``given_up``: hosts that were reached, and are left alone for an error of theirs.
    """

    hosts: Mapping[str, HostSeen] = field(default_factory=dict)
    records: Mapping[str, Record] = field(default_factory=dict)
    given_up: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Policy:
    """What is declared for a line.

    ``period``: after so long a key is due; ``automatic``: a due key gets its successor by itself; ``others``: how long
    smarthosts and forwarders may keep mail; ``ttl``: of a record, with the provider's margin; ``revoked``: how long
    the empty record stays; ``disclose``: publish the private key after that was served; ``pushed``: whether the state
    folder is made durable by a command: else a copy on a host comes before publication.
    """

    period: timedelta = timedelta(days=90)
    automatic: bool = False
    others: timedelta = timedelta(days=7)
    ttl: timedelta = timedelta(hours=1)
    revoked: timedelta = timedelta(days=30)
    disclose: bool = False
    pushed: bool = False


@dataclass(frozen=True)
class Line:
    """The keys of one algorithm of one domain, the hosts that send for it, and what is declared.

    ``start``: somebody asked for a successor now; ``declared``: whether the domain is to sign by this algorithm at all;
    ``slots``: the fixed selectors, of which a new key takes a free one; none: it gets a selector of its own;
    ``former``: hosts of the inventory that do not send for it any more, and signed with one of its keys.
    """

    domain: str
    algorithm: DkimAlgorithm
    keys: tuple[DkimKey, ...]
    hosts: tuple[str, ...]
    policy: Policy = Policy()
    start: bool = False
    declared: bool = True
    slots: tuple[Slot, ...] = ()
    former: tuple[str, ...] = ()

    def used_by(self, key: DkimKey) -> tuple[str, ...]:
        """Return the hosts that count until a key has retired: what one signed that sends no more may be on its way."""
        if key.stage not in {KeyStage.SIGNING, KeyStage.RETIRING}:
            return self.hosts
        return (*self.hosts, *(h for h in self.former if h in key.proven_on or h in key.former))

    @property
    def signing(self) -> tuple[DkimKey, ...]:
        """The keys that sign or may still, oldest first: the last one is what hosts are to sign with."""
        return self._at(KeyStage.SIGNING)

    @property
    def successor(self) -> DkimKey | None:
        """The newest key of all, if it has not signed yet: hosts sign with the newest, so an older one never would.

        One that leaked will not sign, and does not keep its line from getting another.
        """
        newest = [k for k in self._at(*NEW, KeyStage.SIGNING) if not (k.leaked and k.stage in NEW)][-1:]
        return newest[0] if newest and newest[0].stage in NEW else None

    def _at(self, *stages: KeyStage) -> tuple[DkimKey, ...]:
        found = (k for k in self.keys if k.stage in stages)
        return tuple(sorted(found, key=signing.age))


@dataclass(frozen=True)
class Step:
    """What is to be done about a key now, or what it waits for.

    ``key`` None: the line needs a new one. ``hosts``: on which it is done, or that are waited for; ``until``: when a
    clock runs out; ``why``: one line for people.
    """

    act: Act
    line: Line
    key: DkimKey | None
    why: str
    hosts: tuple[str, ...] = ()
    until: datetime | None = None

    @property
    def waits(self) -> bool:
        """Whether nothing is done now."""
        return self.act in {Act.WAIT, Act.BLOCKED, Act.DUE}


def lines(
    stack: Stack,
    keys: Iterable[DkimKey],
    *,
    bare: Collection[str] = (),
    margin: timedelta = timedelta(),
    standing: Container[str] = (),
) -> tuple[Line, ...]:
    """Return the lines of all domains that send and have keys, in the order of the inventory.

    Arguments: ``bare``: hosts that were never provisioned, and so sign nothing; ``margin``: of the DNS provider;
    ``standing``: names of TXT records of ours that may stand.
    """
    of = signing.by_domain(keys)
    shared = _shared(k for found in of.values() for k in found)
    found = (
        Line(
            domain.name,
            algorithm,
            tuple(k for k in of[domain.name] if k.algorithm is algorithm),
            tuple(h.name for h in stack.hosts_of(domain) if h.name not in bare),
            _policy(stack, domain, margin, shared=any(k.public in shared for k in of[domain.name])),
            declared=algorithm in domain.dkim.algorithms,
            slots=slots(domain, algorithm, of[domain.name], standing),
            former=_former(stack, domain, of[domain.name], bare),
        )
        for domain in stack.domains
        if domain.sends
        for algorithm in DkimAlgorithm
    )
    return tuple(line for line in found if line.keys)


def promoted(key: DkimKey, now: datetime) -> DkimKey:
    """Return a key that is to sign from now on."""
    return replace(key, stage=KeyStage.SIGNING, signing_since=now)


def confirmed(line: Line, key: DkimKey, seen: Seen, now: datetime) -> DkimKey:
    """Return a key that no host signs with any more, as was just seen: its clocks start, or go on as they were.

    The first one is that of our own queues, the second that of others': it starts when nothing is left in ours.
    """
    found = replace(key, stage=KeyStage.RETIRING, last_signed=key.last_signed or now, lifetime=longest(line, key, seen))
    ends = leaves(found) if key.last_signed else None
    gone = ends is not None and now >= ends and not keeping(line, key, seen)
    return replace(found, drained=key.drained or now) if gone else found


def restarted(key: DkimKey) -> DkimKey:
    """Return a retiring key with which some host signs, or may: its clocks stand until none does."""
    return replace(key, last_signed=None, drained=None)


def revoked(key: DkimKey) -> DkimKey:
    """Return a key whose record becomes an empty ``p=``."""
    return replace(key, stage=KeyStage.REVOKED, served_since=None)


def removed(key: DkimKey, now: datetime) -> DkimKey:
    """Return a key whose record goes; its selector rests from then on, if it is one of those that are used again."""
    return replace(key, stage=KeyStage.REMOVED, removed=now)


def leaves(key: DkimKey) -> datetime | None:
    """Return when what a retiring key signed leaves our queues by itself; None while its clock stands."""
    return key.last_signed + timedelta(seconds=key.lifetime) if key.last_signed else None


def keeping(line: Line, key: DkimKey, seen: Seen) -> tuple[str, ...]:
    """Return the hosts in whose queues lies a message that a retiring key may have signed, on hold too."""
    if key.last_signed is None:
        return line.used_by(key)
    # What was signed last carries the time of its host, whose clock may be ahead of ours.
    last = key.last_signed + CLOCKS_DIFFER
    reached = ((h, seen.hosts[h].oldest) for h in line.used_by(key) if h in seen.hosts)
    return tuple(h for h, oldest in reached if oldest and oldest <= last)


def longest(line: Line, key: DkimKey, seen: Seen) -> int:
    """The longest that a host was seen to keep a message and its bounce since the key signed last, in seconds."""
    found = (seen.hosts[h].lifetime for h in line.used_by(key) if h in seen.hosts)
    return max(key.lifetime, *(int(span.total_seconds()) for span in found), 0)


def _shared(keys: Iterable[DkimKey]) -> frozenset[str]:
    """The public parts that stand behind several selectors: publishing the private part of one gives away the other."""
    found = Counter(k.public for k in keys if k.stage is not KeyStage.REMOVED)
    return frozenset(public for public, times in found.items() if times > 1)


def _former(stack: Stack, domain: Domain, keys: Iterable[DkimKey], bare: Collection[str]) -> tuple[str, ...]:
    signed = {name for k in keys for name in (*k.proven_on, *k.former)}
    signed -= {h.name for h in stack.hosts_of(domain)}
    return tuple(h.name for h in stack.hosts if h.name in signed and h.name not in bare) if signed else ()


def _policy(stack: Stack, domain: Domain, margin: timedelta, *, shared: bool) -> Policy:
    return Policy(
        period=timedelta(days=domain.dkim.rotate_days),
        automatic=domain.dkim.rotate,
        others=timedelta(days=stack.smtp.others_queue_days),
        ttl=timedelta(seconds=TTL) + margin,
        revoked=timedelta(days=domain.dkim.revoked_days),
        disclose=domain.dkim.publish_revoked_keys and not shared,
        pushed=stack.key_store.push is not None,
    )
