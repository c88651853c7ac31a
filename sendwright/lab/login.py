"""How machines are logged in to: keys made here, so that every fingerprint is known before first contact."""

import base64
import hashlib
import uuid
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from sendwright.lab import commands
from sendwright.lab.machine import File, write
from sendwright.lab.spec import RESOLVER, Resolver


@dataclass(frozen=True)
class SshKey:
    """A pair of Ed25519 keys: the private one in OpenSSH's format, the public one as one line."""

    private: str
    public: str

    @property
    def fingerprint(self) -> str:
        """The fingerprint as ssh prints it: ``SHA256:`` and base64 without padding."""
        digest = hashlib.sha256(base64.b64decode(self.public.split()[1])).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def generate() -> SshKey:
    """Generate a pair of keys for a host or for a login."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return SshKey(private.decode(), public.decode())


def prepare(
    root: Path,
    name: str,
    host_key: SshKey,
    login: str,
    *,
    admin: bool = False,
    resolver: Resolver = Resolver.PLAIN,
) -> None:
    """Give a mounted machine its name, host key, ``login`` (the public key of who may) and resolver."""
    write(
        root,
        {
            "/etc/hostname": File(f"{name}\n"),
            "/etc/hosts": File(f"127.0.0.1 localhost\n127.0.1.1 {name} {name.partition('.')[0]}\n::1 localhost\n"),
            "/etc/machine-id": File(f"{uuid.uuid4().hex}\n"),
            "/etc/ssh/ssh_host_ed25519_key": File(host_key.private, 0o600),
            "/etc/ssh/ssh_host_ed25519_key.pub": File(f"{host_key.public}\n"),
            "/etc/ssh/sshd_config.d/lab.conf": File(
                # Verbose, so that tests can read in the journal who logged in with which key.
                "HostKey /etc/ssh/ssh_host_ed25519_key\nLogLevel VERBOSE\nPasswordAuthentication no\n"
                f"PermitRootLogin {'no' if admin else 'prohibit-password'}\n"
            ),
        },
    )
    if admin:
        _add_admin(root)
    user, home = ("admin", "/home/admin") if admin else ("root", "/root")
    write(root, {f"{home}/.ssh/authorized_keys": File(f"{login}\n", 0o600, user, user)})
    _resolve_by(root, resolver)


def _add_admin(root: Path) -> None:
    if not (root / "home/admin").exists():
        commands.run(["chroot", str(root), "useradd", "-m", "-s", "/bin/bash", "-p", "*", "admin"])
    write(root, {"/etc/sudoers.d/admin": File("admin ALL=(ALL) NOPASSWD: ALL\n", 0o440)})


def _resolve_by(root: Path, resolver: Resolver) -> None:
    settings, target = root / "etc/systemd/resolved.conf.d/lab.conf", root / "etc/resolv.conf"
    if resolver is Resolver.SYSTEMD_RESOLVED:
        # From the image's cache. Its postinst, in turn, replaces resolv.conf by the link to the stub.
        install = [
            "chroot",
            str(root),
            "apt-get",
            "install",
            "-qq",
            "-y",
            "--no-download",
            "systemd-resolved",
        ]
        commands.run(install)
        servers = " ".join(RESOLVER)
        write(
            root,
            {f"/{settings.relative_to(root)}": File(f"[Resolve]\nDNS={servers}\nFallbackDNS=\nLLMNR=no\n")},
        )
        target.unlink(missing_ok=True)
        target.symlink_to("../run/systemd/resolve/stub-resolv.conf")
    else:
        write(root, {"/etc/resolv.conf": File(f"nameserver {RESOLVER[0]}\n")})
