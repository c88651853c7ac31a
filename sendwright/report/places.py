"""Where an inventory declares what findings are about: code scanning shows findings beside these lines."""

import re
from collections.abc import Collection
from pathlib import Path

# No inventory that a person wrote has longer files.
_MOST_BYTES = 1 << 24
_QUOTED = re.compile(r"""["']([^"']+)["']""")


def places(inventory: Path, names: Collection[str], current: Path) -> dict[str, tuple[str, int]]:
    """Return of each name the file and the line that names it first.

    A file is told relative to the ``current`` folder, or to the inventory's where that lies elsewhere. A name that
    stands nowhere (a server of somebody else) has the first line of the inventory's file.
    """
    folder = inventory if inventory.is_dir() else inventory.parent
    main = folder / "inventory.py" if inventory.is_dir() else inventory
    found: dict[str, tuple[str, int]] = {}
    wanted = set(names)
    for file in (*sorted((folder / "group_data").glob("*.py")), main):
        uri = _relative(file, folder, current)
        for number, line in enumerate(_lines(file), 1):
            for name in _QUOTED.findall(line):
                if name in wanted:
                    found.setdefault(name, (uri, number))
    return dict.fromkeys(wanted, (_relative(main, folder, current), 1)) | found


def _lines(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8", errors="replace") as text:
            return text.read(_MOST_BYTES).splitlines()
    except OSError:
        return []


def _relative(file: Path, folder: Path, current: Path) -> str:
    try:
        return file.resolve().relative_to(current.resolve()).as_posix()
    except ValueError:
        return file.relative_to(folder).as_posix()
