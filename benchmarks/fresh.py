"""A bare host becomes a sending server: provisioned, against a raw shell script that does the same work."""

import io
import shlex
import tarfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from benchmarks.measure import Contender, Result, Series, interleaved
from benchmarks.worlds import RELEASE, example, provisioned, world
from sendwright import issuing, planning
from sendwright.rehearse import World
from sendwright.secrets import resolve
from sendwright.service import Running, Sealed, Service
from sendwright.ssh import connect
from sendwright.stack import Host, Stack
from sendwright.state.folder import StateFolder

ROUNDS = 3


def measure(rounds: int) -> Result:
    """Measure each round on two bare hosts of a world of its own; bringing that up is not counted."""
    taken = [_round(example()) for _ in range(rounds)]
    names = [series.name for series in taken[0]]
    series = tuple(Series(n, tuple(s for r in taken for x in r if x.name == n for s in x.seconds)) for n in names)
    note = "provisioning also makes keys, publishes DNS, waits until it is served, and proves every key by a probe"
    return Result("fresh: a bare Debian 12 host", series, series[-1].name, (note,))


def _round(stack: Stack) -> tuple[Series, ...]:
    first = stack.hosts[0]
    second = Host.model_validate({**first.model_dump(), **_SECOND})
    with world(stack.model_copy(update={"hosts": (first, second)}), "fresh") as built:
        # Provisioning is limited to its own host, so nobody else makes the script's certificate.
        declared = built.declared
        other = declared.stack.host(second.name)
        issuing.renew_certificate(other, StateFolder.of(declared), declared.folder, datetime.now(UTC))
        ours = Contender("sendwright provision", lambda: provisioned(built, "--limit", first.name))
        raw = Contender("raw shell script", lambda: _run_script(built, second.name))
        # The script installs the keys that provisioning has made, so it comes second.
        return interleaved((ours, raw), 1, warm=False)


_SECOND = {
    "name": "mx2.example.com",
    "ssh": {"hostname": "mx2.example.com"},
    "egress": ({"public": "203.0.113.11"}, {"public": "2001:db8::11"}),
}


def _run_script(built: World, name: str) -> None:
    declared = built.declared
    folder = StateFolder.of(declared)
    host = declared.stack.host(name)
    services = planning.services(declared.stack, host, RELEASE, folder.load())
    with built.lab.inside(), connect(host, declared.folder, secret=resolve) as connection:
        result = connection.run(script(services), archive(services, folder.open), timeout=300)
    if not result.ok:
        raise RuntimeError(f"the raw script failed: {result.stderr.decode(errors='replace')[-2000:]}")


def script(services: Iterable[Service]) -> str:
    """Return what somebody in a hurry would write: install, unpack the files from standard input, start. Pure."""
    services = tuple(services)
    packages = sorted({p for s in services for p in s.packages})
    up = _units(services, lambda state: state is Running.UP)
    return "\n".join(
        (
            "set -e",
            "export DEBIAN_FRONTEND=noninteractive",
            # As every deploy does: daemons must not run with package defaults.
            r"printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d",
            f"apt-get install -qy --no-install-recommends {_words(packages)} >/dev/null 2>&1",
            "rm /usr/sbin/policy-rc.d",
            *(
                f"id {u.name} >/dev/null 2>&1 || useradd --system --home-dir {u.home} {u.name}"
                for s in services
                for u in s.users
            ),
            *(f"usermod -aG {group} {user}" for s in services for user, group in s.memberships),
            *(
                f"install -d -o {d.owner} -g {d.group} -m {d.mode:o} {shlex.quote(d.path)}"
                for s in services
                for d in s.directories
            ),
            *(f"rm -rf {shlex.quote(path)}" for s in services for path in s.absent),
            "tar -xp --same-owner -C / -f -",
            "systemctl daemon-reload",
            *(f"systemctl mask {u}" for u in _units(services, lambda state: state is Running.MASKED)),
            *(f"systemctl disable --now {u} || :" for u in _units(services, lambda state: state is Running.DOWN)),
            *(command for s in services for command in s.validate),
            f"systemctl enable {_words(up)} 2>/dev/null || :",
            f"systemctl restart {_words(up)}",
        )
    )


def archive(services: Iterable[Service], open_sealed: Callable[[Sealed], bytes]) -> bytes:
    """Return the services' files as a tar archive, with owners by name."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for file in (f for s in services for f in s.files):
            data = open_sealed(file.content) if isinstance(file.content, Sealed) else file.content.encode()
            entry = tarfile.TarInfo(file.path.lstrip("/"))
            entry.size, entry.mode, entry.uname, entry.gname = len(data), file.mode, file.owner, file.group
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def _units(services: Iterable[Service], wanted: Callable[[Running], bool]) -> list[str]:
    return [unit.name for s in services for unit in s.units if wanted(unit.state)]


def _words(words: Iterable[str]) -> str:
    return " ".join(map(shlex.quote, words))
