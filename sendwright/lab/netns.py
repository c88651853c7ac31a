"""Network namespaces: one segment per lab, one namespace per machine, and no way out.

Every machine has one interface, ``eth0``, on the lab's bridge, with all its addresses and a default route
that is *on the link*. So a machine may own any production address, reaches any other of the same lab by
asking who has it, and finds nobody behind all other addresses of the world.
"""

import ctypes
import ipaddress
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sendwright.errors import LabError

FOLDER = Path("/run/netns")
_RESOLVERS = Path("/etc/netns")
_DEFAULTS = {4: "0.0.0.0/0", 6: "::/0"}
_SETTINGS = Path("/proc/sys/net")
# Sockets of this machine's services that look up names for the C library, whatever resolv.conf says: they lie in the
# file system, so a network namespace does not part us from them, and what they ask leaves by the real network.
_NAME_SERVICES = ("/run/systemd/resolve/io.systemd.Resolve", "/run/nscd/socket", "/run/avahi-daemon/socket")
_CLONE_NEWNET = 0x40000000


def create_segment(namespace: str, addresses: Sequence[str], resolver: str) -> None:
    """Create a lab's segment: a namespace with the bridge, in which the controller has these addresses.

    ``resolver`` is the address that programs started by :func:`command` find in their resolv.conf.
    """
    _ip("netns", "add", namespace)
    _batch(namespace, ["link add eth0 type bridge"])
    _configure(namespace, addresses)
    folder = _RESOLVERS / namespace
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "resolv.conf").write_text(f"nameserver {resolver}\n")


def join(namespace: str, segment: str, port: str, addresses: Sequence[str]) -> None:
    """Create a machine's namespace and plug it into a segment's bridge, at a port of this name."""
    _ip("netns", "add", namespace)
    _batch(
        segment,
        [f"link add {port} type veth peer name eth0 netns {namespace}", f"link set {port} master eth0 up"],
    )
    _configure(namespace, addresses)


def delete(namespace: str) -> None:
    """Delete a namespace and what belongs to it; fine if there is none."""
    if (FOLDER / namespace).exists():
        _ip("netns", "delete", namespace)
    shutil.rmtree(_RESOLVERS / namespace, ignore_errors=True)


def forget_neighbours(namespace: str) -> None:
    """Forget who has which address: whoever has left is missed at once, not when the kernel comes to doubt."""
    _ip("-n", namespace, "neigh", "flush", "dev", "eth0")


def names(prefix: str) -> list[str]:
    """List the namespaces whose names begin so."""
    if not FOLDER.exists():
        return []
    return sorted(entry.name for entry in FOLDER.iterdir() if entry.name.startswith(prefix))


def command(namespace: str, argv: Sequence[str]) -> list[str]:
    """Return the command line that runs ``argv`` in a namespace, where names are looked up by the lab's resolver only.

    `ip netns exec` would also mount a new /sys, and the lab's control groups would be out of sight.
    """
    resolver = _RESOLVERS / namespace / "resolv.conf"
    enter = ["nsenter", f"--net={FOLDER / namespace}", "unshare", "--mount", "--propagation=slave"]
    hide = f"for s in {' '.join(_NAME_SERVICES)}; do [ ! -S $s ] || mount --bind /dev/null $s || exit 1; done"
    bind = f'{hide}; mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
    return [*enter, "sh", "-c", bind, "sendwright", str(resolver), *argv]


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Move the current thread into a namespace, and back at the end.

    Sockets opened meanwhile, and threads started meanwhile, belong to the namespace; /etc/resolv.conf does
    not change, so name the lab's resolver by address. Raises LabError if there is no such namespace.
    """
    try:
        target = os.open(FOLDER / namespace, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise LabError(
            f"there is no network namespace {namespace}.", "Is the lab up? `sendwright lab status`"
        ) from None
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(target)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(target)
        os.close(home)


def _setns(descriptor: int) -> None:
    # os.setns exists from Python 3.12 on.
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
        raise LabError(f"a network namespace could not be entered: {os.strerror(ctypes.get_errno())}.")


def _configure(namespace: str, addresses: Sequence[str]) -> None:
    families = {ipaddress.ip_address(text).version for text in addresses}
    with inside(namespace):
        # Duplicate address detection keeps a v6 address unusable for over a second.
        (_SETTINGS / "ipv6/conf/eth0/accept_dad").write_text("0")
        if 6 not in families:
            # Its link-local address would reach the others of the segment, and mail leave from it.
            (_SETTINGS / "ipv6/conf/eth0/disable_ipv6").write_text("1")
        for family in ("ipv4", "ipv6"):
            # Nobody answers for an unknown address: say so after 0.6 seconds, not three.
            (_SETTINGS / family / "neigh/eth0/retrans_time_ms").write_text("200")
    lines = ["link set lo up", "link set eth0 up"]
    for text in addresses:
        address = ipaddress.ip_address(text)
        lines.append(f"address add {address}/{address.max_prefixlen} dev eth0")
    lines += [f"route add {everywhere} dev eth0" for family, everywhere in _DEFAULTS.items() if family in families]
    _batch(namespace, lines)


def _batch(namespace: str, lines: Sequence[str]) -> None:
    _ip("-n", namespace, "-batch", "-", given="\n".join(lines))


def _ip(*arguments: str, given: str = "") -> None:
    done = subprocess.run(["ip", *arguments], input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"`ip {' '.join(arguments)}` failed: {done.stderr.strip()}.")
