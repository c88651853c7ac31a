"""A Service becomes pyinfra operations: the order in which a host is changed, so that dying anywhere is healed.

For a host: note that it is ours, forget what the daemons of changing services loaded (their stamps), install all
packages in one run with daemon starts held back. For each service: accounts, directories and files, what must not
be there, validation, units, loading, ports open, what nobody declared, and last the stamp.
"""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

from pyinfra import host
from pyinfra.api import FactBase, StringCommand, operation
from pyinfra.operations import server

from sendwright import needs
from sendwright.answer import parse
from sendwright.deploys import scripts
from sendwright.hostdiff import differing
from sendwright.needs import Load
from sendwright.observation import Observation
from sendwright.observe import Desired, script, units
from sendwright.service import Directory, File, Release, Running, Service

Commands = Generator[StringCommand, None, None]


@dataclass(frozen=True)
class Query:
    """What a fact asks for. Its text is long and says where secrets lie, so it shows itself nowhere."""

    text: str = field(repr=False)
    units: tuple[str, ...] = field(repr=False)


class HostState(FactBase[str]):
    """The answer to a `Query`, still unparsed; the script comes by standard input, as it may be long."""

    def command(self, query: Query) -> str:
        """Return the command that runs the script on standard input."""
        del query
        return 'eval "$(cat)"'


def look(desired: Desired) -> Observation:
    """Observe the current pyinfra host by one fact; HostError when the answer is none."""
    return parse(host.name, ask(script(desired), units(desired)), units(desired))


def ask(text: str, about: tuple[str, ...] = ()) -> bytes:
    """Run a script that changes nothing on the current pyinfra host, and return what it prints."""
    query = Query(text, about)
    answer: str | None = host.get_fact(HostState, query=query, _stdin=query.text)
    return (answer or "").encode()


def converge(services: tuple[Service, ...], observation: Observation, open_sealed: scripts.Open, adopt: bool) -> None:
    """Add the operations that bring a host to its desired state; none for services that are there already.

    Arguments: ``observation``: a fresh look at this host; ``open_sealed``: opens private files, each only while
    it is written; ``adopt``: back up the configuration of the mail server that was there before us.
    """
    work = differing(services, observation)
    if not (work or observation.held):
        return
    if adopt and not observation.managed:
        server.shell(name="Back up the configuration of the mail server that was here", commands=[scripts.back_up()])
    loads = {service.name: needs.load(service, observation) for service in work}
    forgotten = [service for service in work if _to_forget(service, observation, loads[service.name])]
    server.shell(
        name="Note that this host is changing",
        commands=[scripts.mark_managed(), *([scripts.withdraw_stamps(forgotten)] if forgotten else [])],
    )
    missing = tuple(dict.fromkeys(p for s in work for p in needs.packages(s, observation)))
    if missing or observation.held:
        packages(name=f"Install {', '.join(missing) or 'nothing more'}, without starting anything", wanted=missing)
    # Over all services, though few have work: under the stock command an operation's place is its line and its position
    # in loops, and hosts whose places differ in order have no common one.
    for service in host.loop(services):  # type: ignore[no-untyped-call]
        if service in work:
            _add_service(service, services, observation, open_sealed, loads[service.name])


def _to_forget(service: Service, observation: Observation, how: Load) -> bool:
    """Whether a run that dies would not be seen by the stamp: that of another configuration tells by itself.

    Without any the next run could only restart, and a signer that restarts refuses mail for a second.
    """
    return how is Load.RESTART or (how is Load.RELOAD and observation.stamps[service.name].digest == service.digest)


def _add_service(
    service: Service, services: tuple[Service, ...], observation: Observation, open_sealed: scripts.Open, how: Load
) -> None:
    _accounts(service, observation)
    if service.files or service.directories:
        tree(name=f"{service.name}: write its files", service=service, open_sealed=open_sealed)
    if service.absent:
        forbid(name=f"{service.name}: remove what must not be there", service=service)
    if how is not Load.NONE and service.validate:
        server.shell(name=f"{service.name}: validate its configuration", commands=[scripts.validate(service)])
    if any(unit.state is not Running.UP for unit in service.units):
        unit_states(name=f"{service.name}: stop what must not run", service=service, up=False)
    if how is not Load.NONE and service.reload_units:
        masked = [step.unit for step in needs.unit_steps(service, observation, True) if step.verb == "unmask"]
        commands = [
            *(scripts.unit_command("unmask", unit) for unit in masked),
            scripts.take_configuration(service, how),
        ]
        server.shell(name=f"{service.name}: {how} its daemons", commands=commands)
    if any(unit.state is Running.UP for unit in service.units):
        unit_states(name=f"{service.name}: start and enable its units", service=service, up=True)
    if service.listens:
        server.shell(name=f"{service.name}: wait until it listens", commands=[scripts.wait_for_ports(service.listens)])
    if any(d.exclusive for d in service.directories):
        # Not before: until they have loaded another table, daemons use the keys that go.
        clear(name=f"{service.name}: remove what nobody declared", service=service, services=services)
    if how is not Load.NONE:
        server.shell(name=f"{service.name}: note what it loaded", commands=[scripts.write_stamp(service)])


def _accounts(service: Service, observation: Observation) -> None:
    for user in host.loop(service.users):  # type: ignore[no-untyped-call]
        if user.name in needs.users(service, observation):
            server.shell(name=f"{service.name}: create user {user.name}", commands=[scripts.create_user(user)])
    for name, group in host.loop(needs.memberships(service, observation)):  # type: ignore[no-untyped-call]
        server.shell(name=f"{service.name}: {name} joins {group}", commands=[f"usermod -aG {group} {name}"])


@operation(is_idempotent=False)
def packages(wanted: tuple[str, ...]) -> Commands:
    """Install packages in one run of apt with daemon starts held back; heal an interrupted one."""
    yield StringCommand(scripts.install_packages(wanted))


@operation()
def tree(service: Service, open_sealed: scripts.Open) -> Commands:
    """Write the directories and files of a service that differ, in one command; contents travel by standard input."""
    seen = _look_at(service)
    directories, files = needs.directories(service, seen), needs.files(service, seen)
    both: list[File | Directory] = [*directories, *files]
    if both:
        yield StringCommand(scripts.install_tree(both), _stdin=scripts.bundle(directories, files, open_sealed))


@operation()
def forbid(service: Service) -> Commands:
    """Remove what a service forbids."""
    yield from _remove(needs.removals(service, _look_at(service)))


@operation()
def clear(service: Service, services: tuple[Service, ...]) -> Commands:
    """Remove what nobody declared in a service's exclusive directories."""
    yield from _remove(stray.path for stray in needs.strays(service, services, _look_at(service)))


def _remove(paths: Iterable[str]) -> Commands:
    if gone := tuple(paths):
        yield StringCommand(scripts.remove(), _stdin=scripts.paths_to_remove(gone))


@operation()
def unit_states(service: Service, up: bool) -> Commands:
    """Bring the units of a service that should (or should not) be up to their state."""
    for step in needs.unit_steps(service, _look_at(service), up):
        yield StringCommand(scripts.unit_command(step.verb, step.unit))


def _look_at(service: Service) -> Observation:
    # Either release's services are the same here: which one the host runs was decided before.
    return look(dict.fromkeys(Release, (service,)))
