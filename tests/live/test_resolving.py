"""Names are resolved, and validated, on the host itself: DANE holds only then (RFC 7672 section 2.2)."""

from ipaddress import ip_address

from testinfra.host import Host as Asked

from sendwright.deploys.probe import chroot_ad_command, parse_chroot_ad
from sendwright.stack import Host


def test_the_host_asks_its_own_resolver_only(host: Asked) -> None:
    """Whoever wrote resolv.conf before no longer does."""
    lines = host.file("/etc/resolv.conf").content_string.splitlines()
    servers = [line.split()[1] for line in lines if line.startswith("nameserver")]

    assert servers
    assert all(ip_address(server).is_loopback for server in servers)
    assert not host.file("/etc/resolv.conf").is_symlink


def test_postfix_has_the_same_resolv_conf_in_its_chroot(host: Asked) -> None:
    """smtp(8) reads its own copy."""
    assert host.run("cmp /etc/resolv.conf /var/spool/postfix/etc/resolv.conf").succeeded


def test_the_smtp_client_sees_that_answers_are_validated(host: Asked, declared: Host) -> None:
    """Asked from inside the chroot as the user that sends: the answer has the AD bit."""
    answer = parse_chroot_ad(declared, host.run(chroot_ad_command()).stdout)

    assert answer.answered
    assert answer.ad
