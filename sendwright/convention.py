"""pyinfra's inventory convention, read by ourselves: importing pyinfra_cli would patch the whole process (gevent).

The folder's Python files are the person's own and are run; whatever is in them, nothing is raised but InventoryError.
``tests/test_convention.py`` proves that pyinfra's own loader and this one agree.
"""

import ast
import contextlib
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sendwright.errors import InventoryError, Problem, UsageError
from sendwright.escape import plain
from sendwright.mistakes import place


@dataclass(frozen=True)
class Declared:
    """What an inventory holds, still unchecked: hosts with their own and their groups' data, what all share."""

    hosts: tuple[tuple[str, Mapping[str, Any]], ...]
    data: Mapping[str, Any]


def read(file: Path) -> Declared:
    """Run an inventory file and the ``group_data`` beside it; InventoryError with every mistake in their shape."""
    problems: list[Problem] = []
    groups = dict(_groups(_attributes(file, file.name, problems), problems))
    data = {
        path.stem: _exported(path, _attributes(path, f"group_data/{path.name}", problems), problems)
        for path in sorted((file.parent / "group_data").glob("*.py"))
    }
    if problems:
        raise InventoryError(plain(file), problems)
    return _merge(groups, data, file.stem)


def locate(path: Path) -> Path:
    """Return the inventory file that a path means: itself, or ``inventory.py`` in a folder; else UsageError."""
    try:
        file = path / "inventory.py" if path.is_dir() else path
        found = file.is_file()
    except OSError as error:
        raise UsageError(f"{plain(path)} cannot be read: {error.strerror}.", "Mend its permissions.") from None
    if not found:
        raise UsageError(f"there is no inventory at {plain(file)}.", "Begin one with: sendwright init DIR")
    return file


@dataclass(frozen=True)
class _Group:
    hosts: tuple[tuple[str, Mapping[str, Any]], ...]
    data: Mapping[str, Any]


def _attributes(file: Path, shown: str, problems: list[Problem]) -> dict[str, Any]:
    """Run a file in a fresh namespace; what goes wrong is a problem with its line, never a traceback."""
    attributes: dict[str, Any] = {"__file__": str(file)}
    try:
        code = compile(file.read_bytes(), str(file), "exec")
        # What it prints is no result of ours, and would spoil JSON on standard output.
        with contextlib.redirect_stdout(sys.stderr):
            exec(code, attributes)  # noqa: S102 - an inventory is the person's own program, by pyinfra's convention
    except SyntaxError as error:
        where = place(shown, f"line {error.lineno}") if error.lineno else plain(shown)
        problems.append(Problem(where, plain(f"not valid Python: {error.msg}")))
    except (Exception, SystemExit) as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)]
        where = place(shown, f"line {lines[-1]}") if lines else plain(shown)
        problems.append(Problem(where, plain(f"{type(error).__name__}: {error}")))
    return attributes


def _exported(file: Path, attributes: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """Return a group_data file's data: what ``__all__`` names, else everything that was not imported."""
    if "__all__" in attributes:
        wanted = attributes["__all__"]
        if not isinstance(wanted, list | tuple):
            problems.append(Problem(place(f"group_data/{file.name}", "__all__"), "must be a list of names"))
            return {}
        return {k: v for k, v in attributes.items() if k in wanted and not k.startswith("__")}
    try:
        imported = set(_imported(ast.parse(file.read_bytes())))
    except (OSError, SyntaxError, ValueError):
        return {}  # it could not be run either, which is a problem already
    return {k: v for k, v in attributes.items() if k not in imported and not k.startswith("__")}


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)


def _groups(attributes: Mapping[str, Any], problems: list[Problem]) -> Iterator[tuple[str, _Group]]:
    for name, value in attributes.items():
        if name.startswith("_") or not isinstance(value, list | tuple):
            continue
        group = _group(name, value, problems)
        if group is not None:
            yield name, group


def _group(name: str, value: list[Any] | tuple[Any, ...], problems: list[Problem]) -> _Group | None:
    hosts: list[Any] | tuple[Any, ...] = value
    data: Mapping[str, Any] = {}
    if isinstance(value, tuple):
        if len(value) != 2 or not isinstance(value[0], list | tuple) or not isinstance(value[1], Mapping):
            problems.append(Problem(plain(name), "a tuple, but not of hosts and data", "write hosts as a list: […]"))
            return None
        hosts, data = value
    if not any(isinstance(item, str | tuple) for item in hosts) and hosts:
        return None  # a list of something else is the file's own affair, for pyinfra too
    found = []
    for index, item in enumerate(hosts):
        host = (item, {}) if isinstance(item, str) else item
        if (
            isinstance(host, tuple)
            and len(host) == 2
            and isinstance(host[0], str)
            and host[0]
            and isinstance(host[1], Mapping)
        ):
            found.append(host)
        else:
            problems.append(Problem(place(name, index), "not a host", 'a name, or ("name", {data})'))
    return _Group(tuple(found), data)


def _merge(groups: dict[str, _Group], group_data: Mapping[str, Mapping[str, Any]], stem: str) -> Declared:
    """Put each host's data together as pyinfra does: its own, over its groups' (the last wins), over everybody's."""
    everybody = groups.pop("all", None)
    if everybody is None:
        names = dict.fromkeys(host for group in groups.values() for host, _ in group.hosts)
        everybody = _Group(tuple((name, {}) for name in names), {})
    # The file's own name is a group of all its hosts, unless it declares one itself.
    groups.setdefault(stem, _Group(everybody.hosts, {}))
    hosts = []
    for name in dict.fromkeys(name for name, _ in everybody.hosts):
        data: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for title, group in groups.items():
            members = [given for member, given in group.hosts if member == name]
            if members:
                data.update({**group.data, **group_data.get(title, {})})
            for given in members:
                own.update(given)
        for given in (given for member, given in everybody.hosts if member == name):
            own.update(given)
        hosts.append((name, {**data, **own}))
    return Declared(tuple(hosts), {**everybody.data, **group_data.get("all", {})})
