"""What a host lacks before anything is changed on it, and what only a person can do about it; pure but for a probe."""

import shlex
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from sendwright.errors import HostError
from sendwright.observation import Observation
from sendwright.service import Release, Service
from sendwright.ssh import Runs
from sendwright.stack import Host

# Signatures, TLS and TSIG tolerate minutes (RFC 8945 section 5.2.3: 300 s); a clock that runs at all is far closer.
_CLOCK_SECONDS = 60
_DISK_BYTES = 500 * 1024 * 1024
_DAEMONS = {"master": "Postfix", "exim4": "Exim", "exim": "Exim", "smtpd": "OpenSMTPD", "qmail-send": "qmail"}


class Outbound(StrEnum):
    """Whether a host can reach port 25 of others."""

    OPEN = "open"
    BLOCKED = "blocked"
    UNKNOWN = "cannot tell"


def problems(host: Host, observation: Observation, now: datetime, services: Iterable[Service] = ()) -> tuple[str, ...]:
    """Return what forbids to change a host; with any of it, nothing is changed.

    Arguments: ``now``: the controller's clock, with a time zone; ``services``: what it should run. Each problem is a
    sentence that says what to do.
    """
    supported = " or ".join(r.value for r in Release)
    found = []
    if observation.release is None:
        found.append(f"It runs {observation.system or 'an unknown system'}; Debian {supported} is needed.")
    if not observation.root:
        found.append(
            "The login is not root; log in as root, or set _sudo for a user that may use sudo without a password."
        )
    if not observation.systemd:
        found.append(
            "It was not booted with systemd, which starts and watches the daemons; a container may need --boot."
        )
    off = observation.clock - now.timestamp()
    if abs(off) > _CLOCK_SECONDS:
        where = "ahead of" if off > 0 else "behind"
        found.append(
            f"Its clock is {abs(off):.0f} s {where} this machine's; install and start systemd-timesyncd or chrony."
        )
    if observation.disk_free < _DISK_BYTES:
        found.append(f"/var has {observation.disk_free // 1024**2} MB free; 500 MB are needed.")
    if observation.release is not None and observation.root:
        found += [*_unbound(host, observation), *_foreign_server(host, observation)]
        found += [sentence for service in services for sentence in _foreign_web(service, observation)]
    return tuple(found)


def needed(host: Host, outbound: Outbound | None) -> tuple[str, ...]:
    """Return what only a person can do for a host, given what `outbound_25` found (for its PTR see `dns.reverse`)."""
    if outbound is not Outbound.BLOCKED:
        return ()
    return (f"{host.name} cannot reach port 25 of other hosts: ask its provider to open it (many clouds block it).",)


def outbound_25(connection: Runs, name: str, timeout: int = 5) -> Outbound:
    """Ask a host to connect to a mail exchanger's port 25 and say nothing; one remote command.

    Arguments: ``name``: a host that takes mail from anybody; ``timeout`` in seconds. What does not resolve or has no
    route says nothing about a firewall.
    """
    script = f"""export LC_ALL=C
addresses=$(timeout {2 * timeout} getent ahosts {shlex.quote(name)} | awk '/STREAM/ {{ print $1 }}' | sort -u)
[ -n "$addresses" ] || {{ echo unknown; exit 0; }}
verdict=unknown
for address in $(echo $addresses | cut -d ' ' -f 1-4); do
  error=$(timeout {timeout} bash -c 'exec 3<>"/dev/tcp/$0/25"' "$address" 2>&1) && {{ echo open; exit 0; }}
  status=$?
  case "$status/$error" in 124/*|*refused*|*"timed out"*|*prohibited*) verdict=blocked ;; esac
done
echo $verdict"""
    answer = connection.run(script, timeout=4.0 * timeout + 30).stdout.decode(errors="replace").split()
    verdicts = {"open": Outbound.OPEN, "blocked": Outbound.BLOCKED, "unknown": Outbound.UNKNOWN}
    if len(answer) != 1 or answer[0] not in verdicts:
        raise HostError(
            connection.host.name, "the probe of port 25 gave no verdict.", "Has the host bash and coreutils?"
        )
    return verdicts[answer[0]]


def _unbound(host: Host, observation: Observation) -> list[str]:
    missing = [e for e in host.egress if e.bind is not None and e.bind not in observation.addresses]
    return [
        f"{e.bind} is not an address of it, so mail cannot leave from there; configure it, or, behind 1:1 NAT, "
        f'set its private one: {{"public": "{e.public}", "bind": "…"}}, or None to let the kernel choose.'
        for e in missing
    ]


def _foreign_server(host: Host, observation: Observation) -> list[str]:
    if observation.managed or host.adopt or not (observation.mail_servers or _port_25(observation)):
        return []
    names = ", ".join(sorted({_DAEMONS.get(n, n) for n in observation.mail_servers})) or "something on port 25"
    waiting = f"{observation.queued} messages in its queue" if observation.queued != 1 else "1 message in its queue"
    what = f"It already runs a mail server ({names}, {waiting}) that is not ours"
    return [f"{what}; set adopt: true to take it over (its configuration is backed up, its queue kept), or remove it."]


def _foreign_web(service: Service, observation: Observation) -> list[str]:
    """A web server of somebody's is never taken over: its sites would be gone."""
    running = (observation.units.get(unit) for unit in service.reload_units)
    if service.name != "web" or any(unit is not None and unit.running for unit in running):
        return []
    ours = {socket.port for socket in service.listens}
    if not (taken := sorted({port for _, port in observation.listening if port in ours})):
        return []
    ports = f"port{'s' if len(taken) > 1 else ''} {' and '.join(map(str, taken))}"
    what = f"Somebody else's server listens on {ports}, where policies of MTA-STS and answers to the authority belong"
    without = 'mta_sts "off" for its domains, challenge "dns-01", renewal "controller"'
    return [f"{what}; remove it, or do without both: {without}."]


def _port_25(observation: Observation) -> bool:
    return any(port == 25 for _, port in observation.listening)
