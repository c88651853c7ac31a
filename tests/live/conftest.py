"""Checks of living hosts: ``pytest tests/live --inventory PATH`` (docs/live-checks.md). They change nothing.

Each check runs once for each host of the inventory and carries its name: ``-k mx1.example.com`` chooses one.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from testinfra.host import Host as Asked

from sendwright import live, planning
from sendwright.deploys.probe import Smtp
from sendwright.errors import SendwrightError
from sendwright.inventory import Inventory, load
from sendwright.service import Release, Service
from sendwright.stack import Host
from sendwright.state.folder import StateFolder
from sendwright.state.model import State
from sendwright.verify.asking.resolving import Dns, resolver_at
from sendwright.verify.inside import check as inside
from sendwright.verify.inside.facts import Facts, takes_submission


@cache
def read(path: Path | None) -> Inventory:
    """Read the inventory once; its mistakes are bad usage, as on the command line."""
    if path is None:
        raise pytest.UsageError("These checks look at living hosts: pytest tests/live --inventory PATH")
    try:
        return load(path)
    except SendwrightError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse to start without an inventory that can be read: one sentence, not one for each file."""
    read(session.config.getoption("--inventory"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each check for each host."""
    if "name" in metafunc.fixturenames:
        names = [host.name for host in read(metafunc.config.getoption("--inventory")).stack.hosts]
        metafunc.parametrize("name", names, scope="session")


@pytest.fixture(scope="session")
def inventory(request: pytest.FixtureRequest) -> Inventory:
    """The inventory that the command line names."""
    return read(request.config.getoption("--inventory"))


@pytest.fixture(scope="session")
def state(inventory: Inventory) -> State:
    """What was remembered when the hosts were provisioned; needs no passphrase."""
    return StateFolder.of(inventory).load()


@pytest.fixture(scope="session")
def declared(inventory: Inventory, name: str) -> Host:
    """The host as the inventory declares it."""
    return inventory.stack.host(name)


@pytest.fixture(scope="session")
def host(inventory: Inventory, declared: Host) -> Iterator[Asked]:
    """The host itself, for testinfra to ask."""
    # What goes wrong with a connection is said once, in words; paramiko would log its traceback as well.
    logging.getLogger("paramiko").propagate = False
    try:
        with live.connect(declared, inventory.folder) as asked:
            yield asked
    except SendwrightError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def services(host: Asked, inventory: Inventory, declared: Host, state: State) -> Mapping[str, Service]:
    """What should run on the host, by name, as `provision` would bring it there."""
    release = Release(host.check_output('. /etc/os-release && echo "$VERSION_ID"'))
    return {s.name: s for s in planning.services(inventory.stack, declared, release, state)}


@pytest.fixture(scope="session")
def facts(host: Asked, inventory: Inventory, declared: Host, state: State) -> Facts:
    """What was found on the host: what its checks judge."""
    known = inside.Known(inventory.stack, state, StateFolder.of(inventory).lineage())
    names = Dns(resolver_at(None)).ask_all([(declared.name, kind) for kind in ("A", "AAAA")])
    try:
        looked = inside.look_at(live.Asking(host, declared), known, inside.now)
    except SendwrightError as error:
        pytest.fail(str(error), pytrace=False)
    found = inside.facts_of(known, declared, looked, names)
    if found is None:
        pytest.fail(f"{declared.name}: {inside.unfit(declared, looked.observation).seen}", pytrace=False)
    return found


@pytest.fixture(scope="session")
def submission(inventory: Inventory, declared: Host, state: State) -> bool:
    """Whether the host should take submission: it is active, and a domain of its has proven keys there."""
    return takes_submission(inventory.stack, state, declared)


@pytest.fixture(scope="session")
def smtp(host: Asked, declared: Host) -> Callable[[int], Smtp]:
    """Ask the host's SMTP service at a port what it offers."""

    @cache
    def ask(port: int) -> Smtp:
        try:
            return live.smtp(host, declared, port)
        except SendwrightError as error:
            pytest.fail(str(error), pytrace=False)

    return ask


@pytest.fixture(scope="session")
def postconf(host: Asked) -> Mapping[str, str]:
    """Every setting of Postfix."""
    lines = host.check_output("postconf").splitlines()
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
