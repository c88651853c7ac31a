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
from pathlib import Path

from benchmarks.declared import PARENT, Declared, declared
from benchmarks.servers import NameServer
from sendwright.cli import collect_rarely
from sendwright.dns.providers.base import Provider
from sendwright.dns.providers.zonefile import MasterFiles

#: Cases of one zone with so many foreign records, and cases of so many domains.
ZONE, DOMAINS = ("memory", "file", "transfer"), ("one", "own")
_FEW = 10


def measured(case: str, size: int) -> dict[str, float]:
    """Measure one case of a size."""
    if case in DOMAINS:
        with declared(size, one_zone=case == "one") as those:
            plan, publish = _measured("first plan", those.plan), {"publish": _timed(those.publish)}
            return {**plan, **publish, "no-op": _timed(those.plan)}
    with declared(_FEW, one_zone=True, foreign=size) as those, _kept(case, those) as provider:
        return _measured("plan", replace(those, provider=provider).plan)


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
