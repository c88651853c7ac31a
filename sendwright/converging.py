"""Hosts are brought to what they should run, in parallel; those that fail are given up, and stop no other."""

from collections.abc import Callable, Mapping
from pathlib import Path

from sendwright import engine
from sendwright.connections import Fleet
from sendwright.errors import PassphraseError, PreflightFailed, SendwrightError, StateError
from sendwright.fleet import converge_all
from sendwright.service import Service
from sendwright.state.folder import StateFolder

Jobs = Mapping[str, tuple[Service, ...]]


def converge(fleet: Fleet, folder: StateFolder, base: Path, jobs: Jobs, report: Callable[[str, str], None]) -> None:
    """Converge hosts, and give up those that fail.

    Arguments: ``folder`` opens private files; ``base``: the inventory folder; ``jobs``: what each host should run, by
    its name; ``report`` gets a host's name and a line of progress. Raises PassphraseError: no host gets any private
    file without it.
    """
    found = [job for name, services in jobs.items() if (job := _job(fleet, folder, name, services))]
    for name, outcome in converge_all(found, base, report, accept_unknown=fleet.trust_new_hosts).items():
        if isinstance(outcome, SendwrightError):
            fleet.give_up(name, outcome)


def _job(fleet: Fleet, folder: StateFolder, name: str, services: tuple[Service, ...]) -> engine.Job | None:
    try:
        return engine.job(fleet.hosts[name], services, folder.open)
    except PassphraseError:
        raise
    except StateError as error:
        fleet.give_up(name, PreflightFailed(name, f"{error.what} Nothing was changed on it.", error.hint))
        return None
