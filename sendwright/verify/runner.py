"""A run of ``verify``: domains first, then the servers that they lead to, then hosts from the inside."""

import gc
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from sendwright.concurrently import concurrently
from sendwright.stack import AcmeTls
from sendwright.verify import bogus
from sendwright.verify.asked import Asked
from sendwright.verify.asking import first
from sendwright.verify.asking.fetching import Https, Once
from sendwright.verify.asking.resolving import Dns
from sendwright.verify.asking.single import Asking
from sendwright.verify.finding import Finding, Report, Status, Subject
from sendwright.verify.groups import ALL, Group, Groups
from sendwright.verify.look import Look
from sendwright.verify.ordering import described, ordered
from sendwright.verify.servers import servers
from sendwright.verify.speaking.conversation import Conversation
from sendwright.verify.target import Server, Target

Progress = Callable[[str], None]
_Judging = Callable[[], Iterable[Finding]]

_DOMAINS_AT_ONCE = 32
# Others' servers: several at a time, but never two connections to the same one.
_SERVERS_AT_ONCE = 16
_EXISTS = "dns.exists"


class BrokenChecks(Exception):
    """Report bugs of checks, after all others were made.

    ``errors``: one for each place in our code; ``report``: what the others found.
    """

    def __init__(self, errors: Sequence[Exception], report: Report) -> None:
        self.errors = tuple({_place(error): error for error in reversed(errors)}.values())
        self.report = report
        super().__init__(f"{len(errors)} checks broke: {self.errors[-1]!r}")


def _place(error: Exception) -> tuple[type[Exception], str]:
    """Return by what a bug is told from others: a thousand domains meet the same one."""
    return type(error), "".join(traceback.format_tb(error.__traceback__)[-1:])


@dataclass
class _Judged:
    """What checks found, and the bugs that some of them have: those must not hide what others find."""

    findings: list[Finding] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    def take(self, about: Subject | None, judged: _Judging) -> None:
        try:
            self.findings.extend(judged())
        except Exception as error:
            error.add_note(f"(while looking at {about.name if about else 'the hosts'})")
            self.errors.append(error)

    def add(self, other: "_Judged") -> None:
        self.findings += other.findings
        self.errors += other.errors


def run(asked: Asked, progress: Progress, groups: Groups = ALL) -> Report:
    """Make the checks that were asked for and return what they found.

    Raises SendwrightError if the resolver is silent, and BrokenChecks at the end when a check has a bug.
    """
    with _few_collections():
        return _run(asked, progress, groups)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Look for garbage less often: what a run makes it keeps, and looking took a fifth of its time."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _run(asked: Asked, progress: Progress, groups: Groups) -> Report:
    began, started = datetime.now(UTC), time.monotonic()
    progress(f"asking about {_counted(len(asked.targets), 'domain')}")
    work = _Run(asked, look_for(asked, began), progress, groups)
    alive = work.domains()
    probed = work.servers(alive)
    work.inside()
    report = Report(
        ordered(
            (finding for finding in work.judged.findings if finding.check in asked.wanted),
            [*(target.subject for target in asked.targets), *(server.subject for server in probed)],
        ),
        described(probed),
        str(asked.resolver),
        began,
        timedelta(seconds=time.monotonic() - started),
    )
    if work.judged.errors:
        raise BrokenChecks(work.judged.errors, report) from work.judged.errors[0]
    return report


def look_for(asked: Asked, now: datetime) -> Look:
    """Return the door to the world for a run, with what is asked first; SendwrightError if its resolver is silent."""
    dns = Dns(asked.resolver)
    # Only who declares a domain may have it looked at inside a network of his own.
    declared = asked.inventory is not None
    fetch = Once(Https(dns, asked.timeout, asked.trust, asked.own, anywhere=declared))
    at, ask = str(asked.resolver.address), Asking(asked.resolver, anywhere=declared)
    return Look(dns, ask, at, fetch, now, first.ask(asked.targets, asked.wanted, dns), asked.wanted)


