"""What a machine must offer before a lab can run on it."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from sendwright.errors import LabError

#: Tool -> the Debian package that brings it.
TOOLS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "nsenter": "util-linux",
}

# From linux/capability.h.
_CAP_SYS_ADMIN = 21
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
# systemd in each machine takes about seven, and all machines share root's: 128, the default, is 18 machines.
_INSTANCES = 1024


def make_room(progress: Callable[[str], None]) -> None:
    """Raise, until the next boot, the one limit of the kernel's that several labs side by side run into."""
    if (limit := int(_INOTIFY.read_text())) < _INSTANCES:
        progress(f"raising fs.inotify.max_user_instances from {limit} to {_INSTANCES}, until the next boot")
        _INOTIFY.write_text(str(_INSTANCES))


def check() -> None:
    """Raise LabError that lists everything that a lab lacks here, and the command that brings it."""
    missing = problems()
    if not missing:
        return
    packages = sorted({TOOLS[tool] for tool in TOOLS if shutil.which(tool) is None})
    hint = f"Install the tools with: apt-get install --no-install-recommends {' '.join(packages)}"
    raise LabError(f"a lab cannot run here: {'; '.join(missing)}.", hint if packages else "")


def problems() -> list[str]:
    """List what a lab lacks on this machine, one phrase each; empty if it can run."""
    if sys.platform != "linux":
        return [f"it needs Linux, and this is {sys.platform}"]
    found = []
    if os.geteuid() != 0:
        found.append("it needs root, for network namespaces and mounts")
    elif not _may_administer():
        found.append("this root may not make namespaces and mounts (an ordinary container?)")
    if " cgroup2 " not in Path("/proc/self/mounts").read_text():
        found.append("no cgroup2 hierarchy is mounted")
    if "\toverlay\n" not in Path("/proc/filesystems").read_text() and not _module_exists("overlay"):
        found.append("the kernel has no overlayfs")
    if not Path("/proc/self/ns/net").exists():
        found.append("the kernel has no network namespaces")
    found += [f"{tool} is not installed" for tool in TOOLS if shutil.which(tool) is None]
    return found


def _may_administer() -> bool:
    status = Path("/proc/self/status").read_text()
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    return bool(effective >> _CAP_SYS_ADMIN & 1)


def _module_exists(name: str) -> bool:
    modules = Path("/lib/modules") / os.uname().release / "modules.dep"
    return modules.exists() and f"/{name}.ko" in modules.read_text()
