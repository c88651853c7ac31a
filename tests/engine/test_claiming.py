"""Compare-and-swap of generations: the real commands under a real shell, each host a folder of its own."""

import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sendwright import claiming
from sendwright.claiming import compare
from sendwright.connections import Fleet
from sendwright.deploys.generation import return_command, return_input
from sendwright.errors import HostError, StateError, Unreachable
from sendwright.generation import PATH, Generation, held_by
from sendwright.ssh import Connection, Result
from sendwright.stack import Host, KeyStore
from sendwright.state.folder import StateFolder

NAMES = ("mx1.example.com", "mx2.example.com", "mx3.example.com")
LIB = PATH.rpartition("/")[0]


@dataclass
class Here(Connection):
    """A host that is a folder: what it is asked runs on this machine, with its own /var/lib/sendwright."""

    def run(self, script: str, stdin: bytes = b"", timeout: float = 20.0) -> Result:
        """Run a script; a host without a folder is down."""
        if not self.root.is_dir():
            raise Unreachable(self.host.name, "no answer.")
        self.commands += 1
        text = script.replace(LIB, str(self.root / "lib")).encode()
        command = ["sh", "-c", f'eval "$(head -c {len(text)})"']
        done = subprocess.run(command, input=text + stdin, capture_output=True, check=False, timeout=timeout)
        return Result(done.stdout, done.stderr, done.returncode)

    @property
    def root(self) -> Path:
        """Where its files lie."""
        return Path(str(self.host.ssh.key))

    @property
    def held(self) -> Generation | None:
        """Return what it holds."""
        path = self.root / "lib/generation"
        return held_by(self.host.name, path.read_bytes() + b"\n") if path.exists() else None


class Hosts(Fleet):
    """A fleet of such hosts."""

    def _connection(self, name: str) -> Here:
        found = self._connections.setdefault(name, Here(self.hosts[name], None, None))  # type: ignore[arg-type]
        assert isinstance(found, Here)
        return found

    def held(self) -> list[int | None]:
        """Return the numbers that hosts hold, in the order of their names."""
        found = [self._connection(name).held for name in self.hosts]
        return [None if generation is None else generation.number for generation in found]


def claim(fleet: Fleet, folder: StateFolder) -> None:
    """Claim for a folder that stays where it is."""
    claiming.claim(fleet, folder, lambda: None)


