"""One host as it was found, beside what it should be: what the checks of hosts judge. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from sendwright.deploys import renewed
from sendwright.deploys.material import Material
from sendwright.deploys.submission import opened
from sendwright.observation import Observation
from sendwright.preflight import Outbound
from sendwright.service import Service
from sendwright.stack import Host, Stack
from sendwright.state.model import Certificate, State
from sendwright.verify.finding import Check, Finding, Kind, Status, Subject
from sendwright.verify.inside.look import Inside
from sendwright.verify.look import Answer

_MOST_TROUBLES = 10
_MOST_SEEN = 300


@dataclass(frozen=True)
class Facts:
    """What was found on a host.

    ``services``: what it should run; ``began`` and ``ended``: this machine's clock before and after the host said its
    own; ``names``: what DNS says of A and AAAA at its name; ``foreign``: why it follows another state folder, or empty;
    ``outbound``: whether it reaches port 25 of others; ``hindered``: why it could not renew its certificate by itself.
    """

    stack: Stack
    state: State
    host: Host
    services: tuple[Service, ...]
    observation: Observation
    inside: Inside
    began: datetime
    ended: datetime
    names: tuple[Answer, ...] = ()
    foreign: str = ""
    outbound: Outbound = Outbound.UNKNOWN
    hindered: renewed.Trouble | None = None

    @property
    def subject(self) -> Subject:
        """What its findings are grouped by."""
        return of_host(self.host)

    @cached_property
    def certificate(self) -> Certificate | None:
        """The certificate that the state folder has for it."""
        return self.state.certificate_of(self.host.name)

    @cached_property
    def submission(self) -> bool:
        """Whether it should take submission: it is active, and a domain of its has proven keys there."""
        return takes_submission(self.stack, self.state, self.host)

    def service(self, name: str) -> Service:
        """Return what should run under a name; nothing for one that should not."""
        return next((s for s in self.services if s.name == name), Service(name))


def of_host(host: Host) -> Subject:
    """Return what findings about a host are grouped by."""
    return Subject(Kind.HOST, host.name)


def takes_submission(stack: Stack, state: State, host: Host) -> bool:
    """Return whether a host should take submission; never one without a certificate."""
    certificate = state.certificate_of(host.name)
    return certificate is not None and opened(stack, host, Material.of(host, certificate, state))


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong with a host; ``target``: which of several, distinct within a check."""

    seen: str
    advice: str
    target: str = ""
    status: Status = Status.FAIL


def told(check: Check, facts: Facts, troubles: Iterable[Trouble], fine: str) -> Iterator[Finding]:
    """Yield a finding for each trouble, the worst first and not too many; without any, that the rule holds.

    Arguments: ``fine``: what was seen where all is well.
    """
    found = sorted(troubles, key=lambda trouble: list(Status).index(trouble.status))
    if not found:
        yield check.passed(facts.subject, fine)
    for at, trouble in enumerate(found[:_MOST_TROUBLES], 1):
        more = len(found) - at if at == _MOST_TROUBLES else 0
        seen = trouble.seen[:_MOST_SEEN] + (f" (and {more} more)" if more else "")
        yield Finding(check.name, facts.subject, trouble.status, seen, trouble.advice, trouble.target)


def converge(facts: Facts) -> str:
    """Return the words of who should bring the host to what it should be."""
    return f"`sendwright provision INVENTORY --limit {facts.host.name}`"


def bare(services: tuple[Service, ...]) -> tuple[Service, ...]:
    """Return services by what lies on a disk only: nothing of daemons."""
    return tuple(replace(s, units=(), reload_units=(), validate=(), listens=()) for s in services)
