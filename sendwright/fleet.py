"""Several hosts at once: each converges in a process of its own, and what fails on one stops no other.

Private files travel to the process by its pipe: never by arguments, environment or disk.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from sendwright.declared import EnvSecret
from sendwright.engine import Job, Outcome, converge_job
from sendwright.errors import ConvergeFailed, SendwrightError
from sendwright.secrets import inheritable

# A process holds pyinfra and one host's files, some 80 MB.
_MOST_AT_ONCE = 8

Report = Callable[[str, str], None]


@dataclass(frozen=True)
class _Line:
    text: str


@dataclass(frozen=True)
class _Running:
    job: Job = field(repr=False)
    process: BaseProcess
    pipe: Pipe


def converge_all(
    jobs: Iterable[Job], base: Path, report: Report, *, accept_unknown: bool = False, at_once: int = _MOST_AT_ONCE
) -> dict[str, Outcome | SendwrightError]:
    """Converge hosts in parallel and return for each its outcome or its error, by host name.

    Arguments: ``jobs``: from `engine.job`; ``base``: the inventory folder; ``report`` gets a host's name and a line of
    progress; ``at_once``: how many at a time. Raises nothing for a host's failure.
    """
    waiting = list(jobs)
    running: list[_Running] = []
    results: dict[str, Outcome | SendwrightError] = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                running.append(_start(waiting.pop(0), base, accept_unknown))
            for ended in _listen(running, report, results):
                running.remove(ended)
    finally:
        # Only after an exception here (Ctrl-C): a host that is left in the middle is healed by the next run.
        for each in running:
            each.process.terminate()
    return results


def _start(job: Job, base: Path, accept_unknown: bool) -> _Running:
    # spawn: a forked child would inherit the parent's threads' locks, sockets and the key store's passphrase.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, base, accept_unknown), name=job.host.name, daemon=True)
    with _environment_for(job):
        process.start()
    theirs.close()
    ours.send(job)
    return _Running(job, process, ours)


@contextlib.contextmanager
def _environment_for(job: Job) -> Iterator[None]:
    """Keep our variables with secrets from a process that starts meanwhile, but for that of its own SSH key."""
    password = job.host.ssh.key_password
    kept = inheritable({password.env} if isinstance(password, EnvSecret) else ())
    withheld = {name: os.environ.pop(name) for name in os.environ.keys() - kept.keys()}
    try:
        yield
    finally:
        os.environ.update(withheld)


def _listen(
    running: list[_Running], report: Report, results: dict[str, Outcome | SendwrightError]
) -> Iterator[_Running]:
    for pipe in wait([each.pipe for each in running]):
        each = next(r for r in running if r.pipe is pipe)
        name = each.job.host.name
        try:
            message = each.pipe.recv()
        except EOFError:
            what = "the process that converged it ended without a result."
            message = ConvergeFailed(name, what, "Run again: it goes on from here.")
        if isinstance(message, _Line):
            report(name, message.text)
            continue
        results[name] = message
        each.process.join(10)
        yield each


def _work(pipe: Pipe, base: Path, accept_unknown: bool) -> None:
    """Converge one host in a process of its own; everything of importance goes home by the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    job: Job = pipe.recv()
    try:
        pipe.send(converge_job(job, base, lambda line: pipe.send(_Line(line)), accept_unknown=accept_unknown))
    except SendwrightError as error:
        pipe.send(error)
    except Exception as error:
        what = f"converging it failed unexpectedly ({type(error).__name__}: {str(error)[:200]})."
        pipe.send(ConvergeFailed(job.host.name, what, "This is a mistake in sendwright: please report it."))


def _end_with_parent() -> None:
    # A killed controller must not leave somebody behind who goes on changing hosts while the next run starts.
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
