"""Which module judges which checks. What is chosen decides which of them run, and are even imported."""

import socket
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from sendwright.names import domain_name
from sendwright.verify.catalogue import OF_MODULE
from sendwright.verify.finding import Check, Finding
from sendwright.verify.look import Look
from sendwright.verify.rules.blocklist import ADDRESS, DOMAIN
from sendwright.verify.speaking.conversation import Conversation
from sendwright.verify.target import Server

Judge = Callable[..., Iterable[Finding]]
Speak = Callable[[Server, float, Path | None, frozenset[str]], Sequence[Conversation]]


@dataclass(frozen=True)
class Group:
    """Checks that one function judges."""

    checks: tuple[Check, ...]
    judge: Judge

    def chosen(self, wanted: Collection[str]) -> bool:
        """Whether one of its checks is wanted."""
        return any(check.name in wanted for check in self.checks)


@dataclass(frozen=True)
class Groups:
    """All of them, by what their functions are given.

    ``zone``: (target, look), and its first finding is whether the domain exists; ``domains``: the same; ``spoken`` and
    ``servers``: (server, conversations, look), the latter need no conversation; ``inside``: (inventory, targets, look,
    report); ``speak`` gets the conversations.
    """

    zone: tuple[Group, ...]
    domains: tuple[Group, ...]
    spoken: tuple[Group, ...]
    servers: tuple[Group, ...]
    inside: tuple[Group, ...]
    speak: Speak


def _group(module: str, checks: Iterable[Check] | None = None) -> Group:
    def judge(*given: object) -> Iterable[Finding]:
        found: Iterable[Finding] = import_module(f"sendwright.verify.{module}").check(*given)
        return found

    return Group(OF_MODULE[module] if checks is None else tuple(checks), judge)


def _listed(server: Server, talks: Sequence[Conversation], look: Look) -> Iterable[Finding]:
    found: Iterable[Finding] = import_module("sendwright.verify.blocklist").check_server(server, talks, look)
    return found


def _spoken(server: Server, timeout: float, trust: Path | None, wanted: frozenset[str]) -> Sequence[Conversation]:
    talk: Callable[..., Sequence[Conversation]] = import_module("sendwright.verify.speaking.speak").speak
    return talk(server, timeout=timeout, trust=trust, wanted=wanted, helo=helo())


def helo() -> str:
    """Return what this machine calls itself to mail servers, or nothing if it has no whole name.

    Then it introduces itself by the address that it speaks from (RFC 5321, 4.1.4): another one would be a lie.
    """
    try:
        return domain_name(socket.gethostname())
    except ValueError:
        return ""


_INSIDE = "--hosts"
ALL = Groups(
    zone=(_group("zone"),),
    domains=(
        _group("mx"),
        _group("spf"),
        _group("dkim", (check for check in OF_MODULE["dkim"] if check.needs != _INSIDE)),
        _group("dmarc"),
        _group("mta_sts"),
        _group("tls_rpt"),
        _group("bimi"),
        _group("blocklist", (DOMAIN,)),
    ),
    spoken=(_group("tls"), _group("dane"), _group("behaviour")),
    servers=(_group("ptr"), Group((ADDRESS,), _listed)),
    inside=(
        _group("inside.check", (check for checks in OF_MODULE.values() for check in checks if check.needs == _INSIDE)),
    ),
    speak=_spoken,
)
