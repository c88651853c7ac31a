"""The shell scripts that change a host, as text. Pure.

Nothing in them is secret, because they are seen in the host's process list; contents and long lists come by standard
input. Each may be killed at any line and is healed by running it again.
"""

import base64
import io
import shlex
import tarfile
from collections.abc import Callable, Iterable
from ipaddress import ip_address

from sendwright.hostdiff import place
from sendwright.needs import Load
from sendwright.observe import MANAGED, POLICY, POLICY_MARK, POLICY_SAVED, STAMPS
from sendwright.service import Directory, File, Sealed, Service, Socket, SystemUser

Open = Callable[[Sealed], bytes]

_NEW = ".sendwright-new"
_LISTEN_SECONDS = 15
# What a mail server of Debian keeps in /etc; the queue stays where it is.
_CONFIGURATION = (
    *(
        "/etc/postfix",
        "/etc/exim4",
        "/etc/mail",
        "/etc/smtpd.conf",
        "/etc/qmail",
        "/etc/opendkim",
        "/etc/opendkim.conf",
    ),
    *("/etc/default/opendkim", "/etc/dkimkeys", "/etc/dovecot", "/etc/unbound", "/etc/aliases", "/etc/mailname"),
    *("/etc/resolv.conf", "/etc/milter-greylist", "/etc/rspamd", "/etc/mta-sts-daemon.yml"),
)


def back_up() -> str:
    """Keep the configuration of an adopted mail server in /var/backups/sendwright, for root only."""
    return f"""set -e; umask 077; mkdir -p /var/backups/sendwright; cd /
found=; for path in {" ".join(_CONFIGURATION)}; do [ ! -e "$path" ] || found="$found ${{path#/}}"; done
[ -n "$found" ] || exit 0
file=/var/backups/sendwright/$(date -u +%Y%m%dT%H%M%SZ).tar.gz
tar -czhf "$file.part" $found
mv "$file.part" "$file"
"""


def mark_managed() -> str:
    """Note that we are on a host before anything else is changed: from now on its mail server is ours."""
    return f"umask 077; mkdir -p {STAMPS} && touch {MANAGED}"


def withdraw_stamps(services: Iterable[Service]) -> str:
    """Forget what daemons loaded, before the first change: a run that dies from here on is seen by the next one."""
    return "rm -f " + " ".join(f"{STAMPS}/{service.name}" for service in services)


def install_packages(packages: Iterable[str]) -> str:
    """Install packages without starting their daemons (policy-rc.d, as invoke-rc.d(8) reads it).

    An interrupted run's policy-rc.d is healed, somebody else's is put back. The output goes to a file, so that apt
    lives on when the connection dies; a lock keeps a second run out until then.
    """
    wanted = " ".join(map(shlex.quote, packages))
    return f"""umask 022; export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec 9>/run/sendwright-packages.lock; flock -w 900 9 || {{ echo 'another run is still installing' >&2; exit 1; }}
ours() {{ grep -qs '^{POLICY_MARK}' {POLICY}; }}
release() {{
  ! ours || rm -f {POLICY}
  [ ! -e {POLICY_SAVED} ] || mv -f {POLICY_SAVED} {POLICY}
}}
trap release EXIT; trap 'exit 1' HUP INT TERM PIPE
ours || [ ! -e {POLICY} ] || mv -f {POLICY} {POLICY_SAVED}
printf '#!/bin/sh\\n{POLICY_MARK}\\nexit 101\\n' >{POLICY}{_NEW}
chmod 0755 {POLICY}{_NEW} && mv -f {POLICY}{_NEW} {POLICY}
apt() {{
  timeout 1800 apt-get -qy -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold -o Acquire::Retries=0 \\
    -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15 --no-install-recommends "$@" </dev/null 9>&-
}}
work() {{
  [ -z "$(dpkg --audit)" ] || dpkg --configure -a </dev/null 9>&-
  [ -n "{wanted}" ] || return 0
  [ -n "$(find /var/lib/apt/lists -maxdepth 0 -mmin -1440)" ] || apt update || :
  apt install {wanted} || {{ apt update && apt install {wanted}; }}
}}
log=/run/sendwright-packages.log
work >$log 2>&1 || {{ grep -E '^(E|Err|dpkg)[: ]' $log | tail -n 15 >&2; exit 1; }}
"""


def create_user(user: SystemUser) -> str:
    """Create a system account that cannot log in, with a group of its name; its home is a directory of ours."""
    group = f'$(getent group {user.name} >/dev/null && echo "-g {user.name}" || echo --user-group)'
    options = f"--system --no-create-home --home-dir {shlex.quote(user.home)} --shell /usr/sbin/nologin"
    return f"getent passwd {user.name} >/dev/null || useradd {options} {group} {user.name}"


