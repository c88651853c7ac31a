"""Where an inventory declares what findings are about: code scanning shows findings beside these lines."""

from collections.abc import Collection
from pathlib import Path

# No inventory that a person wrote has longer files.
_MOST_BYTES = 1 << 24


def places(inventory: Path, names: Collection[str], current: Path) -> dict[str, tuple[str, int]]:
    """Return of each name the file, relative to the ``current`` folder, and the line that names it first.

    A name that stands nowhere (a server of somebody else) has the first line of the inventory's file.
    """
    folder = inventory if inventory.is_dir() else inventory.parent
    main = folder / "inventory.py" if inventory.is_dir() else inventory
    found: dict[str, tuple[str, int]] = {}
    wanted = set(names)
    for file in (*sorted((folder / "group_data").glob("*.py")), main):
        uri = _relative(file, current)
        for number, line in enumerate(_lines(file), 1):
            here = {name for name in wanted - found.keys() if f'"{name}"' in line or f"'{name}'" in line}
            found |= dict.fromkeys(here, (uri, number))
    return dict.fromkeys(wanted, (_relative(main, current), 1)) | found


def _lines(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8", errors="replace") as text:
            return text.read(_MOST_BYTES).splitlines()
    except OSError:
        return []


def _relative(file: Path, current: Path) -> str:
    try:
        return file.resolve().relative_to(current.resolve()).as_posix()
    except ValueError:
        return file.name
