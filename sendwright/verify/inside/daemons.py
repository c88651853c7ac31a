"""What runs on a host, and whether it runs with what lies there. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sendwright import needs
from sendwright.deploys.dovecot import SASL_PATH
from sendwright.deploys.guard import SOCKET as GUARD_SOCKET
from sendwright.deploys.guard import USER as GUARD
from sendwright.deploys.opendkim import sockets
from sendwright.deploys.outbound import MAP
from sendwright.deploys.outbound import USER as POLICY_USER
from sendwright.observation import Observation
from sendwright.observe import POLICY
from sendwright.service import Sealed, Service
from sendwright.verify.finding import Finding
from sendwright.verify.inside.facts import Facts, Trouble, converge, told
from sendwright.verify.rules import hosts as rules

_SPOOL = "/var/spool/postfix"


@dataclass(frozen=True)
class _Daemon:
    """Processes that have to run: ``command`` empty for whatever a user runs."""

    name: str
    user: str
    command: str
    unit: str
    many: int = 1


def daemons(facts: Facts) -> Iterator[Finding]:
    """Judge by processes, by the sockets that Postfix speaks to, and by units: each alone can deceive."""
    wanted = _wanted(facts)
    troubles = [*_missing(facts, wanted), *_deaf(facts), *_units(facts), *_held(facts.observation)]
    running = ", ".join(daemon.name if daemon.many == 1 else f"{daemon.many} {daemon.name}" for daemon in wanted)
    yield from told(rules.DAEMONS, facts, troubles, f"{running} run, and every unit is in its state")


def _wanted(facts: Facts) -> tuple[_Daemon, ...]:
    postfix = next(iter(facts.service("postfix").reload_units), "postfix.service")
    signers = facts.service("opendkim").reload_units
    return (
        _Daemon("Postfix's master", "root", "master", postfix),
        _Daemon("Postfix's queue manager", "postfix", "qmgr", postfix),
        _Daemon("signers", "opendkim", "opendkim", " ".join(signers), len(signers)),
        _Daemon("the sender guard", GUARD, "", "sendwright-guard.service"),
        _Daemon("Dovecot", "root", "dovecot", "dovecot.service"),
        _Daemon("the resolver", "unbound", "unbound", "unbound.service"),
        _Daemon("the TLS policy of destinations", POLICY_USER, "", "sendwright-tlspolicy.service"),
        *(_Daemon("the web server", "root", "nginx", unit) for unit in facts.service("web").reload_units),
    )


def _missing(facts: Facts, wanted: tuple[_Daemon, ...]) -> Iterator[Trouble]:
    for daemon in wanted:
        found = sum(
            many
            for (user, command), many in facts.inside.processes.items()
            if user == daemon.user and daemon.command in {"", command}
        )
        if found < daemon.many:
            seen = f"{daemon.name}: {found} of {daemon.many} processes run"
            advice = f"See `systemctl status {daemon.unit}` on it; {converge(facts)} starts what is down."
            yield Trouble(seen, advice, f"process {daemon.command or daemon.user}")
        elif found > daemon.many:
            seen = f"{daemon.name}: {found} processes run, and {daemon.many} should"
            advice = f"Find out who started the other, and stop it: `ps -u {daemon.user}`."
            yield Trouble(seen, advice, f"process {daemon.command or daemon.user}")


def _deaf(facts: Facts) -> Iterator[Trouble]:
    relative = [
        SASL_PATH,
        MAP.split(":")[2],
        *(name.removeprefix("unix:") for name in (GUARD_SOCKET, *sockets(facts.stack, facts.host))),
    ]
    for path in (f"{_SPOOL}/{name}" for name in relative):
        if path not in facts.inside.sockets:
            seen = f"nobody listens on {path}, where Postfix asks"
            yield Trouble(seen, f"Restart whoever should; {converge(facts)} does.", path)


def _units(facts: Facts) -> Iterator[Trouble]:
    for service in facts.services:
        for up in (False, True):
            for step in needs.unit_steps(service, facts.observation, up):
                yield Trouble(
                    f"{step.unit}: {step.why}", f"`systemctl {step.verb} {step.unit}`, or {converge(facts)}.", step.unit
                )


def _held(observation: Observation) -> Iterator[Trouble]:
    if observation.held:
        seen = "an interrupted run holds daemon starts back: none would come up by itself after an upgrade"
        yield Trouble(seen, "Run `sendwright provision` again: it goes on and removes this.", POLICY)


def loaded(facts: Facts) -> Iterator[Finding]:
    """Judge by what each daemon noted when it loaded, and by when its files changed since."""
    stamped = [s for s in facts.services if s.reload_units]
    troubles = [trouble for service in stamped for trouble in _stale(facts, service)]
    yield from told(rules.LOADED, facts, troubles, f"{len(stamped)} daemons run with what lies on disk")


def _stale(facts: Facts, service: Service) -> Iterator[Trouble]:
    seen, lies = facts.observation, as_it_lies(service, facts.observation)
    if not needs.stale(lies, seen):
        return
    stamp = seen.stamps.get(service.name)
    why = "its files were changed after it had loaded them"
    if stamp is None:
        why = "nobody knows which configuration it runs with"
    elif stamp.digest != lies.digest:
        why = "what it noted when it loaded is not what lies on disk"
    # Not by hand: a reload would make whatever lies there hold, and would note nothing.
    advice = f"{converge(facts)} has it load what should lie there."
    yield Trouble(f"{service.name}: {why}", advice, service.name)


def as_it_lies(service: Service, seen: Observation) -> Service:
    """Return a service with the files that lie on the host in the place of those that should."""
    digests = {path: state.sha256 or "" for path, state in seen.paths.items()}
    return replace(service, files=tuple(replace(f, content=Sealed("", digests.get(f.path, ""))) for f in service.files))
