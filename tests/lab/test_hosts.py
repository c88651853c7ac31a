"""The hosts of a lab are real Debian machines under their real names, and nothing leaves."""

import errno
import shutil
import socket
import sys
from pathlib import Path

import pytest

from sendwright.lab import Lab, netns

pytestmark = pytest.mark.lab


def ssh(lab: Lab, host: str, user: str, command: str) -> str:
    """Log in as a person would who trusts only the lab's known hosts; return what the command printed."""
    options = ["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
    options += ["-o", f"UserKnownHostsFile={lab.known_hosts}", "-i", str(lab.ssh_key)]
    address = lab.host(host).addresses[0]
    return lab.run(["ssh", *options, f"{user}@{address}", command], check=False).stdout


@pytest.mark.parametrize(("name", "release"), [("mx1.example.com", "12"), ("mx2.example.com", "13")])
def test_both_releases_boot_without_a_failed_unit(lab: Lab, name: str, release: str) -> None:
    """A host runs systemd to the end and carries its production name."""
    user = lab.host(name).user

    # SSH answers before the system bus does.
    booted = "timeout 30 sh -c 'until systemctl is-system-running --wait; do sleep 0.2; done' 2>&1"
    answer = ssh(lab, name, user, f"hostname -f; cut -d. -f1 /etc/debian_version; {booted}")

    assert answer.split() == [name, release, "running"]


def test_an_admin_becomes_root_by_sudo_and_root_cannot_log_in(lab: Lab) -> None:
    """Where the inventory logs in as an ordinary user, the lab refuses root."""
    as_admin = ssh(lab, "mx2.example.com", "admin", "id -un; sudo -n id -un")
    as_root = ssh(lab, "mx2.example.com", "root", "id -un")

    assert as_admin.split() == ["admin", "root"]
    assert as_root == ""


def test_the_fingerprint_is_known_before_first_contact(lab: Lab) -> None:
    """The host presents the key whose fingerprint the lab announced."""
    host = lab.host("mx1.example.com")

    shown = host.run(["ssh-keygen", "-lf", "/etc/ssh/ssh_host_ed25519_key.pub"]).stdout

    assert host.fingerprint in shown.split()


def test_names_are_not_looked_up_by_services_of_this_machine(lab: Lab) -> None:
    """A socket in the file system leads out of a network namespace: nscd would ask the real network."""
    socket_file = Path("/run/nscd/socket")
    if socket_file.parent.exists():
        pytest.skip("this machine has an nscd of its own")
    ask = f"import socket; print(socket.socket(socket.AF_UNIX).connect_ex({str(socket_file)!r}))"
    socket_file.parent.mkdir()
    try:
        with socket.socket(socket.AF_UNIX) as service:
            service.bind(str(socket_file))
            service.listen()

            found = lab.run([sys.executable, "-c", ask]).stdout

        assert int(found) == errno.ECONNREFUSED
    finally:
        shutil.rmtree(socket_file.parent)


@pytest.mark.parametrize("address", ["192.0.2.1", "9.9.9.9", "2001:db8:ffff::1"])
def test_an_unknown_address_is_unreachable(lab: Lab, address: str) -> None:
    """There is no way out: behind addresses that the lab does not own is nobody."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with netns.inside(lab.host("mx1.example.com").namespace), socket.socket(family) as outward:
        outward.settimeout(5)

        result = outward.connect_ex((address, 53))

    assert result in {errno.EHOSTUNREACH, errno.ENETUNREACH}


def test_hosts_reach_one_another_at_their_production_addresses(lab: Lab) -> None:
    """Two hosts of one lab talk to each other although their addresses share no network."""
    greeting = lab.host("mx2.example.com").run(
        ["python3", "-c", "import socket; print(socket.create_connection(('203.0.113.10', 22), 5).recv(4))"]
    )

    assert "SSH-" in greeting.stdout


@pytest.mark.parametrize("name", ["mx1.example.com", "mx2.example.com"])
def test_a_host_resolves_names_before_anything_is_deployed(lab: Lab, name: str) -> None:
    """A bare host asks the lab's resolver, as a cloud's host asks its provider's."""
    answer = lab.host(name).run(["getent", "ahostsv4", "mx.inbox.example"]).stdout

    assert answer.startswith("198.18.0.25")


def test_a_host_installs_packages_without_a_way_out(lab: Lab) -> None:
    """apt takes what the deploys need from the image's cache, even after failing to update its lists."""
    host = lab.host("mx2.example.com")

    host.run(["apt-get", "update"], check=False)
    host.run(["apt-get", "install", "-qq", "-y", "openssl", "dns-root-data"], timeout=60)

    assert (host.root / "usr/share/dns/root.hints").exists()


def test_a_service_stops_although_another_machine_runs_one_of_that_name(lab: Lab) -> None:
    """Machines do not share control groups: systemd of one does not see the other's services."""
    first, second = (host.machine for host in lab.hosts)

    first.run(["systemctl", "restart", "ssh"])

    assert first.group != second.group
    assert second.run(["systemctl", "is-active", "ssh"]).stdout.strip() == "active"


def test_a_host_without_a_v6_address_speaks_no_v6(lab: Lab) -> None:
    """Not even from a link-local address, as on a provider's network without v6."""
    with netns.inside(lab.host("mx2.example.com").namespace), socket.socket(socket.AF_INET6) as outward:
        result = outward.connect_ex(("fd53:656e:6477::25", 25))

    assert result in {errno.ENETUNREACH, errno.EADDRNOTAVAIL}
