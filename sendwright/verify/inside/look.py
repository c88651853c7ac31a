"""What is looked at on a host besides its files and units: one more remote script, and the strict parser of its answer.

The script starts a fixed handful of processes and changes nothing. Its answer is hostile until parsed, as that of
`sendwright.observe` is: every value travels in base64, and what does not fit is an error about the host.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from sendwright.answer import END, split
from sendwright.answer_forms import Malformed, natural
from sendwright.deploys.probe import ChrootAnswer, Smtp, chroot_ad_command, parse_chroot_ad, parse_smtp, smtp_command
from sendwright.errors import HostError
from sendwright.ssh import Runs
from sendwright.stack import Address, Host

_BEGIN = "sendwright inside 1"
_SECONDS = 180.0
_MOST_LISTENERS = 10_000
SETTINGS = (
    *("milter_default_action", "internal_mail_filter_classes", "smtp_tls_security_level", "smtp_dns_support_level"),
    *("smtpd_forbid_bare_newline", "smtpd_tls_auth_only", "smtpd_tls_protocols", "disable_vrfy_command"),
    *("smtpd_relay_restrictions", "mynetworks", "inet_protocols", "smtp_bind_address", "smtp_bind_address6"),
    *("smtp_helo_name", "smtp_tls_policy_maps"),
)
_READABLE = "/etc/opendkim /etc/dovecot /etc/sendwright /etc/postfix /var/lib/sendwright"
_SPOOL = "/var/spool/postfix"
_LISTENER = re.compile(r"(tcp|udp) +\S+ +\d+ +\d+ +(\S+):(\d{1,5}) +\S+(?: +users:\((.*)\))? *")
_SERVICE = re.compile(r"([^ /]+/[a-z-]+)/smtpd_relay_restrictions = (.*)")


@dataclass(frozen=True)
class Listener:
    """A socket that waits for others. ``kind``: tcp or udp; ``programs``: whose it is, by the names of processes."""

    kind: str
    address: Address
    port: int
    programs: frozenset[str]


@dataclass(frozen=True)
class Waiting:
    """The messages in one of Postfix's queues, and when the oldest arrived, in epoch seconds by the host's clock."""

    messages: int
    oldest: float


@dataclass(frozen=True)
class Room:
    """The file system that the queue lies on, in bytes and in inodes (0 of 0: it has no fixed number of them)."""

    size: int
    free: int
    inodes: int
    inodes_free: int


@dataclass(frozen=True)
class Inside:
    """What a host is like from the inside.

    ``processes``: how many run, by (user, command); ``sockets``: paths of Unix sockets that somebody listens on;
    ``settings``: of Postfix, those of `SETTINGS`, with their variables resolved; ``relays``: what single services say
    of relaying instead, by service; ``queue``: by its name, None where it cannot be read; ``corrupt``: messages that
    Postfix could not read; ``readable``: files with private matter that everybody may read; ``chroot``: what smtp(8)
    sees of the resolver, None where it could not ask; ``smtp``: what each port offered, or why it did not answer.
    """

    processes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    listeners: frozenset[Listener] = frozenset()
    sockets: frozenset[str] = frozenset()
    settings: Mapping[str, str] = field(default_factory=dict)
    relays: Mapping[str, str] = field(default_factory=dict)
    queue: Mapping[str, Waiting] | None = field(default_factory=dict)
    corrupt: int = 0
    readable: tuple[str, ...] = ()
    room: Room | None = None
    chroot: ChrootAnswer | None = None
    smtp: Mapping[int, Smtp | str] = field(default_factory=dict)


def look_inside(connection: Runs, ports: Iterable[int]) -> Inside:
    """Look at a host by one remote command.

    Arguments: ``ports``: of SMTP services that are asked what they offer, at the host's own address. Raises HostError
    for an answer that is none, and what `Runs.run` raises.
    """
    host, ports = connection.host, tuple(ports)
    result = connection.run(script(host, ports), timeout=_SECONDS)
    if not result.ok:
        raise HostError(host.name, f"looking inside ended with status {result.status}.", "Is /bin/sh on it a shell?")
    return parse(host, result.stdout, ports)


def script(host: Host, ports: Iterable[int]) -> str:
    """Return the POSIX shell script that prints an `Inside`."""
    # At the host's own address: no firewall in between, and no address that is trusted.
    address = next((e.bind for e in host.egress if e.bind is not None), ip_address("127.0.0.1"))
    asked = (f"( {smtp_command(address, port)} ) 2>&1 | tail -c 65536 | section smtp{_word(port)}" for port in ports)
    return "\n".join((_FACTS, f"( {chroot_ad_command()} ) 2>/dev/null | section chroot", *asked, f"echo {END}", ""))


def parse(host: Host, output: bytes, ports: Iterable[int]) -> Inside:
    """Parse what that script printed; HostError for anything else than a whole, well-formed answer."""
    try:
        found = {name: value.decode("utf-8", "replace") for name, value in split(output, _BEGIN).items()}
        return Inside(
            processes=_processes(found["processes"]),
            listeners=frozenset(_listeners(found["listeners"])),
            sockets=frozenset(found["sockets"].split()),
            settings=_settings(found["settings"]),
            relays=dict(_SERVICE.fullmatch(line).groups() for line in found["relays"].splitlines()),  # type: ignore[union-attr,misc]
            queue=_queue(found["queue"]),
            corrupt=natural(found["corrupt"].strip()),
            readable=tuple(found["readable"].splitlines()),
            room=_room(found["room"]),
            chroot=_chroot(host, found["chroot"]),
            smtp={port: parse_smtp(found[f"smtp{_word(port)}"]) for port in ports},
        )
    except (Malformed, ValueError, KeyError, AttributeError, OverflowError) as error:
        part = str(error) if isinstance(error, Malformed) else "a value out of form"
        raise HostError(
            host.name, f"it answered something else than what was asked ({part}).", "Does its login print text?"
        ) from error


def _word(port: int) -> str:
    # Names of sections are letters.
    return "".join(chr(ord("a") + int(digit)) for digit in str(port))


def _processes(text: str) -> dict[tuple[str, str], int]:
    # A process may have taken its name away.
    rows = (line.partition(" ") for line in text.splitlines())
    return dict(Counter((user, command.strip()) for user, _, command in rows))


def _listeners(text: str) -> Iterator[Listener]:
    lines = text.splitlines()
    if len(lines) > _MOST_LISTENERS:
        raise Malformed("too many sockets")
    for line in lines:
        found = _LISTENER.fullmatch(line)
        if not found:
            raise Malformed("a socket")
        address = found[2].partition("%")[0].strip("[]")
        programs = frozenset(re.findall(r'\("([^"]+)"', found[4] or ""))
        yield Listener(found[1], ip_address("::" if address == "*" else address), int(found[3]), programs)


def _settings(text: str) -> dict[str, str]:
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in text.splitlines())}


def _queue(text: str) -> dict[str, Waiting] | None:
    lines = text.splitlines()
    if "unreadable" in lines:
        return None
    rows = (line.split() for line in lines)
    return {name: Waiting(natural(messages), float(natural(oldest))) for name, messages, oldest in rows}


def _room(text: str) -> Room | None:
    # A file system without a fixed number of inodes says "-".
    words = ["0" if word == "-" else word for word in text.split()]
    if not words:
        return None
    size, free, inodes, inodes_free = map(natural, words)
    return Room(size * 1024, free * 1024, inodes, inodes_free)


def _chroot(host: Host, text: str) -> ChrootAnswer | None:
    try:
        return parse_chroot_ad(host, text)
    except HostError:
        return None


# Processes of this machine only: it may hold containers with a Postfix of their own. postqueue prints a line of JSON a
# message, in this order of fields, with quotes in strings escaped; of a long queue only sums travel.
_FACTS = rf"""export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
section() {{ printf '%s ' "$1"; head -c 4194304 | base64 -w0; echo; }}
echo '{_BEGIN}'
own=$(ps -o pidns= -p $$ | tr -d ' ')
ps -eo pidns=,user:32=,comm= | sed -n "s/^ *$own  *//p" | section processes
ss -Hlntup 2>/dev/null | section listeners
ss -Hlx 2>/dev/null | awk '{{ print $5 }}' | grep '^{_SPOOL}/' | section sockets
postconf -x {" ".join(SETTINGS)} 2>/dev/null | section settings
postconf -P '*/*/smtpd_relay_restrictions' 2>/dev/null | section relays
waiting() {{ command -v postqueue >/dev/null && timeout 90 postqueue -j || echo unreadable; }}
arrived='^{{"queue_name": "\([a-z]*\)", "queue_id": "[0-9A-Za-z]*", "arrival_time": \([0-9]*\), .*'
waiting 2>/dev/null | sed "s/$arrived/\1 \2/" | awk '
  NF == 2 && $1 ~ /^[a-z]+$/ && $2 ~ /^[0-9]+$/ {{ n[$1]++; if (!($1 in o) || $2 + 0 < o[$1]) o[$1] = $2 + 0; next }}
  {{ bad = 1 }}
  END {{ for (q in n) printf "%s %d %.0f\n", q, n[q], o[q]; if (bad) print "unreadable" }}' | section queue
find {_SPOOL}/corrupt -type f 2>/dev/null | wc -l | section corrupt
find {_READABLE} -type f -perm -o=r -exec grep -lE 'PRIVATE KEY|\$argon2' {{}} + 2>/dev/null |
  head -n 20 | section readable
df -k --output=size,avail,itotal,iavail {_SPOOL} 2>/dev/null | sed -n 2p | section room"""
