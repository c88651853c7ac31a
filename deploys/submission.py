"""Who may submit, and as whom: pure, so that "nobody sends as a domain that is not live" can be tested."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sendwright.deploys.material import Material
from sendwright.signing import live
from sendwright.stack import Domain, Host, HostState, Stack
from sendwright.state.model import User


@dataclass(frozen=True)
class Rights:
    """What a login may send as on a host: ``now``, and ``later``, once a declared domain's RSA key is proven there.

    Both hold domains and whole addresses; a domain stands for its own addresses, never for those of names below it.
    """

    login: str
    now: tuple[str, ...]
    later: tuple[str, ...]


def opened(stack: Stack, host: Host, material: Material) -> bool:
    """Return whether a host takes submission: it is active, and at least one domain's mail would leave it signed."""
    return host.state is HostState.ACTIVE and bool(live(stack, host, material.keys))


def may_leave(stack: Stack, host: Host, material: Material) -> bool:
    """Return whether mail may leave a host at all; a draining one still empties its queue."""
    return bool(live(stack, host, material.keys))


def rights(stack: Stack, host: Host, material: Material) -> tuple[Rights, ...]:
    """Return what each login may send as on a host, logins in order."""
    alive = _names(live(stack, host, material.keys))
    waiting = _names(stack.domains_of(host)) - alive
    return tuple(
        Rights(user.login, _at(user, alive), _at(user, waiting)) for user in sorted(material.users, key=_login)
    )


def owners(found: Iterable[Rights]) -> Mapping[str, tuple[str, ...]]:
    """Return Postfix's view (``smtpd_sender_login_maps``): each ``address`` and ``@domain`` with its logins.

    Postfix takes the first entry that it finds, so an address also lists the logins that own its whole domain.
    """
    found = tuple(found)
    senders = sorted({s for r in found for s in r.now})
    return {
        (sender if "@" in sender else f"@{sender}"): tuple(
            r.login for r in found if {sender, sender.rpartition("@")[2]} & set(r.now)
        )
        for sender in senders
    }


def _names(domains: Iterable[Domain]) -> set[str]:
    return {d.name for d in domains}


def _at(user: User, domains: set[str]) -> tuple[str, ...]:
    return tuple(sorted(s for s in set(user.send_as) if s.rpartition("@")[2] in domains))


def _login(user: User) -> str:
    return user.login
