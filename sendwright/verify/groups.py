"""Which module judges which checks. What is chosen decides which of them run, and are even imported."""

import socket
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from sendwright.names import domain_name
from sendwright.verify.finding import Check, Finding
from sendwright.verify.look import Look
from sendwright.verify.rules import (
    behaviour,
    bimi,
    blocklist,
    dane,
    dkim,
    dmarc,
    hosts,
    mta_sts,
    mx,
    ptr,
    spf,
    tls,
    tls_rpt,
    zone,
)
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


def _group(module: str, checks: Iterable[Check]) -> Group:
    def judge(*given: object) -> Iterable[Finding]:
        found: Iterable[Finding] = import_module(f"sendwright.verify.{module}").check(*given)
        return found

    return Group(tuple(checks), judge)


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


ALL = Groups(
    zone=(_group("zone", zone.CHECKS),),
    domains=(
        _group("mx", mx.CHECKS),
        _group("spf", spf.CHECKS),
        _group("dkim", (check for check in dkim.CHECKS if check.needs != "--hosts")),
        _group("dmarc", dmarc.CHECKS),
        _group("mta_sts", mta_sts.CHECKS),
        _group("tls_rpt", tls_rpt.CHECKS),
        _group("bimi", bimi.CHECKS),
        _group("blocklist", (blocklist.DOMAIN,)),
    ),
    spoken=(_group("tls", tls.CHECKS), _group("dane", dane.CHECKS), _group("behaviour", behaviour.CHECKS)),
    servers=(_group("ptr", ptr.CHECKS), Group((blocklist.ADDRESS,), _listed)),
    inside=(_group("inside.check", (*hosts.CHECKS, *(check for check in dkim.CHECKS if check.needs == "--hosts"))),),
    speak=_spoken,
)
