"""One remote command that reports the state of everything that is managed on a host.

The script is derived from the desired state; which release a host runs is not known beforehand, so it looks at all
that either release wants and lets the host's own VERSION_ID choose which contents count as differing. It starts a
fixed handful of processes, however many domains there are, and changes nothing.
"""

import shlex
from collections.abc import Iterable, Mapping

from sendwright.answer import BEGIN, CONTENT_LIMIT, END, TABLE_LIMIT, parse
from sendwright.errors import HostError
from sendwright.generation import READ
from sendwright.observation import Observation
from sendwright.service import Release, Service
from sendwright.signing import PROBE
from sendwright.ssh import Runs

Desired = Mapping[Release, tuple[Service, ...]]

STATE_DIR = "/var/lib/sendwright"
STAMPS = f"{STATE_DIR}/loaded"
MANAGED = f"{STATE_DIR}/managed"
POLICY = "/usr/sbin/policy-rc.d"
POLICY_SAVED = f"{POLICY}.before-sendwright"
POLICY_MARK = "# sendwright holds daemon starts back"

# Process names (Postfix's is "master") and queues of the mail servers that Debian ships.
_MAIL_DAEMONS = (
    *("exim4", "exim", "master", "sendmail", "sendmail-mta", "smtpd", "qmail-send", "qmail-smtpd"),
    *("courieresmtpd", "courierd", "nullmailer-send", "opensmtpd", "dma", "citserver"),
)
_QUEUES = (
    *(f"/var/spool/postfix/{name}" for name in ("maildrop", "incoming", "active", "deferred", "hold")),
    *("/var/spool/exim4/input", "/var/spool/mqueue", "/var/spool/mqueue-client", "/var/spool/smtpd/queue"),
    *("/var/qmail/queue/mess", "/var/spool/nullmailer/queue", "/var/spool/dma"),
)
_MOST_CONTENTS = 64
# What the names of files that hold a signer's tables end in.
_TABLES = (".signingtable", ".keytable")


def observe(connection: Runs, desired: Desired, timeout: float = 60.0, *, queues: bool = False) -> Observation:
    """Look at a host with one remote command and change nothing.

    Arguments: ``desired``: the services that each release would get; ``timeout`` in seconds; ``queues``: see `script`.
    Raises HostError for an answer that is none, and what `Connection.run` raises.
    """
    name = connection.host.name
    result = connection.run(script(desired, queues=queues), timeout=timeout)
    if not result.ok:
        raise HostError(
            name, f"looking at it ended with status {result.status}.", "Is /bin/sh on it a POSIX shell, with coreutils?"
        )
    return parse(name, result.stdout, units(desired), queues=queues)


def units(desired: Desired) -> tuple[str, ...]:
    """Return the units that are asked for, in the order in which they are asked for."""
    return _unique(name for s in _services(desired) for name in (*(unit.name for unit in s.units), *s.reload_units))


def script(desired: Desired, *, queues: bool = False) -> str:
    """Return the POSIX shell script that prints an Observation; the same for either release.

    Arguments: ``queues``: look at what mail waits, too, and at what the signers' tables hold that differ: these are
    for whoever asks by which keys mail was signed, and reading a long queue takes seconds.
    """
    services = _services(desired)
    files = _unique(f.path for s in services for f in s.files)
    paths = _unique(
        (*files, *(d.path for s in services for d in s.directories), *(p for s in services for p in s.absent))
    )
    users = _unique((*(u.name for s in services for u in s.users), *(u for s in services for u, _ in s.memberships)))
    groups = _unique(
        (*(g for s in services for u in s.users for g in u.groups), *(g for s in services for _, g in s.memberships))
    )
    exclusive = _unique(d.path for s in services for d in s.directories if d.exclusive)
    return "\n".join(
        (
            _FACTS,
            _function("paths", paths),
            _function("files", files),
            *_wanted(desired),
            _command("packages", _DPKG, _unique(p for s in services for p in s.packages)),
            _command("users", "getent passwd", users),
            _command("groups", "getent group", groups),
            _command("units", _UNITS, units(desired)),
            _command("entries", "found", exclusive),
            _PATHS,
            *((_function("tables", (f for f in files if f.endswith(_TABLES))), _SIGNED) if queues else ()),
            f"echo {END}",
            "",
        )
    )


def _services(desired: Desired) -> tuple[Service, ...]:
    return tuple(service for release in Release for service in desired.get(release, ()))


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _function(name: str, lines: Iterable[str]) -> str:
    return "\n".join((f"{name}() {{ cat <<'SENDWRIGHT'", *lines, "SENDWRIGHT", "}"))


def _wanted(desired: Desired) -> tuple[str, ...]:
    """Functions that print ``sha256  path`` of every public file of a release; the host calls its own release's."""
    return tuple(
        _function(
            f"wanted_{release.value}",
            _unique(f"{f.sha256}  {f.path}" for s in desired.get(release, ()) for f in s.files if not f.private),
        )
        for release in Release
    )