def install_tree(wanted: Iterable[File | Directory]) -> str:
    """Unpack the `bundle` on standard input: directories in place, files beside their place and then renamed over it.

    No file is renamed before all have come whole, for tar takes a bundle that ends between two of them for a whole one;
    nor before the disk has them, for a machine that loses power right after would come up with empty tables, and sign
    nothing.

    A rename replaces a symlink instead of writing through it, and a daemon never sees half a file: so it may look as if
    written a while ago, for which Postfix would wait two seconds each time, lest somebody still writes. tar creates
    each file with no rights for others and gives them only after the owner is set. A new directory inherits the
    set-group-ID bit of the one above it (/var/mail has it), and tar does not see that.
    """
    both = tuple(wanted)
    return f"""umask 077
for user in {" ".join(sorted({each.owner for each in both}))}; do
  getent passwd "$user" >/dev/null || {{ echo "there is no user $user" >&2; exit 1; }}
done
for group in {" ".join(sorted({each.group for each in both}))}; do
  getent group "$group" >/dev/null || {{ echo "there is no group $group" >&2; exit 1; }}
done
names=$(base64 -d | tar -xvpmf - --same-owner -C /) || exit 1
[ "$(printf '%s\\n' "$names" | wc -l)" -eq {len(both)} ] || {{ echo "the files came cut off" >&2; exit 1; }}
each() {{ printf '%s\\n' "$names" | sed -n "$1s|^|/|p"; }}
each '/[/]$/' | xargs -rd '\\n' chmod g-s -- || exit 1
each '/[.]{_NEW[1:]}$/' | xargs -rd '\\n' touch -d '10 seconds ago' -- || exit 1
each '/[.]{_NEW[1:]}$/' | xargs -rd '\\n' sync -- || exit 1
each '/[.]{_NEW[1:]}$/' | while IFS= read -r name; do
  target=${{name##*/.}}; target=${{target%{_NEW}}}
  mv -fT -- "$name" "${{name%/*}}/$target" || exit 1
done || exit 1
"""


def bundle(directories: Iterable[Directory], files: Iterable[File], open_sealed: Open) -> str:
    """Return directories and files with owners and modes as a tar archive in base64; private files are opened here."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for directory in directories:
            archive.addfile(_member(directory, directory.path, tarfile.DIRTYPE))
        for file in files:
            content = file.content.encode() if isinstance(file.content, str) else open_sealed(file.content)
            folder, _, name = file.path.rpartition("/")
            member = _member(file, f"{folder}/.{name}{_NEW}", tarfile.REGTYPE)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return base64.encodebytes(buffer.getvalue()).decode("ascii")


def _member(wanted: File | Directory, path: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path.lstrip("/"))
    member.type, member.mode, member.uname, member.gname = kind, wanted.mode, wanted.owner, wanted.group
    return member


def remove() -> str:
    """Remove the paths on standard input (NUL-separated, in base64, because a host's file names are anybody's)."""
    return "base64 -d | xargs -0r rm -rf --one-file-system --"


def paths_to_remove(paths: Iterable[str]) -> str:
    """Return paths as `remove` reads them."""
    joined = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
    return base64.encodebytes(joined).decode("ascii")


def validate(service: Service) -> str:
    """Run a service's validations in one command: each on its own costs a new session, Postfix's two seconds."""
    return " && ".join(f"{{ {command}; }}" for command in service.validate)


def take_configuration(service: Service, how: Load) -> str:
    """Make daemons load what lies on disk; what they say when they refuse goes to standard error."""
    verb = "restart" if how is Load.RESTART else "reload-or-restart"
    steps = ["systemctl daemon-reload"] if any(f.path.startswith("/etc/systemd/") for f in service.files) else []
    steps += [_or_explain(f"systemctl {verb}", unit) for unit in service.reload_units]
    return " && ".join(steps)


def unit_command(verb: str, unit: str) -> str:
    """Return a systemctl command whose failure explains itself."""
    return _or_explain(f"systemctl {verb}", unit)


def _or_explain(command: str, unit: str) -> str:
    name = shlex.quote(unit)
    explain = f"systemctl --no-pager --lines=0 status {name}; journalctl --no-pager -q -n 15 -o cat -u {name}"
    return f"{{ {command} {name} || {{ {{ {explain}; }} >&2; false; }}; }}"


def wait_for_ports(sockets: Iterable[Socket]) -> str:
    """Wait until ports are open, at most 15 seconds; fails with the one that is not."""
    steps = [_WAIT] + [f"open_within '{_pattern(s)}' '{place(s)}' || exit 1" for s in sockets]
    return "\n".join(steps)


_WAIT = f"""open_within() {{
  until cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -qE "$1"; do
    [ "$tries" -gt 0 ] || {{ echo "it runs, but nothing listens on $2" >&2; return 1; }}
    tries=$((tries - 1)); sleep 0.2
  done
}}
tries={_LISTEN_SECONDS * 5}"""


def _pattern(socket: Socket) -> str:
    # /proc/net/tcp prints addresses as little-endian words in hexadecimal; 0A is LISTEN.
    zero4, zero6 = "0" * 8, "0" * 32
    if socket.address is None:
        where = f"({zero4}|{zero6})"
    else:
        packed = ip_address(socket.address).packed
        words = "".join(packed[at : at + 4][::-1].hex().upper() for at in range(0, len(packed), 4))
        where = f"({words}|{zero6})" if len(packed) == 16 else f"({words}|{zero4}|{zero6})"
    return f"^ *[0-9]+: {where}:{socket.port:04X} [0-9A-F]+:[0-9A-F]{{4}} 0A "


def write_stamp(service: Service) -> str:
    """Note which configuration the daemons have loaded: the last step of a service, and an atomic one."""
    path = f"{STAMPS}/{service.name}"
    new = f"{STAMPS}/.{service.name}{_NEW}"
    return f"umask 077; mkdir -p {STAMPS} && printf '%s\\n' {service.digest} >{new} && mv -f {new} {path}"