@dataclass
class _Run:
    asked: Asked
    look: Look
    progress: Progress
    groups: Groups
    judged: _Judged = field(default_factory=_Judged)

    def domains(self) -> Sequence[Target]:
        """Judge domains, and return those that exist."""
        targets, chosen = self.asked.targets, self._chosen(self.groups.domains)
        work: list[tuple[Subject, tuple[_Judging, ...]]] = []
        for zone in self._chosen(self.groups.zone):
            begun = list(concurrently(partial(_begun, zone, self.look), targets, _DOMAINS_AT_ONCE))
            for _, (exists, _) in begun:
                self.judged.add(exists)
            there = {target.subject: rest for target, (exists, rest) in begun if not _gone(exists)}
            targets = tuple(target for target in targets if target.subject in there)
            work += [(subject, (partial(list, rest),)) for subject, rest in there.items()]
        for target in targets:
            judging = tuple(partial(bogus.once, group.checks, group.judge, target, self.look) for group in chosen)
            # One domain is judged by many at the same time, and many domains each by one.
            parts = [judging] if len(targets) > _DOMAINS_AT_ONCE else [(one,) for one in judging]
            work += [(target.subject, part) for part in parts]
        for _, found in concurrently(_taken, work, _DOMAINS_AT_ONCE):
            self.judged.add(found)
        return targets

    def servers(self, targets: Sequence[Target]) -> Sequence[Server]:
        """Speak to the servers of domains and judge them; return them."""
        if not self._chosen((*self.groups.spoken, *self.groups.servers)):
            return ()
        found = servers(targets, self.look)
        self.progress(f"looking at {_counted(len(found), 'server')}")
        for server, its in concurrently(self._server, found, _SERVERS_AT_ONCE):
            self.progress(f"{server.name}: looked at")
            self.judged.add(its)
        return found

    def inside(self) -> None:
        """Look at the hosts of an inventory from the inside."""
        if self.asked.hosts:
            for group in self._chosen(self.groups.inside):
                given = (self.asked.inventory, self.asked.targets, self.look, self.progress)
                self.judged.take(None, partial(group.judge, *given))

    def _server(self, server: Server) -> _Judged:
        judged, spoken = _Judged(), self._chosen(self.groups.spoken)

        def speak() -> Iterable[Finding]:
            talks: Sequence[Conversation] = ()
            if spoken:
                talks = self.groups.speak(server, self.asked.timeout, self._trust(server), self.asked.wanted)
            for group in (*spoken, *self._chosen(self.groups.servers)):
                judged.take(server.subject, partial(group.judge, server, talks, self.look))
            return ()

        judged.take(server.subject, speak)
        return judged

    def _trust(self, server: Server) -> Path | None:
        """Whoever names authorities means those; else what a private one issued is judged by its own roots."""
        issued = server.host is not None and isinstance(server.host.tls, AcmeTls)
        return self.asked.trust or (self.asked.own if issued else None)

    def _chosen(self, of: Iterable[Group]) -> Sequence[Group]:
        return [group for group in of if group.chosen(self.asked.wanted)]


def _begun(zone: Group, look: Look, target: Target) -> tuple[_Judged, Iterator[Finding]]:
    """Judge whether a domain exists, which comes first of all about its zone; and return the rest, not begun."""
    findings: Iterator[Finding] = iter(())
    exists = _Judged()

    def one() -> list[Finding]:
        nonlocal findings
        findings = iter(zone.judge(target, look))
        return [found] if (found := next(findings, None)) else []

    exists.take(target.subject, one)
    return exists, findings


def _gone(exists: _Judged) -> bool:
    return any(found.check == _EXISTS and found.status is Status.FAIL for found in exists.findings)


def _taken(work: tuple[Subject, Sequence[_Judging]]) -> _Judged:
    judged, (subject, judging) = _Judged(), work
    for judge in judging:
        judged.take(subject, judge)
    return judged


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
