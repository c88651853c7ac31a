"""A host that runs a mail server already: refused unless ``adopt: true``; then it is backed up, and its queue kept."""

import tarfile
from collections.abc import Callable

import pytest

from sendwright.lab import LabHost
from sendwright.rehearse import World

pytestmark = pytest.mark.lab

QUEUED = "Subject: from before\n\nThis was queued before anybody adopted this host.\n"


def changes_of(host: LabHost) -> str:
    """Return when each file of a host's configuration was changed, and which daemons run."""
    files = host.run(["find", "/etc", "/usr/local", "/usr/sbin", "/var/lib/dpkg", "-printf", r"%p %C@\n"]).stdout
    return files + host.run(["systemctl", "list-units", "--type=service", "--plain", "--no-legend"]).stdout


def is_kept(host: LabHost, world: World) -> bool:
    """Whether the message from before is in the queue still, or has been delivered."""
    queue = host.run(["postqueue", "-j"]).stdout
    return "before@" in queue or any(b"from before" in received.raw for received in world.lab.inbox.messages())


def test_a_living_mail_server_is_taken_over_only_when_the_inventory_says_so(bare: Callable[[], World]) -> None:
    """Debian's Postfix with a message in its queue: named and left alone, then adopted without losing anything."""
    world = bare()
    host = world.lab.host(world.declared.stack.hosts[0].name)
    host.run(["sh", "-c", "postconf -e defer_transports=smtp && systemctl start postfix && postfix status"])
    host.run(["sendmail", f"before@{world.lab.inbox.domain}"], given=QUEUED)
    before = changes_of(host)

    refused = world.provision()
    unchanged = changes_of(host) == before
    hosts = world.folder / "inventory.py"
    hosts.write_text(hosts.read_text().replace("'egress'", "'adopt': True, 'egress'"))
    adopted = world.provision()

    assert refused.returncode == 1
    assert "a mail server (Postfix, 1 message in its queue) that is not ours" in refused.stderr
    assert "adopt: true" in refused.stderr
    assert unchanged
    assert adopted.returncode == 0, adopted.stdout + adopted.stderr
    (backup,) = (host.root / "var/backups/sendwright").iterdir()
    assert (backup.stat().st_mode & 0o7777, backup.stat().st_uid) == (0o600, 0)
    with tarfile.open(backup) as archive:
        main = archive.extractfile("etc/postfix/main.cf")
        assert main is not None
        assert b"defer_transports = smtp" in main.read()
    assert is_kept(host, world)
    assert world.provision().stdout == "no changes\n"
