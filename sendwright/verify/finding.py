"""What ``verify`` says: a finding is one check of one thing, and a report all of them. Plain frozen data."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Status(StrEnum):
    """What came of a check. ``unknown``: it cannot be told from here, and why is said."""

    FAIL = "fail"
    WARN = "warn"
    UNKNOWN = "unknown"
    PASS = "pass"  # noqa: S105 - a verdict, not a password


class Kind(StrEnum):
    """What findings are grouped by: a domain, a server that takes mail, or a host of the inventory."""

    DOMAIN = "domain"
    SERVER = "server"
    HOST = "host"


@dataclass(frozen=True, order=True)
class Subject:
    """What a group of findings is about. ``name``: of a domain, a server or a host, lower case, without a last dot."""

    kind: Kind
    name: str


@dataclass(frozen=True)
class Finding:
    """One check of one thing.

    ``check``: its stable name, a key of `catalogue.CHECKS`; ``target``: what exactly was looked at (a record's name, an
    ``address:port``), empty where it is the subject itself; ``seen``: what was seen, one sentence or value, raw from
    outside: it is hostile, and escaped by whoever prints it; ``advice``: what to do next, empty for a pass.
    """

    check: str
    subject: Subject
    status: Status
    seen: str
    advice: str = ""
    target: str = ""

    @property
    def identity(self) -> tuple[str, Kind, str, str]:
        """What stays the same from run to run: a baseline and a diff compare findings by it."""
        return (self.check, self.subject.kind, self.subject.name, self.target)


@dataclass(frozen=True)
class Check:
    """A rule that ``verify`` knows.

    ``name``: stable, ``group.rule``; ``rule``: the sentence that holds when it passes; ``why``: what happens to mail
    when it does not; ``reference``: the RFC and section; ``needs``: what it takes beyond DNS: "", "port 25", "HTTPS",
    "an inventory" or "--hosts"; ``others``: which other tools have it (`OTHERS`).
    """

    name: str
    rule: str
    why: str
    reference: str
    needs: str = ""
    others: frozenset[str] = frozenset()

    @property
    def group(self) -> str:
        """The part before the dot: ``spf`` of ``spf.lookups``."""
        return self.name.partition(".")[0]

    def passed(self, subject: Subject, seen: str, target: str = "") -> Finding:
        """Return that the rule holds."""
        return Finding(self.name, subject, Status.PASS, seen, "", target)

    def warned(self, subject: Subject, seen: str, advice: str, target: str = "") -> Finding:
        """Return that mail arrives, and that it could be better or soon worse."""
        return Finding(self.name, subject, Status.WARN, seen, advice, target)

    def failed(self, subject: Subject, seen: str, advice: str, target: str = "") -> Finding:
        """Return that the rule is broken: mail is lost, forged or read."""
        return Finding(self.name, subject, Status.FAIL, seen, advice, target)

    def unknown(self, subject: Subject, why: str, advice: str = "", target: str = "") -> Finding:
        """Return that it cannot be told from here, and why."""
        return Finding(self.name, subject, Status.UNKNOWN, why, advice, target)


OTHERS = {
    "internet.nl": "Internet.nl",
    "checkdmarc": "checkdmarc",
    "miab": "Mail-in-a-Box",
    "testssl": "testssl.sh",
    "sslyze": "sslyze",
}
"""The tools that the table in docs/verify.md compares with."""


def also(*tools: str) -> frozenset[str]:
    """Return which other tools have a check; KeyError for one that the table does not know."""
    return frozenset(tool for tool in tools if OTHERS[tool])


@dataclass(frozen=True)
class Report:
    """Everything that one run of ``verify`` found.

    ``findings``: in the order of subjects, then of the catalogue; ``described``: of some subjects, what they are for
    (``takes mail of example.com``); ``resolver``: who was asked, as ``address:port``; ``began`` in UTC.
    """

    findings: tuple[Finding, ...]
    described: tuple[tuple[Subject, str], ...]
    resolver: str
    began: datetime
    took: timedelta

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """Every subject that something was found about, in the order of the findings."""
        return tuple(dict.fromkeys(f.subject for f in self.findings))

    def failed(self, *, strict: bool = False) -> bool:
        """Return whether a check failed; ``strict``: a warning and what cannot be told fail too."""
        return any(f.status is Status.FAIL or (strict and f.status is not Status.PASS) for f in self.findings)