@pytest.fixture
def fleet(tmp_path: Path) -> Callable[[], Hosts]:
    """Return what connects to three hosts once more."""

    def host(name: str) -> Host:
        (tmp_path / name).mkdir()
        data = {"name": name, "ssh": {"hostname": name, "key": str(tmp_path / name)}}
        return Host.model_validate({**data, "egress": [{"public": "203.0.113.10"}]})

    hosts = [host(name) for name in NAMES]
    return lambda: Hosts(hosts, tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """A state folder that nobody has used."""
    return StateFolder(tmp_path / "state", KeyStore())


def copy_of(folder: StateFolder, path: Path) -> StateFolder:
    """Return another controller's copy of a state folder."""
    copy = StateFolder(path, KeyStore())
    copy.save_lineage(folder.lineage())
    return copy


def tree(path: Path) -> dict[str, bytes]:
    """Return what lies below a folder."""
    return {str(p): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_every_host_takes_what_the_folder_has_taken(folder: StateFolder, fleet: Callable[[], Hosts]) -> None:
    """By one command each; the next run takes the next number."""
    first, second = fleet(), fleet()

    claim(first, folder)
    claim(second, folder)

    assert second.held() == [2, 2, 2]
    assert set(first.commands.values()) == set(second.commands.values()) == {1}
    lineage = folder.lineage()
    assert lineage is not None
    assert lineage.now.number == 2
    assert len(lineage.before) == 1
    compare(second, folder)


def test_an_older_folder_leaves_nothing_written(
    folder: StateFolder, fleet: Callable[[], Hosts], tmp_path: Path
) -> None:
    """Neither on a host nor in the folder itself: it is as if it had not been tried."""
    claim(fleet(), folder)
    copy = copy_of(folder, tmp_path / "copy")
    claim(fleet(), folder)
    before = tree(tmp_path)

    with pytest.raises(StateError, match=r"follows a newer state folder .* Nothing was changed"):
        claim(fleet(), copy)

    assert tree(tmp_path) == before


def test_a_lost_folder_leaves_nothing_written(folder: StateFolder, fleet: Callable[[], Hosts], tmp_path: Path) -> None:
    """An empty one does not become the one that hosts follow."""
    claim(fleet(), folder)
    before = tree(tmp_path)

    with pytest.raises(StateError, match="has never changed a host"):
        claim(fleet(), StateFolder(tmp_path / "empty", KeyStore()))

    assert tree(tmp_path) == before


def test_a_host_that_was_away_takes_what_it_finds(
    folder: StateFolder, fleet: Callable[[], Hosts], tmp_path: Path
) -> None:
    """It is given up where it cannot be reached, and the others are served; later it comes back."""
    claim(fleet(), folder)
    away = tmp_path / NAMES[0]
    away.rename(tmp_path / "away")
    without = fleet()
    claim(without, folder)
    (tmp_path / "away").rename(away)
    behind = without.held()

    claim(again := fleet(), folder)

    assert without.well == NAMES[1:]
    assert behind == [1, 2, 2]
    assert again.held() == [3, 3, 3]


@pytest.mark.parametrize("died_after", [0, 1, 2])
def test_a_run_that_died_on_the_way_is_finished_by_the_next(
    died_after: int, folder: StateFolder, fleet: Callable[[], Hosts], tmp_path: Path
) -> None:
    """The folder took the number first, and some hosts: all of them are behind it or with it."""
    claim(fleet(), folder)
    saved = {name: tree(tmp_path / name) for name in NAMES[died_after:]}
    claim(fleet(), folder)
    for path, content in (item for files in saved.values() for item in files.items()):
        Path(path).write_bytes(content)

    claim(again := fleet(), folder)

    assert again.held() == [3, 3, 3]


def test_of_two_controllers_that_begin_together_one_is_refused_at_the_first_host(
    folder: StateFolder, fleet: Callable[[], Hosts], tmp_path: Path
) -> None:
    """Whoever comes first at it has all of them; the other has written nowhere and is told so."""
    claim(fleet(), folder)
    folders = [folder, *(copy_of(folder, tmp_path / f"copy{n}") for n in range(3))]
    before = [tree(each.path) for each in folders]
    errors: dict[int, StateError] = {}

    def run(number: int) -> None:
        try:
            claim(fleet(), folders[number])
        except StateError as error:
            errors[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(folders))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(errors) == len(folders) - 1
    (winner,) = {*range(len(folders))} - errors.keys()
    assert fleet().held() == [2, 2, 2]
    compare(fleet(), folders[winner])
    assert [tree(folders[n].path) == before[n] for n in sorted(errors)] == [True] * len(errors)


@pytest.mark.parametrize("runs_before", [0, 1])
def test_who_is_refused_at_a_later_host_leaves_the_first_ones_as_they_were(
    folder: StateFolder, fleet: Callable[[], Hosts], tmp_path: Path, runs_before: int
) -> None:
    """Two copies at once that need other hosts first: the winner goes on with all of them, and nothing is written."""
    for _ in range(runs_before):
        claim(fleet(), folder)
    copy = copy_of(folder, tmp_path / "copy")
    winner = fleet()
    for name in (NAMES[0], NAMES[2]):
        del winner.hosts[name]
    claim(winner, folder)
    before, loser = [fleet().held(), copy.lineage()], fleet()

    with pytest.raises(StateError):
        claim(loser, copy)

    assert [loser.held(), copy.lineage()] == before
    claim(all_of := fleet(), folder)
    assert all_of.held() == [runs_before + 2] * 3


def test_what_another_run_has_written_since_is_not_put_back(fleet: Callable[[], Hosts], folder: StateFolder) -> None:
    """A host changes only while it holds what this run gave it."""
    claim(fleet(), folder)
    first = folder.lineage()
    assert first is not None
    claim(one := fleet(), folder)

    done = one.each([NAMES[0]], lambda c: c.run(return_command(), return_input(first, None).encode()).ok)

    assert done == {NAMES[0]: False}
    assert one.held() == [2, 2, 2]


def test_the_first_notices_that_a_second_one_went_on_with_its_folder(
    folder: StateFolder, fleet: Callable[[], Hosts], tmp_path: Path
) -> None:
    """A copy that was made while the first one runs knows its number; what follows stops the first."""
    claim(first := fleet(), folder)
    claim(fleet(), copy_of(folder, tmp_path / "copy"))

    with pytest.raises(StateError, match="Nothing more is changed"):
        compare(first, folder)


@pytest.mark.parametrize("content", ["", "nonsense\n", "1 a b c\n" * 60, "two\n{mark}\n"])
def test_a_damaged_generation_is_its_hosts_fate_alone(
    content: str, folder: StateFolder, fleet: Callable[[], Hosts], tmp_path: Path
) -> None:
    """It is left as it is, with nothing changed; the others are served."""
    claim(fleet(), folder)
    lineage = folder.lineage()
    assert lineage is not None
    path = tmp_path / NAMES[1] / "lib/generation"
    path.write_text(content.format(mark=lineage.now.mark))

    claim(hosts := fleet(), folder)

    assert [*hosts.errors] == [NAMES[1]]
    assert "damaged" in str(hosts.errors[NAMES[1]])
    assert path.read_text() == content.format(mark=lineage.now.mark)
    assert hosts.well == (NAMES[0], NAMES[2])


def test_a_host_that_cannot_take_it_down_is_given_up(
    folder: StateFolder, fleet: Callable[[], Hosts], tmp_path: Path
) -> None:
    """A disk that takes nothing: the run goes on without it."""
    (tmp_path / NAMES[0] / "lib").write_text("in the way")

    claim(hosts := fleet(), folder)

    assert isinstance(hosts.errors[NAMES[0]], HostError)
    assert "nothing was changed on it" in str(hosts.errors[NAMES[0]])
    assert hosts.well == NAMES[1:]


def test_no_host_takes_what_would_be_lost_with_this_machine(
    folder: StateFolder, fleet: Callable[[], Hosts], tmp_path: Path
) -> None:
    """The folder is pushed with the new generation before a host hears of it; without that nothing is written."""
    pushed = []

    def push() -> None:
        pushed.append((folder.lineage(), fleet().held()))
        if len(pushed) > 1:
            raise StateError("it is not durable.")

    claiming.claim(fleet(), folder, push)
    before = tree(tmp_path)
    with pytest.raises(StateError, match="not durable"):
        claiming.claim(fleet(), folder, push)

    assert pushed[0] == (folder.lineage(), [None, None, None])
    assert tree(tmp_path) == before


def test_what_nobody_can_read_is_shut(folder: StateFolder, fleet: Callable[[], Hosts], tmp_path: Path) -> None:
    """On the host and in the folder, for root and the owner alone."""
    claim(fleet(), folder)

    files = [tmp_path / NAMES[0] / "lib/generation", folder.path / "generation.json"]
    assert [oct(path.stat().st_mode & 0o777) for path in files] == ["0o600", "0o600"]
