"""A controller that is killed at every stage of a rotation: running it again goes on, and no message fails."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest

from sendwright.state.model import DkimKey, KeyStage
from tests.lab.rotation.world import ADDRESSES, BOTH, CACHES, QUEUES, REVOKED, SECOND, Rotating

pytestmark = pytest.mark.lab

START = ("--start", "--domain", BOTH, "--domain", SECOND)
# Stories are saved several at once, so that two moments may come in one: not all of them can be told apart each time.
FEWEST = 10


@dataclass
class Moments:
    """What can be seen of a rotation from outside while it runs; ``kills``: at which moments it was killed."""

    rotating: Rotating
    before: tuple[DkimKey, ...]
    old: tuple[DkimKey, ...]
    kills: list[str] = field(default_factory=list)

    def kill(self, moments: Iterable[tuple[str, Callable[[], bool]]], *argv: str) -> None:
        """Run ``rotate`` again and again, and kill it at each moment in turn that has not come yet."""
        for name, moment in moments:
            if not moment() and self.rotating.killed_at(moment, *argv):
                self.kills.append(name)

    def private(self) -> bool:
        """Whether a new private key lies in the state folder."""
        return sum(1 for _ in self.rotating.folder.path.rglob("keys/**/*.pem")) > self.private_before

    def __post_init__(self) -> None:
        """Count what is there."""
        self.private_before = sum(1 for _ in self.rotating.folder.path.rglob("keys/**/*.pem"))

    @property
    def new(self) -> tuple[DkimKey, ...]:
        """The keys that were not there before."""
        return self.rotating.new(self.before)

    def new_is(self, *stages: KeyStage) -> bool:
        """Whether a new key is at one of these stages."""
        return any(k.stage in stages for k in self.new)

    def old_is(self, *stages: KeyStage) -> bool:
        """Whether an old key is at one of these stages."""
        return not self.rotating.stages(self.old).isdisjoint(stages)

    def in_dns(self, keys: Iterable[DkimKey], *values: str) -> bool:
        """Whether DNS holds one of these for a key; any public part, if none is named."""
        found = {self.rotating.published(k) for k in keys}
        return not found.isdisjoint(values) if values else not found <= {"absent", "revoked"}

    def hosts_hold(self, keys: Iterable[DkimKey]) -> list[bool]:
        """Whether each of the hosts holds all of these keys that it is to."""
        keys = tuple(keys)
        domains = {host: {BOTH} if host == min(ADDRESSES) else {BOTH, SECOND} for host in ADDRESSES}
        return [bool(keys) and all(self.rotating.holds(h, k) for k in keys if k.domain in domains[h]) for h in domains]

    def hosts_use(self) -> list[bool]:
        """Whether each of the hosts signs with a new key."""
        return [any(self.rotating.uses(host, k) for k in self.new) for host in ADDRESSES]


def test_a_rotation_that_is_killed_at_every_stage_goes_on_where_it_was(rotating: Rotating) -> None:
    """After each story that was written, and while the world follows it; nothing is made twice, nothing fails."""
    at = Moments(rotating, rotating.keys, rotating.signing())
    with rotating.mail() as flow:
        at.kill(
            (
                ("a private key is written", at.private),
                ("a host holds a copy", lambda: any(at.hosts_hold(at.new))),
                ("a record is published", lambda: at.in_dns(at.new)),
                ("its story says so", lambda: at.new_is(KeyStage.PUBLISHED)),
            ),
            *START,
        )
        rotating.rotate_until(lambda: rotating.served(at.new), *START)
        rotating.pass_time(CACHES)
        at.kill(
            (
                ("a key is proven", lambda: any(k.proven_on for k in at.new)),
                ("a key is promoted", lambda: at.new_is(KeyStage.SIGNING)),
                ("a host signs with it", lambda: any(at.hosts_use())),
                ("every host does", lambda: all(at.hosts_use())),
                ("an old key is demoted", lambda: at.old_is(KeyStage.RETIRING)),
            )
        )
        rotating.rotate_until(lambda: rotating.stages(at.old) == {KeyStage.RETIRING})
        rotating.pass_time(QUEUES)
        at.kill((("our queues are seen to be empty", lambda: any(k.drained for k in rotating.now(at.old))),))
        rotating.rotate_until(lambda: all(k.drained for k in rotating.now(at.old)))
        rotating.pass_time(QUEUES)
        at.kill(
            (
                ("an old key is to be revoked", lambda: at.old_is(KeyStage.REVOKED)),
                ("its record says so", lambda: at.in_dns(at.old, "revoked")),
                ("its private part goes", lambda: not all(at.hosts_hold(at.old))),
            )
        )
        rotating.rotate_until(lambda: all(k.revoked for k in rotating.now(at.old)))
        rotating.pass_time(REVOKED)
        at.kill(
            (
                ("its record is to go", lambda: at.old_is(KeyStage.REMOVED)),
                ("its record is gone", lambda: at.in_dns(at.old, "absent")),
            )
        )
        rotating.rotate_until(lambda: rotating.stages(at.old) == {KeyStage.REMOVED} and rotating.gone(at.old))

    print(f"killed {len(at.kills)} times: {', '.join(at.kills)}")
    lines = [(k.domain, k.algorithm) for k in at.old]
    assert sorted((k.domain, k.algorithm) for k in at.new) == sorted(lines)
    assert rotating.stages(at.new) == {KeyStage.SIGNING}
    assert len(at.kills) >= FEWEST
    rotating.all_passed(flow)
