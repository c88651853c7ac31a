"""A host that runs a mail server already: refused unless ``adopt: true``; then it is backed up, and its queue kept."""

import base64
import json
import tarfile
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sendwright.lab import LabHost, RRset
from sendwright.received import Results
from sendwright.rehearse import World
from sendwright.stack import DkimAlgorithm
from sendwright.submission import Credential
from tests.lab.conftest import PASSWORD

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


def genkey() -> tuple[bytes, str]:
    """Return a private key and the data of its TXT record as opendkim-genkey writes them."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pkcs1, plain = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    text = base64.b64encode(public).decode()
    record = f'"v=DKIM1; h=sha256; k=rsa; " "p={text[:200]}" "{text[200:]}"'
    return private.private_bytes(serialization.Encoding.PEM, pkcs1, plain), record


def test_a_server_that_signs_already_keeps_its_selector_and_its_owners_record(
    bare: Callable[[], World], send: Callable[..., Results]
) -> None:
    """Its key is imported; provision finds it published, proves it, signs with it, and leaves its record alone."""
    world = bare()
    (domain,), (host,) = ([d.name for d in world.declared.stack.domains], [h.name for h in world.declared.stack.hosts])
    private, text = genkey()
    theirs = RRset(f"mail2019._domainkey.{domain}", "TXT", 300, (text,))
    world.lab.primary.replace(domain, [theirs])
    (before,) = (r for r in world.lab.records(domain) if r.name == theirs.name)
    file = world.folder / "mail2019.private"
    file.write_bytes(private)

    taken = world.sendwright("keys", "import", str(world.folder), domain, "mail2019", str(file))
    done = world.provision()
    sent = send(world, host, Credential("login", PASSWORD, f"login@{domain}"))
    listed = world.sendwright("keys", "list", str(world.folder), "--format", "json")

    assert taken.returncode == 0, taken.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    assert sent.dkim_of(DkimAlgorithm.RSA) == "pass"
    signed = [m.raw for m in world.lab.inbox.messages() if f"d={domain};".encode() in m.raw]
    assert signed
    assert all(b"s=mail2019" in raw for raw in signed)
    assert [r for r in world.lab.records(domain) if r.name == theirs.name] == [before]
    keys = {k["algorithm"]: k for k in json.loads(listed.stdout)["keys"]}
    rsa_key = keys["rsa"]
    assert (rsa_key["selector"], rsa_key["stage"], rsa_key["proven_on"]) == ("mail2019", "signing", [host])
    assert world.provision().stdout == "no changes\n"
