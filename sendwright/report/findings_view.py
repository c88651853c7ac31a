"""Findings in the order and in the groups in which people are told of them; every form of the report begins here."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sendwright.escape import printable
from sendwright.verify.catalogue import CHECKS
from sendwright.verify.finding import Check, Finding, Kind, Report, Status, Subject

WORST_FIRST = (Status.FAIL, Status.WARN, Status.UNKNOWN, Status.PASS)
_RANK = {status: rank for rank, status in enumerate(WORST_FIRST)}
_POSITION = {name: place for place, name in enumerate(CHECKS)}
# With more domains than a person reads one by one, findings are told by check instead of by domain.
_FEW = 10
# A sentence of a check is bounded by itself; this is for the one that forgot.
_LONGEST = 2_000


@dataclass(frozen=True)
class View:
    """How a report is looked at.

    ``accepted``: findings that a baseline knows; ``broken``: a check has a bug, so that what it would find is missing;
    ``strict``: warnings and what cannot be told fail too; ``every``: show what is right as well; ``width`` of a line of
    text, in characters; ``places``: of a subject's name, the file and the line (from 1) that declare it.
    """

    accepted: frozenset[Finding] = frozenset()
    broken: bool = False
    strict: bool = False
    every: bool = False
    width: int = 100
    places: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    def fails(self, finding: Finding) -> bool:
        """Return whether the run fails because of a finding."""
        bad = finding.status is Status.FAIL or (self.strict and finding.status is not Status.PASS)
        return bad and not self.accepts(finding)

    def accepts(self, finding: Finding) -> bool:
        """Return whether a baseline knows a finding."""
        return bool(self.accepted) and finding in self.accepted  # nearly always there is none: nothing is hashed then

    def failed(self, report: Report) -> bool:
        """Return whether the run fails: a check does or is broken, or none applies: that proves nothing."""
        return self.broken or not report.findings or any(map(self.fails, report.findings))

    def open(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return what is not right and not accepted, worst first."""
        return ordered(f for f in findings if f.status is not Status.PASS and not self.accepts(f))

    def known(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return what is accepted, worst first."""
        return ordered(filter(self.accepts, findings))


@dataclass(frozen=True)
class Alike:
    """Findings of one check that say the same, but for the names of what they are about. Never empty."""

    findings: tuple[Finding, ...]

    @property
    def check(self) -> Check:
        """The rule that they are about."""
        return CHECKS[self.findings[0].check]

    @property
    def status(self) -> Status:
        """What came of it."""
        return self.findings[0].status

    @property
    def seen(self) -> str:
        """What was seen, as of the first one."""
        return one_line(self.findings[0].seen)

    @property
    def advice(self) -> str:
        """What to do, as of the first one."""
        return one_line(self.findings[0].advice)

    @property
    def remedy(self) -> str:
        """What to do without the names that are the first one's own: the same for findings mended the same way."""
        return _nameless(self.findings[0].advice, self.findings[0])

    @property
    def names(self) -> tuple[str, ...]:
        """The names of what they are about, each once."""
        return tuple(dict.fromkeys(one_line(f.subject.name) for f in self.findings))

    @property
    def targets(self) -> tuple[str, ...]:
        """What exactly was looked at, each once, without what is the subject itself."""
        found = dict.fromkeys(one_line(f.target) for f in self.findings if f.target and f.target != f.subject.name)
        return tuple(found)


@dataclass(frozen=True)
class Part:
    """What was found about one subject: ``wrong`` in groups, ``passes`` what is right, ``known`` what is accepted."""

    subject: Subject
    described: str
    wrong: tuple[Alike, ...]
    passes: tuple[Finding, ...]
    known: tuple[Finding, ...]
    counts: Mapping[Status, int]

    @property
    def right(self) -> tuple[Alike, ...]:
        """What is right, in groups."""
        return alike(ordered(self.passes))

    @property
    def name(self) -> str:
        """Its name, fit to be shown."""
        return one_line(self.subject.name)


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings worst first, then in the order of the catalogue, of subjects and of targets."""
    return tuple(sorted(findings, key=_place))


def _place(finding: Finding) -> tuple[object, ...]:
    subject = finding.subject
    return _RANK[finding.status], _POSITION[finding.check], subject.kind, subject.name, finding.target, finding.seen


def alike(findings: Iterable[Finding]) -> tuple[Alike, ...]:
    """Return findings in groups that say the same, in the order of their first ones."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for f in findings:
        groups.setdefault((f.check, f.status, _nameless(f.seen, f), _nameless(f.advice, f)), []).append(f)
    return tuple(Alike(tuple(group)) for group in groups.values())


def by_check(groups: Iterable[Alike]) -> tuple[tuple[Alike, ...], ...]:
    """Return groups of one check and one status together, the widest first; worst first, in the catalogue's order."""
    found: dict[tuple[Status, str], list[Alike]] = {}
    for group in groups:
        found.setdefault((group.status, group.check.name), []).append(group)
    return tuple(tuple(sorted(topic, key=lambda g: -len(g.names))) for topic in found.values())


def ways(topic: Sequence[Alike]) -> Iterator[tuple[Alike, str]]:
    """Yield each group with what to do about it; empty where a group before it is mended the same way."""
    told = set[str]()
    for group in topic:
        yield group, "" if group.remedy in told else group.advice
        told.add(group.remedy)


def parts(report: Report, view: View) -> tuple[Part, ...]:
    """Return what was found by subject: those with the worst findings first, else in the order of the report."""
    described = dict(report.described)
    found = [_part(subject, described.get(subject, ""), same, view) for subject, same in of_subjects(report).items()]
    return tuple(sorted(found, key=lambda p: [-sum(g.status is status for g in p.wrong) for status in WORST_FIRST]))


def of_subjects(report: Report) -> dict[Subject, list[Finding]]:
    """Return the findings of each subject, in the order of the report."""
    of: dict[Subject, list[Finding]] = {}
    for finding in report.findings:
        of.setdefault(finding.subject, []).append(finding)
    return of


def _part(subject: Subject, described: str, findings: Sequence[Finding], view: View) -> Part:
    passes = tuple(f for f in findings if f.status is Status.PASS)
    wrong = view.open(findings)
    counts = counted((*wrong, *passes))
    return Part(subject, one_line(described), alike(wrong), passes, view.known(findings), counts)


def counted(findings: Iterable[Finding]) -> dict[Status, int]:
    """Return how many findings have each status."""
    counts = Counter(f.status for f in findings)
    return {status: counts[status] for status in WORST_FIRST}


def many(report: Report) -> bool:
    """Return whether there are too many domains to be read one by one."""
    return sum(subject.kind is Kind.DOMAIN for subject in report.subjects) > _FEW


def kinds(subjects: Iterable[Subject]) -> str:
    """Return how many of each kind there are: ``3 domains, 1 server``."""
    counts = Counter(subject.kind for subject in subjects)
    return ", ".join(number(counts[kind], kind.value) for kind in Kind if counts[kind])


def whom(groups: Iterable[Alike]) -> str:
    """Return how many of each kind groups are about."""
    return kinds(dict.fromkeys(f.subject for group in groups for f in group.findings))


def number(count: int, noun: str) -> str:
    """Return a number with its noun: ``1 domain``, ``2,000 domains``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def tally(counts: Mapping[Status, int], accepted: int = 0) -> str:
    """Return counts as a sentence's end: ``2 fail, 1 warning, 31 right``."""
    told = [
        (counts[Status.FAIL], f"{counts[Status.FAIL]:,} fail{'s' * (counts[Status.FAIL] == 1)}"),
        (counts[Status.WARN], number(counts[Status.WARN], "warning")),
        (counts[Status.UNKNOWN], f"{counts[Status.UNKNOWN]:,} cannot be told"),
        (counts[Status.PASS], f"{counts[Status.PASS]:,} right"),
        (accepted, f"{accepted:,} accepted"),
    ]
    return ", ".join(words for count, words in told if count)


def verdict(report: Report, view: View) -> str:
    """Return what came of the run in one word or two."""
    if not report.findings:
        return "NOTHING CHECKED"
    return "FAILED" if view.failed(report) else "PASSED"


def one_line(text: str) -> str:
    """Return text from outside as one line that is safe to show and not without end."""
    shown = printable(" ".join(text[: 2 * _LONGEST].split()))
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def _nameless(text: str, finding: Finding) -> str:
    """Return a sentence without the names that are this finding's own."""
    # A target may be made of names: ns1.example.com (192.0.2.1).
    words = (word.strip("()") for word in finding.target.split())
    names = {finding.subject.name, finding.target, *(word for word in words if "." in word or ":" in word)}
    for own in sorted(names - {""}, key=len, reverse=True):
        text = text.replace(own, "\0")
    return text