def _command(section: str, command: str, arguments: tuple[str, ...]) -> str:
    # Without arguments these commands would list everything that the host has.
    words = " ".join(map(shlex.quote, arguments))
    return f"{{ {command} {words}; }} 2>/dev/null | section {section}" if words else f": | section {section}"


_UNITS = "systemctl show --timestamp=us+utc --property=LoadState,ActiveState,UnitFileState,ActiveEnterTimestamp --"
_DPKG = r"dpkg-query -W -f='${Package}\t${Version}\t${db:Status-Abbrev}\n'"

_FACTS = rf"""export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
section() {{ printf '%s ' "$1"; base64 -w0; echo; }}
flag() {{ if [ "$1" = 0 ]; then echo yes; else echo no; fi; }}
found() {{ find "$@" -mindepth 1 -printf '%y\0%p\0'; }}
echo '{BEGIN}'
ID= VERSION_ID=
[ -r /etc/os-release ] && . /etc/os-release
user=$(id -u)
systemd=no; [ -d /run/systemd/system ] && systemd=yes
disk=$(df -Pk /var 2>/dev/null | sed -n '2s/^[^ ]* *[0-9]* *[0-9]* *\([0-9]*\) .*/\1/p')
printf '%s\0' "$ID" "$VERSION_ID" "$user" "$(date +%s.%N)" "$systemd" "${{disk:-0}}" | section system
case "$user/$ID/$VERSION_ID" in
  {"|".join(f"0/debian/{release.value}" for release in Release)}) ;;
  *) echo {END}; exit 0 ;;
esac
cat /proc/net/fib_trie 2>/dev/null | section vfour
cat /proc/net/if_inet6 2>/dev/null | section vsix
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep ' 0A ' | section tcp
find {STAMPS} -type f -printf '%p\0%T@\0' 2>/dev/null | section stamps
grep -Hs '' {STAMPS}/* | section digests
cat /proc/[0-9]*/comm 2>/dev/null | grep -xE '{"|".join(_MAIL_DAEMONS)}' | section mail
find {" ".join(_QUEUES)} -type f 2>/dev/null | wc -l | section queue
[ -e {MANAGED} ]; flag $? | section managed
grep -qs '^{POLICY_MARK}' {POLICY} || [ -e {POLICY_SAVED} ]; flag $? | section held
{{ {READ}; }} | section generation"""

# The contents section: a line of "hash  path" that the host has and nobody wants, or the other way round, is unique in
# the union of both lists; the paths among them that are wanted and are plain files are those whose diff a plan shows.
_PATHS = rf"""plain() {{
  xargs -r -d '\n' sh -c 'for f; do [ -f "$f" ] && [ ! -L "$f" ] && printf "%s\n" "$f"; done; :' sh
}}
paths | xargs -r -d '\n' stat --printf='%n\0%F\0%U\0%G\0%a\0%.9Z\0' 2>/dev/null | section stat
hashes=$(files | plain | xargs -r -d '\n' sha256sum)
printf '%s\n' "$hashes" | sed '/^$/d' | section hashes
unmatched() {{ {{ "wanted_$VERSION_ID"; printf '%s\n' "$hashes"; }} | sort | uniq -u | cut -c67- | sort -u; }}
differing=$({{ unmatched; "wanted_$VERSION_ID" | cut -c67- | sort -u; }} | sort | uniq -d | sed '/^$/d' | plain)
printf '%s\n' "$differing" | sed '/^$/d' | head -n {_MOST_CONTENTS} | while IFS= read -r f; do
  printf '%s\t' "$f"; head -c {CONTENT_LIMIT + 1} -- "$f" | base64 -w0; echo
done | section contents"""

# postqueue prints a line of JSON a message, in this order of fields, with quotes in strings escaped. A line of another
# form is sorted before all numbers, so that it is the answer, and no observation.
_SIGNED = rf"""postconf -hx maximal_queue_lifetime bounce_queue_lifetime 2>/dev/null | section lifetime
queued() {{
  command -v postqueue >/dev/null || return 0
  postqueue -j 2>/dev/null || echo unreadable
}}
arrived='^{{"queue_name": "[a-z]*", "queue_id": "[0-9A-Za-z]*", "arrival_time": \([0-9]*\), .*'
oldest=$(queued | sed "s/$arrived/\1/" | sort -n | sed -n '1s/^\(.\{{1,40\}}\).*/\1/p')
printf '%s\n' "${{oldest:-none}}" | section oldest
{{ printf '%s\n' "$differing"; tables; }} | sort | uniq -d | sed '/^$/d' | while IFS= read -r f; do
  printf '%s\t' "$f"
  sed -e '/^#/d' -e '/^{PROBE}/d' -- "$f" | head -c {TABLE_LIMIT + 1} | gzip -nc | base64 -w0; echo
done | section tables"""
