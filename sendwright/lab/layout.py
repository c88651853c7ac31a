"""Which machines a lab consists of; pure: nothing is looked at."""

from sendwright.lab.inbox import Inbox
from sendwright.lab.machine import Machine
from sendwright.lab.spec import AUTHORITY, DANE_SENDER, HOME, INBOX, PRIMARY, RESOLVER, SECONDARY, STS_SENDER
from sendwright.lab.state import State

_DNS, _MAIL, _FIRST_HOST = 1, 2, 3


def world(state: State) -> Machine:
    """Return the machine that serves DNS, and whatever else the world has besides the inbox."""
    addresses = (*PRIMARY, *SECONDARY, *RESOLVER, *AUTHORITY, *DANE_SENDER, *STS_SENDER)
    return _machine(state, _DNS, f"dns.{HOME}", addresses)


def inbox(state: State) -> Inbox:
    """Return the receiving server."""
    domain = state.spec.inbox_domain
    return Inbox(domain, _machine(state, _MAIL, f"mx.{domain}", INBOX))


def hosts(state: State) -> tuple[Machine, ...]:
    """Return the hosts' machines, in the order of the specification."""
    numbered = enumerate(state.spec.hosts, _FIRST_HOST)
    return tuple(_machine(state, number, host.name, host.addresses) for number, host in numbered)


def machines(state: State) -> tuple[Machine, ...]:
    """Return every machine of a lab."""
    return (world(state), inbox(state).machine, *hosts(state))


def _machine(state: State, number: int, name: str, addresses: tuple[str, ...]) -> Machine:
    return Machine(state.spec.name, number, name, addresses, state.disks / str(number))
