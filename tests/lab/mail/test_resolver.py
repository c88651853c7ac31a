"""The host's resolver validates, smtp(8) sees that it does, and DANE rests on it (RFC 7672)."""

import pytest

from sendwright import inventory
from sendwright.deploys.probe import ChrootAnswer, chroot_ad_command, parse_chroot_ad
from sendwright.lab.clients import Clients

pytestmark = pytest.mark.lab


def test_the_smtp_client_sees_the_ad_bit_in_its_chroot(clients: Clients, host: str) -> None:
    """On the host that came with a plain resolv.conf and on the one that came with systemd-resolved."""
    declared = inventory.load(clients.lab.state.folder / "inventory").stack.host(host)

    printed = clients.lab.host(host).run(["sh", "-c", chroot_ad_command()]).stdout

    assert parse_chroot_ad(declared, printed) == ChrootAnswer(answered=True, ad=True)


def test_the_host_asks_its_own_resolver_and_no_other(clients: Clients, host: str) -> None:
    """A resolver across a network could say anything: resolv.conf names loopback, in the chroot and outside."""
    root = clients.lab.host(host).root
    texts = [(root / path).read_text() for path in ("etc/resolv.conf", "var/spool/postfix/etc/resolv.conf")]

    servers = [[line for line in text.splitlines() if line.startswith("nameserver")] for text in texts]

    assert servers == [["nameserver 127.0.0.1"], ["nameserver 127.0.0.1"]]
    assert not (root / "etc/resolv.conf").is_symlink()


def test_mail_leaves_by_verified_dane(clients: Clients, host: str) -> None:
    """The inbox publishes TLSA, so Postfix verifies its certificate, and says so."""
    mail = clients.written("alice")
    with clients.logged_in(host, "alice") as client:
        client.send_message(mail)
    clients.arrival(mail)

    # The journal may be behind the mail.
    clients.lab.host(host).run(["journalctl", "--sync"])
    log = clients.lab.host(host).run(["journalctl", "--output=cat", "--identifier=postfix/smtp"]).stdout

    assert "Verified TLS connection established to mx.inbox.example" in log
    assert "Untrusted TLS connection established to mx.inbox.example" not in log
