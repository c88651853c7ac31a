"""pyinfra's inventory convention: its own loader is the judge, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sendwright import convention
from sendwright.errors import InventoryError

ROOT = Path(__file__).parents[1]

# Each inventory is read by a process of its own, which has pyinfra from the first one.
_JUDGE = """
import json, os, sys
from pyinfra_cli.inventory import make_inventory
from pyinfra.api import State
from pyinfra.context import ctx_state
for file in sys.argv[1:]:
    if os.fork() == 0:
        # pyinfra would read a group_data of the working directory too.
        os.chdir(os.path.dirname(file))
        ctx_state.set(State())
        print(json.dumps([[host.name, host.data.dict()] for host in make_inventory(file)]), flush=True)
        os._exit(0)
    if os.wait()[1]:
        sys.exit(1)
"""

FOLDERS: dict[str, dict[str, str]] = {
    "names and tuples": {"inventory.py": "a = ['one.example', ('two.example', {'ssh_port': 2})]"},
    "a group with data": {"inventory.py": "a = (['one.example', ('two.example', {'x': 1})], {'x': 2, 'y': 3})"},
    "a host in two groups": {
        "inventory.py": "a = [('one.example', {'x': 1})]\nb = (['one.example', 'two.example'], {'x': 5, 'y': 6})",
        "group_data/a.py": "y = 7\nz = 8",
        "group_data/b.py": "z = 9",
        "group_data/all.py": "x = y = z = w = 0",
    },
    "host data over group data over everybody's": {
        "inventory.py": "a = [('one.example', {'x': 'host'}), 'two.example', 'three.example']\nb = ['two.example']",
        "group_data/b.py": "x = 'group'",
        "group_data/all.py": "x = 'all'",
    },
    "group data in a file over group data in the inventory": {
        "inventory.py": "a = (['one.example'], {'x': 1, 'y': 1})",
        "group_data/a.py": "x = 2",
    },
    "private names and other lists": {
        "inventory.py": "_no = ['no.example']\nports = [25, 587]\nname = 'x'\ntable = {'a': 1}\na = ['one.example']",
        "group_data/all.py": "_helper = 1\n__hidden = 2\nx = _helper",
    },
    "imported names": {
        "inventory.py": "from os import path\nimport json\na = ['one.example']",
        "group_data/all.py": "import json as j, os.path\nfrom pathlib import Path as P\nx = [1]",
    },
    "__all__": {"inventory.py": "a = ['one.example']", "group_data/all.py": "__all__ = ['x']\nx = 1\ny = 2"},
    "a group called all": {
        "inventory.py": "a = ['a.example', 'b.example']\nall = (['b.example', ('a.example', {'x': 1})], {'y': 2})",
        "group_data/all.py": "y = 3\nz = 4",
    },
    "the file's own name as a group": {
        "inventory.py": "a = [('one.example', {'x': 1})]",
        "group_data/inventory.py": "x = 2\ny = 3",
        "group_data/nobody.py": "y = 4",
    },
    "the same host twice": {"inventory.py": "a = [('one.example', {'x': 1}), ('one.example', {'y': 2})]"},
    "made by a program": {
        "inventory.py": "a = [(f'mx{n}.example', {'egress': [{'public': f'192.0.2.{n}'}]}) for n in range(3)]",
        "group_data/all.py": "from pathlib import Path\nx = Path(__file__).name",
    },
}


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write an inventory folder and return its inventory file."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return folder / "inventory.py"


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, object]]:
    """Write each folder; return its inventory file, and the hosts and data that pyinfra's own command line sees."""
    files = {case: write(tmp_path_factory.mktemp("case"), found) for case, found in FOLDERS.items()}
    files["example"] = ROOT / "inventories" / "example" / "inventory.py"
    done = subprocess.run([sys.executable, "-c", _JUDGE, *map(str, files.values())], capture_output=True, check=True)
    answers = map(json.loads, done.stdout.splitlines())
    return {case: (file, answer) for (case, file), answer in zip(files.items(), answers, strict=True)}


@pytest.mark.parametrize("case", [*FOLDERS, "example"])
def test_pyinfra_s_own_loader_and_ours_agree(judged: dict[str, tuple[Path, object]], case: str) -> None:
    """The stock command and ours see the same hosts and data in the same order, of what people start from too."""
    file, theirs = judged[case]

    declared = convention.read(file)

    ours = [(name, {**declared.data, **data}) for name, data in declared.hosts]
    assert json.loads(json.dumps(ours)) == theirs


@pytest.mark.parametrize(
    ("files", "place", "words"),
    [
        ({"inventory.py": "a = [\n'one.example'\nb = 2"}, "inventory.py › line", "not valid Python"),
        ({"inventory.py": "a = []\n\nb = unknown"}, "inventory.py › line 3", "NameError"),
        ({"inventory.py": "def f():\n    return 1 / 0\nf()"}, "inventory.py › line 2", "ZeroDivisionError"),
        ({"inventory.py": "import sys\nsys.exit('enough')"}, "inventory.py › line 2", "SystemExit"),
        ({"inventory.py": "import missing_module_of_ours"}, "inventory.py › line 1", "missing_module_of_ours"),
        ({"inventory.py": "a = ['x']", "group_data/all.py": "x = y"}, "group_data/all.py › line 1", "NameError"),
        ({"inventory.py": "a = ['x', 5]"}, "a › 2", "not a host"),
        ({"inventory.py": "a = [('x', 5)]"}, "a › 1", "not a host"),
        ({"inventory.py": "a = [('x', {}, 1)]"}, "a › 1", "not a host"),
        ({"inventory.py": "a = [('x',)]"}, "a › 1", "not a host"),
        ({"inventory.py": "a = ('one.example', 'two.example')"}, "a", "write hosts as a list"),
        ({"inventory.py": "a = ()"}, "a", "write hosts as a list"),
        ({"inventory.py": "a = ['x']", "group_data/all.py": "__all__ = 5"}, "group_data/all.py › __all__", "a list"),
    ],
)
def test_a_mistake_in_the_program_is_named_with_its_line(
    tmp_path: Path, files: dict[str, str], place: str, words: str
) -> None:
    """An inventory is a program of the person's own; its errors are theirs to read, without our traceback."""
    file = write(tmp_path, files)

    with pytest.raises(InventoryError) as refused:
        convention.read(file)

    assert len(refused.value.problems) == 1
    assert refused.value.problems[0].place.startswith(place)
    assert words in str(refused.value.problems[0])


def test_what_an_inventory_prints_is_not_our_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Results go to standard output; a print in an inventory would spoil JSON there."""
    convention.read(write(tmp_path, {"inventory.py": "print('hello')\na = ['one.example']"}))

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "hello\n"
