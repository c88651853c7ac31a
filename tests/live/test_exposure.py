"""What the world can reach of a host is what was meant, and nothing else of ours."""

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address

import pytest
from testinfra.host import Host as Asked

from sendwright.live import Smtp
from sendwright.service import Service

OURS = {"master", "smtpd", "unbound", "dovecot", "anvil", "auth", "opendkim"}
_LISTENER = re.compile(r"\S+\s+\S+\s+\S+\s+(\S+):(\d+)\s+\S+\s+users:\((.*)\)")


def listening(host: Asked, kind: str) -> set[tuple[str, int]]:
    """Return the addresses and ports where daemons of ours listen."""
    found = set()
    for line in host.check_output(f"ss -Hln{kind}p").splitlines():
        match = _LISTENER.match(line)
        if match and OURS & set(re.findall(r'\("([^"]+)"', match[3])):
            address = match[1].strip("[]").partition("%")[0]
            found.add(("::" if address == "*" else address, int(match[2])))
    return found


def test_the_mail_ports_are_open_and_no_other_of_ours(host: Asked, submission: bool) -> None:
    """25 for what a sender must receive, 587 and 465 for submission once a domain may send."""
    exposed = {port for address, port in listening(host, "t") if not ip_address(address).is_loopback}

    assert exposed == ({25, 465, 587} if submission else {25})


def test_the_resolver_answers_this_host_only(host: Asked) -> None:
    """An open resolver is an amplifier for others (RFC 5358)."""
    asked_at = {address for address, port in listening(host, "t") | listening(host, "u") if port == 53}

    assert asked_at
    assert all(ip_address(address).is_loopback for address in asked_at)


def test_port_25_offers_tls_and_no_authentication(smtp: Callable[[int], Smtp]) -> None:
    """Passwords are for submission; here there is nothing to guess."""
    offered = smtp(25)

    assert "starttls" in offered.before
    assert "auth" not in offered.before | (offered.inside or frozenset())


@pytest.mark.parametrize("port", [587, 465])
def test_credentials_are_taken_inside_tls_only(smtp: Callable[[int], Smtp], submission: bool, port: int) -> None:
    """587 asks for STARTTLS first (RFC 6409, RFC 8314); 465 is TLS from the first byte. A closed host has neither."""
    assert not submission or smtp(port).requires_tls_before_auth


def test_nobody_relays_for_free(postconf: Mapping[str, str], services: Mapping[str, Service]) -> None:
    """Relaying is closed for all and opened for who has logged in; nobody is trusted for an address."""
    (master,) = (f.content for f in services["postfix"].files if f.path == "/etc/postfix/master.cf")

    assert isinstance(master, str)
    assert postconf["smtpd_relay_restrictions"] == "reject"
    assert set(re.findall(r"smtpd_relay_restrictions=(\S+)", master)) <= {
        "reject_unauth_destination",
        "$submission_relay_restrictions",
    }
    assert set(postconf["mynetworks"].split()) <= {"127.0.0.0/8", "[::1]/128"}
