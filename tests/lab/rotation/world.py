"""A world whose keys rotate: two hosts, a domain that both send for and one that only the second one sends for."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import dns.message
import dns.query

from sendwright import dkim, inventory
from sendwright.dns.records import TTL
from sendwright.lab import RRset
from sendwright.lab.clients import wait
from sendwright.lab.traffic import Flow, Judged, Route, flowing
from sendwright.lines import promoted
from sendwright.stack import DkimAlgorithm, Stack
from sendwright.state.model import DkimKey, KeyStage
from tests.lab.killing import killed_at
from tests.lab.living import SERVER, Living, credentials_of, sending

ONE, TWO = "mx1.both.example", "mx2.both.example"
ADDRESSES = {ONE: "203.0.113.10", TWO: "203.0.113.20"}
#: Both hosts send for the one, only the second host for the other.
BOTH, SECOND = "both.example", "second.example"
ZONES = (BOTH, SECOND)
LOGINS = credentials_of(ZONES)
ROUTES = (Route(ONE, BOTH), Route(TWO, BOTH), Route(TWO, SECOND))
# What others' caches hold is forgotten; what queues hold has left or bounced; a revocation was told for long enough.
CACHES, QUEUES, REVOKED = timedelta(seconds=TTL + 60), timedelta(days=20), timedelta(days=31)


def stack() -> Stack:
    """Return the stack: receivers are asked to refuse whatever fails, and no key becomes due by itself."""
    strict = {"dns": "main", "spf": {"all": "-all"}, "dmarc": {"policy": "reject"}, "dkim": {"rotate_days": 3650}}
    domains = {BOTH: strict, SECOND: {**strict, "hosts": [TWO]}}
    hosts = [(name, sending(address)) for name, address in ADDRESSES.items()]
    return inventory.parse(hosts, {"dns": {"main": SERVER}, "domains": domains}, "a test")


def remembering(zone: str) -> RRset:
    """Return an SOA record by which resolvers remember for a whole TTL that a name does not exist (RFC 2308)."""
    names = "ns1.sendwright-lab.example. hostmaster.sendwright-lab.example."
    return RRset(zone, "SOA", TTL, (f"{names} 1 60 5 604800 {TTL}",))


@dataclass(frozen=True)
class Rotating(Living):
    """A provisioned world, its keys at rest or on their way."""

    @property
    def keys(self) -> tuple[DkimKey, ...]:
        """The keys and their stories, oldest first."""
        return tuple(sorted(self.folder.load().keys, key=lambda k: (k.created, k.record_name)))

    def of(self, domain: str, *stages: KeyStage) -> tuple[DkimKey, ...]:
        """Return the keys of a domain that are at one of these stages."""
        return tuple(k for k in self.keys if k.domain == domain and k.stage in stages)

    def now(self, keys: Iterable[DkimKey]) -> tuple[DkimKey, ...]:
        """Return these keys as their stories are by now."""
        names = {k.record_name for k in keys}
        return tuple(k for k in self.keys if k.record_name in names)

    def stages(self, keys: Iterable[DkimKey]) -> set[KeyStage]:
        """Return the stages that these keys are at now."""
        return {k.stage for k in self.now(keys)}

    def signing(self) -> tuple[DkimKey, ...]:
        """Return the keys that sign, of all domains."""
        return tuple(k for k in self.keys if k.stage is KeyStage.SIGNING)

    def new(self, before: Iterable[DkimKey]) -> tuple[DkimKey, ...]:
        """Return the keys that were not there before."""
        known = {k.record_name for k in before}
        return tuple(k for k in self.keys if k.record_name not in known)

    def ran(self, *argv: str) -> "subprocess.CompletedProcess[str]":
        """Run one pass of ``rotate``, whatever comes of it; nothing that a person could mend is a traceback."""
        done = self.world.sendwright("rotate", str(self.world.folder), *argv, timeout=180)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def ran_until(self, reached: Callable[[], bool]) -> str:
        """Run passes until something is so, whether hosts fail meanwhile or not; return all that is said."""
        said = ""
        for _ in range(5):
            done = self.ran()
            said += done.stdout + done.stderr
            if reached():
                return said
            wait(self.caught_up, "the secondary does not have what the primary has")
        raise AssertionError(said)

    @contextmanager
    def running(self, *argv: str) -> Iterator["subprocess.Popen[str]"]:
        """Begin a pass of ``rotate``."""
        lab, command = self.world.lab, [sys.executable, "-m", "sendwright", "rotate", str(self.world.folder), *argv]
        pipe = subprocess.PIPE
        with subprocess.Popen(lab.command(command), text=True, stdout=pipe, stderr=pipe) as process:
            try:
                yield process
            finally:
                process.kill()

    def rotate(self, *argv: str) -> str:
        """Run one pass of ``rotate``, which neither fails nor is blocked; return what it says."""
        done = self.ran(*argv)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rotate_until(self, reached: Callable[[], bool], *argv: str) -> str:
        """Run passes until something is so: each goes as far as it can before a server has caught up."""
        said = self.rotate(*argv)
        for _ in range(4):
            if reached():
                return said
            wait(self.caught_up, "the secondary does not have what the primary has")
            said = self.rotate()
        assert reached(), said
        return said

    def start(self, *domains: str) -> tuple[DkimKey, ...]:
        """Begin successors of the keys of these domains, and return them once they are served by all."""
        before = self.keys
        named = tuple(word for domain in domains for word in ("--domain", domain))
        self.rotate_until(lambda: self.served(self.new(before)), "--start", *named)
        return self.new(before)

    def served(self, keys: Iterable[DkimKey]) -> bool:
        """Whether there are such keys, and all of them are known to be served."""
        found = self.now(keys)
        return bool(found) and all(k.served_since for k in found)

    def switch(self, new: Iterable[DkimKey]) -> None:
        """Let caches forget that new keys were not there, and rotate until they sign."""
        new = tuple(new)
        self.pass_time(CACHES)
        self.rotate_until(lambda: self.stages(new) == {KeyStage.SIGNING} and not self.overlapping())

    def overlapping(self) -> bool:
        """Whether an older key of some line has not been seen to sign nowhere yet."""
        lines = [(k.domain, k.algorithm) for k in self.signing()]
        return len(lines) != len(set(lines))

    def finish(self) -> None:
        """Let whatever is on its way come to its end, until nothing is left to do."""
        for _ in range(10):
            if self.at_rest():
                break
            self.pass_time(REVOKED)
            self.rotate()
            wait(self.caught_up, "the secondary does not have what the primary has")
        assert self.at_rest(), self.rotate("--status")
        self.settle()

    def at_rest(self) -> bool:
        """Whether one key signs in every line, and no other one is anywhere."""
        return {k.stage for k in self.keys} <= {KeyStage.SIGNING, KeyStage.REMOVED} and not self.overlapping()

    def next_names(self, domain: str, keys: Iterable[DkimKey] | None = None) -> tuple[str, ...]:
        """Return the names that the next keys of a domain get; ``keys``: after which, if not those of now."""
        taken = {k.selector for k in (self.keys if keys is None else keys) if k.domain == domain}
        found = (dkim.selector(algorithm, datetime.now(UTC), taken) for algorithm in DkimAlgorithm)
        return tuple(f"{each}._domainkey.{domain}" for each in found)

    def claim_proven(self, keys: Iterable[DkimKey], host: str) -> None:
        """Write into the stories of keys that they are proven on a host and sign from now on."""
        for key in self.now(keys):
            self.folder.save_key(replace(promoted(key, datetime.now(UTC)), proven_on=(host,)))

    def published(self, key: DkimKey) -> str:
        """Return the public part that DNS holds of a key; ``revoked``, or ``absent``."""
        texts = "".join(self.at(key.record_name, "TXT")).replace('" "', "").replace('"', "")
        if not texts:
            return "absent"
        return texts.partition("p=")[2].partition(";")[0].strip() or "revoked"

    def gone(self, keys: Iterable[DkimKey]) -> bool:
        """Whether DNS holds nothing of these keys."""
        return {self.published(key) for key in keys} == {"absent"}

    def holds(self, host: str, key: DkimKey) -> bool:
        """Whether the private part of a key lies on a host."""
        return (self.world.lab.host(host).root / "etc/opendkim/keys" / key.domain / f"{key.selector}.pem").exists()

    def uses(self, host: str, key: DkimKey) -> bool:
        """Whether a host's table says that it signs the domain's mail with a key."""
        table = self.world.lab.host(host).root / f"etc/opendkim/{key.algorithm}.signingtable"
        rows = (line.split() for line in table.read_text().splitlines())
        return any("probe" not in row[0] and row[-1] == key.record_name for row in rows if len(row) > 1)

    def ask(self, name: str) -> None:
        """Ask the resolver for a TXT record, as anybody may at any time."""
        with self.world.lab.inside():
            dns.query.udp(dns.message.make_query(name, "TXT"), self.world.lab.resolver, timeout=10)

    def cut_off(self, host: str) -> None:
        """Take SSH away from a host, with all sessions: the controller cannot reach it, and mail goes on."""
        stop = "systemctl stop ssh.socket ssh; kill -KILL $(cat /sys/fs/cgroup/system.slice/ssh.service/cgroup.procs)"
        self.world.lab.host(host).run(["sh", "-c", f"{stop} 2>/dev/null; true"])

    def reconnect(self, host: str) -> None:
        """Give a host its SSH back."""
        self.world.lab.host(host).run(["systemctl", "start", "ssh"])
        self.world.lab.host(host).machine.wait()

    def takes_mail(self, host: str) -> bool:
        """Whether a host takes submission."""
        return self.world.lab.host(host).machine.greets(587, b"220 ")

    @contextmanager
    def mail(self, routes: tuple[Route, ...] = ROUTES) -> Iterator[Flow]:
        """Send mail by all routes all the time; say at the end how much it was."""
        begin = datetime.now().astimezone()
        with flowing(self.clients, routes) as flow:
            yield flow
        seconds = (datetime.now().astimezone() - begin).total_seconds()
        print(f"{len(flow.sent)} messages in {seconds:.0f} s, {len(flow.sent) / seconds:.1f} a second")

    def all_passed(self, flow: Flow) -> list[Judged]:
        """Assert that every single message passed, with both signatures; count them, by selector."""
        found = self.passed(flow)
        assert len(found) == len(flow.sent)
        assert all(len(each.selectors) == 2 for each in found)
        print(f"{len(found)} of {len(flow.sent)} messages: dkim=pass for both signatures")
        for route in dict.fromkeys(each.route for each in found):
            by = dict[str, int]()
            for each in found:
                if each.route == route:
                    by |= {s: by.get(s, 0) + 1 for s in each.selectors}
            print(f"  {route.login} by {route.host}: {by}")
        return found

    def killed_at(self, moment: Callable[[], bool], *argv: str) -> bool:
        """Run ``rotate`` and kill the controller when something is so; return whether it was still running then."""
        return killed_at(self.world, lambda _: moment(), "rotate", *argv, may_end=True).killed


def of(keys: Iterable[DkimKey], domain: str) -> tuple[DkimKey, ...]:
    """Return those of these keys that are a domain's."""
    return tuple(k for k in keys if k.domain == domain)


def selectors(keys: Iterable[DkimKey]) -> frozenset[str]:
    """Return the selectors of keys."""
    return frozenset(k.selector for k in keys)
