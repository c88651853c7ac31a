"""Base images: Debian trees that machines are overlaid on, built once and kept by digest of their recipe."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from sendwright.errors import LabError
from sendwright.lab import mounts

BASE = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "python3",
    "sudo",
    "iproute2",
    "ca-certificates",
    "procps",
)
#: What the deploys may install: kept in the image's apt cache, because a lab's host has no way out.
DOWNLOADS = (
    "postfix",
    "postfix-pcre",
    "opendkim",
    "opendkim-tools",
    "dovecot-core",
    "unbound",
    "unbound-anchor",
    "dns-root-data",
    "python3-milter",
    "postfix-mta-sts-resolver",
    "python3-dnspython",
    "openssl",
    "ca-certificates",
    "libsasl2-modules",
    "systemd-resolved",
    "nginx-light",
    "certbot",
)
#: The daemons of the lab's own infrastructure; each machine of it starts those that it needs.
INFRASTRUCTURE = (
    "pdns-server",
    "pdns-backend-sqlite3",
    "knot",
    "unbound",
    "postfix",
    "opendkim",
    "opendmarc",
    "postfix-policyd-spf-python",
    "publicsuffix",
    # What tests break on purpose: policies of MTA-STS are served by it, and AUTH is offered by these.
    "nginx-light",
    "libsasl2-modules",
    # An authority, a sender that enforces MTA-STS, and another judge of TLS than ours.
    "pebble",
    "postfix-mta-sts-resolver",
    "testssl.sh",
)


@dataclass(frozen=True)
class Recipe:
    """Say how an image is made: packages installed, packages only downloaded, units that must not start."""

    name: str
    suite: str
    install: tuple[str, ...] = BASE
    download: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()


BOOKWORM = Recipe("bookworm", "bookworm", download=DOWNLOADS)
TRIXIE = Recipe("trixie", "trixie", download=DOWNLOADS)
WORLD = Recipe(
    "world",
    "bookworm",
    (*BASE, *INFRASTRUCTURE),
    disable=("pdns", "knot", "unbound", "postfix", "opendkim", "opendmarc", "nginx", "postfix-mta-sts-resolver"),
)

_SUITES = ("bookworm", "trixie")
# Timers that would take apt's lock, and find no mirror, in the middle of a rehearsal.
_NEVER = ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer")


def cache() -> Path:
    """Return the folder of images, snapshots and disks: SENDWRIGHT_LAB_CACHE, or one in /var/cache."""
    return Path(os.environ.get("SENDWRIGHT_LAB_CACHE", "/var/cache/sendwright/lab"))


def folder(name: str) -> Path:
    """Return a folder of the cache, made if it is not there, that only root can look into.

    What lies in it are whole systems, with old programs that run as root for whoever starts them.
    """
    place = cache() / name
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return place


def path(recipe: Recipe) -> Path:
    """Return where the image of this recipe lies, or will lie once it is built."""
    digest = hashlib.sha256(json.dumps([asdict(recipe), _hooks(recipe)]).encode()).hexdigest()
    return cache() / "images" / f"{recipe.name}-{digest[:12]}"


def ensure(recipe: Recipe, progress: Callable[[str], None]) -> Path:
    """Return the image of a recipe, building it first if it is not in the cache.

    A build takes about half a minute and needs the Debian mirror that this machine's apt uses. Two builders
    wait for each other; a build that is killed leaves nothing that counts. Raises LabError with the end of
    the build's output.
    """
    image = path(recipe)
    if image.exists():
        return image
    with lock(folder("images") / f".{recipe.name}.lock") as descriptor:
        if not image.exists():
            progress(f"building the image {recipe.name} (once; about half a minute)")
            _build(recipe, image, descriptor)
    return image


@contextmanager
def lock(file: Path) -> Iterator[int]:
    """Hold an exclusive lock on a file, waiting for whoever holds it now; yields its descriptor."""
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle.fileno()


def _build(recipe: Recipe, image: Path, lock: int) -> None:
    unfinished = image.with_name(f".{recipe.name}.building")
    sources = image.with_name(f".{recipe.name}.list")
    mounts.unmount_below(unfinished)
    shutil.rmtree(unfinished, ignore_errors=True)
    sources.write_text(debian_sources(_host_sources(), recipe.suite))
    command = [
        "mmdebstrap",
        "--variant=minbase",
        "--skip=cleanup/apt",
        f"--include={','.join(recipe.install)}",
    ]
    command += [f"--customize-hook={hook}" for hook in _hooks(recipe)]
    command += [recipe.suite, str(unfinished), str(sources)]
    # mmdebstrap holds the lock too: should we be killed, it goes on for a while, and nobody may build meanwhile.
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, pass_fds=(lock,)
    )
    sources.unlink()
    if done.returncode:
        shutil.rmtree(unfinished, ignore_errors=True)
        reason = "\n".join(done.stderr.strip().splitlines()[-8:])
        raise LabError(f"the image {recipe.name} could not be built:\n{reason}\n", "Does `apt-get update` work here?")
    unfinished.rename(image)


def _hooks(recipe: Recipe) -> list[str]:
    # mmdebstrap runs each with the new tree as $1, and with the mirror still reachable.
    hooks = ['rm -f "$1"/var/cache/apt/archives/*.deb "$1"/etc/apt/apt.conf.d/docker-clean "$1"/etc/ssh/ssh_host_*']
    if recipe.download:
        # A host of a lab fails to update its lists, and keeps these; it need not try for seven seconds.
        hooks.append('echo \'Acquire::Retries "0";\' > "$1"/etc/apt/apt.conf.d/lab')
        # Two passes: an install without recommended packages may choose others than one with them.
        for flags in ("--install-recommends", "--no-install-recommends"):
            packages = " ".join(recipe.download)
            hooks.append(f'chroot "$1" apt-get install -qq -y --download-only {flags} {packages}')
    hooks += [f'chroot "$1" systemctl -q disable {" ".join(recipe.disable)}'] if recipe.disable else []
    return [*hooks, f'chroot "$1" systemctl -q mask {" ".join(_NEVER)}']


def _host_sources() -> str:
    folder = Path("/etc/apt")
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    return "\n\n".join(file.read_text() for file in files if file.suffix in {".list", ".sources"} and file.exists())


def debian_sources(text: str, suite: str) -> str:
    """Reduce apt sources, of either format, to Debian's own main component, for one release.

    Third parties' repositories are left out: they know nothing of other releases. Raises LabError if nothing
    of Debian is among them.
    """
    entries = [_one_line(line) for line in text.splitlines() if line.startswith("deb ")]
    entries += [_stanza(stanza) for stanza in re.split(r"\n\s*\n", text)]
    lines = [
        f"deb [{options}] {uri} {name.replace(known, suite)} main"
        for uri, names, options in filter(None, entries)
        for name in names
        for known in _SUITES
        if re.fullmatch(rf"{known}(-updates|-security)?", name)
    ]
    if not lines:
        raise LabError(
            "this machine's apt sources name no Debian release that the lab knows.",
            f"Add a source of Debian {' or '.join(_SUITES)} under /etc/apt/sources.list.d.",
        )
    return "\n".join(dict.fromkeys(lines)) + "\n"


_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_Entry = tuple[str, list[str], str]


def _one_line(line: str) -> _Entry | None:
    found = re.match(r"deb\s+(?:\[.*?\]\s+)?(\S+)\s+(\S+)\s+(.*)", line)
    if not found or "main" not in found[3].split():
        return None
    return found[1], [found[2]], f"signed-by={_KEYRING}"


def _stanza(stanza: str) -> _Entry | None:
    fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.MULTILINE))
    if "deb" not in fields.get("Types", "").split() or "main" not in fields.get("Components", "").split():
        return None
    return fields["URIs"].split()[0], fields["Suites"].split(), f"signed-by={_KEYRING}"
