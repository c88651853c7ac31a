"""Take the next generation for a state folder, and hand it to the hosts: of two controllers, one comes to a stop.

The folder takes it first: a run that dies in between leaves hosts behind the folder, which is what they may be. Then
the hosts, in the order of their names and the first of them alone, so that of two controllers that begin together one
is refused there, with nothing written anywhere.
"""

import os
import pwd
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from sendwright import generation
from sendwright.connections import Fleet
from sendwright.deploys.generation import (
    Answer,
    look_command,
    parse_answer,
    return_command,
    return_input,
    swap_command,
    swap_input,
)
from sendwright.errors import HostError, StateError
from sendwright.generation import Generation, Lineage
from sendwright.observation import Observation
from sendwright.ssh import Connection
from sendwright.state.folder import StateFolder


def claim(fleet: Fleet, folder: StateFolder, push: Callable[[], None]) -> None:
    """Take the next generation, and have every host that is well hold it: one remote command each.

    ``push``: make the folder durable: on a runner that is thrown away the generation would be lost, and hosts would
    refuse the next one. Raises StateError, with nothing more written, when that fails or a host follows another folder.
    A host that does not answer is given up; it takes a later generation when it is back.
    """
    before = folder.lineage()
    after = generation.following(before, secrets.token_hex(16), datetime.now(UTC), _controller())
    folder.save_lineage(after)
    try:
        push()
    except StateError:
        folder.save_lineage(before)
        raise
    given_up = {*fleet.errors}
    answers: dict[str, Answer] = {}
    for name in sorted(fleet.well):
        answers |= fleet.each([name], lambda connection: _swap(connection, after))
        if answers:
            break
    if all(answer.taken for answer in answers.values()):
        rest = sorted({*fleet.well} - answers.keys())
        answers |= fleet.each(rest, lambda connection: _swap(connection, after))
    refused = {name: answer.held for name, answer in answers.items() if not answer.taken}
    if refused and _returned(fleet, after, answers) and given_up == {*fleet.errors}:
        # No host knows of it, so it never was.
        folder.save_lineage(before)
    _refuse(before, refused)
    for name in refused:
        fleet.give_up(name, HostError(name, "it refused what it should have taken; nothing was changed on it."))


def _returned(fleet: Fleet, after: Lineage, answers: Mapping[str, Answer]) -> bool:
    """Have the hosts that took a generation hold again what they held; return whether all do.

    Two controllers whose first hosts differ may each have taken some: whoever goes on needs them all.
    """
    taken = {name: answer.held for name, answer in answers.items() if answer.taken}

    def put_back(connection: Connection) -> bool:
        given = return_input(after, taken[connection.host.name])
        return connection.run(return_command(), given.encode()).ok

    done = fleet.each(sorted(taken), put_back)
    return all(done.get(name) for name in taken)


def refuse_older(folder: StateFolder, observations: Mapping[str, Observation], *, begun: bool = False) -> None:
    """Raise StateError when a host that was looked at follows another folder. ``begun``: this run has written."""
    _refuse(folder.lineage(), {name: seen.generation for name, seen in observations.items()}, begun=begun)


def compare(fleet: Fleet, folder: StateFolder) -> None:
    """Raise StateError when a host has followed another folder since; one remote command a host, and nothing else."""
    answers = fleet.each(sorted(fleet.well), _look)
    _refuse(folder.lineage(), {name: answer.held for name, answer in answers.items()}, begun=True)


def _refuse(lineage: Lineage | None, held: Mapping[str, Generation | None], *, begun: bool = False) -> None:
    if error := generation.refusal(lineage, held, begun=begun):
        raise error


def _swap(connection: Connection, after: Lineage) -> Answer:
    return _asked(connection, swap_command(), swap_input(after))


def _look(connection: Connection) -> Answer:
    return _asked(connection, look_command())


def _asked(connection: Connection, script: str, given: str = "") -> Answer:
    host = connection.host.name
    result = connection.run(script, given.encode())
    if not result.ok:
        what = f"it could not take down that this run writes (status {result.status}); nothing was changed on it."
        raise HostError(host, what, f"Can root write to {generation.PATH} on it? Is another run at it?")
    return parse_answer(host, result.stdout)


def _controller() -> str:
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return generation.controller(user, os.uname().nodename)
