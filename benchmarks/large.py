"""One large measurement in a process and memory of its own: ``python -m benchmarks.large CASE SIZE``.

Prints, as JSON, seconds of computing by what was done, and MiB by which the memory grew at its peak.
"""

import gc
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.declared import PARENT, Declared, declared
from benchmarks.rotation import Domains, domains
from benchmarks.servers import NameServer
from sendwright import issuing
from sendwright.cli import collect_rarely
from sendwright.dns.providers.base import Provider
from sendwright.dns.providers.zonefile import MasterFiles
from sendwright.state.folder import StateFolder

#: Cases of one zone with so many foreign records, cases of so many domains, and cases of so many keys to rotate.
ZONE, DOMAINS, ROTATION = ("memory", "file", "transfer"), ("one", "own"), ("rotate",)
_FEW = 10


def measured(case: str, size: int) -> dict[str, float]:
    """Measure one case of a size."""
    if case in ROTATION:
        with domains(size) as due:
            return _rotated(due)
    if case in DOMAINS:
        with declared(size, one_zone=case == "one") as those:
            plan, publish = _measured("first plan", those.plan), {"publish": _timed(those.publish)}
            return {**plan, **publish, "no-op": _timed(those.plan)}
    with declared(_FEW, one_zone=True, foreign=size) as those, _kept(case, those) as provider:
        return _measured("plan", replace(those, provider=provider).plan)


def _rotated(due: Domains) -> dict[str, float]:
    """Measure a whole rotation: what the hosts and name servers of the benchmark compute is not counted."""

    def seconds(run: Callable[[], object]) -> float:
        # Of all threads: keys are made by several.
        started, foreign = time.process_time(), due.foreign_seconds
        run()
        return time.process_time() - started - (due.foreign_seconds - foreign)

    keys = [(domain, a) for domain in due.declared.stack.domains if domain.dkim.rotate for a in domain.dkim.algorithms]
    with TemporaryDirectory(dir=due.declared.folder) as aside:
        folder = StateFolder(Path(aside), due.declared.stack.key_store, due.declared.folder)
        making = seconds(lambda: issuing.generate(folder, keys, datetime.now(UTC)))
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak()
    switch = seconds(due.rotate)
    found = {"make the keys alone": making, "new keys sign": switch, "MiB": _peak() - before}
    found["only clocks run"] = seconds(due.rotate)
    for words in ("clocks of others", "revoke", "remove"):
        due.age(timedelta(days=20 if words != "remove" else 40))
        found[words] = seconds(due.rotate)
    return {**found, "nothing due": seconds(due.rotate)}


@contextmanager
def _kept(case: str, those: Declared) -> Iterator[Provider]:
    if case == "memory":
        yield those.provider
    elif case == "file":
        path = those.folder.path.parent / f"{PARENT}.zone"
        with path.open("w") as file:
            file.write(f"$ORIGIN {PARENT}.\n@ 60 IN SOA ns h 7 60 60 600 60\n")
            file.writelines(f"{s.name}. {s.ttl} IN {s.type} {s.values[0]}\n" for s in those.held[PARENT].values())
        yield MasterFiles(path.parent, 0)
    else:
        with NameServer(PARENT, tuple(those.held[PARENT].values())).serving() as provider:
            yield provider


def _measured(name: str, run: Callable[[], object]) -> dict[str, float]:
    gc.collect()
    # The peak so far is forgotten: making what is planned for is not the plan (proc(5)).
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak()
    return {name: _timed(run), "MiB": _peak() - before}


def _timed(run: Callable[[], object]) -> float:
    # Of this thread alone: a server that a case needs runs beside it.
    started = time.thread_time()
    run()
    return time.thread_time() - started


def _peak() -> float:
    found = re.search(r"^VmHWM:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


if __name__ == "__main__":
    collect_rarely()  # as the command line does
    print(json.dumps(measured(sys.argv[1], int(sys.argv[2]))))
