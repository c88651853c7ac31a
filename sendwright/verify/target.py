"""What is verified: a domain of anybody, one that an inventory declares, a server that takes mail, a host."""

from dataclasses import dataclass
from functools import cached_property

from sendwright.domain import Domain
from sendwright.stack import Address, Host, Stack
from sendwright.state.model import DkimKey, State
from sendwright.verify.finding import Kind, Subject


@dataclass(frozen=True)
class Declared:
    """What an inventory and its state folder say of a domain: what is found is compared with it."""

    stack: Stack
    state: State
    domain: Domain

    @cached_property
    def keys(self) -> tuple[DkimKey, ...]:
        """Every story of the domain's keys, those that ended too; the state holds those of thousands."""
        return tuple(key for key in self.state.keys if key.domain == self.domain.name)


@dataclass(frozen=True)
class Target:
    """A domain. ``selectors``: those that a person named; ``declared`` None: a domain of which nothing is known."""

    domain: str
    selectors: tuple[str, ...] = ()
    declared: Declared | None = None

    @property
    def subject(self) -> Subject:
        """What its findings are grouped by."""
        return Subject(Kind.DOMAIN, self.domain)


@dataclass(frozen=True)
class Server:
    """A server by its name: the MX of domains, where people submit, or both.

    ``addresses``: every one that its name leads to; ``takes``: the domains whose MX it is, sorted; ``submits``: ports
    where mail programs are sent to (587, 465), by SRV or by the inventory; ``host``: as the inventory declares it, else
    None, and ``stack`` and ``state`` with it.
    """

    name: str
    addresses: tuple[Address, ...]
    takes: tuple[str, ...] = ()
    submits: tuple[int, ...] = ()
    host: Host | None = None
    stack: Stack | None = None
    state: State | None = None

    @property
    def subject(self) -> Subject:
        """What its findings are grouped by."""
        return Subject(Kind.SERVER, self.name)

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that are probed: 25 of one that takes mail or is declared, and those of submission."""
        return ((25,) if self.takes or self.host else ()) + self.submits
