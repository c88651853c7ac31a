"""The same resources for plain pyinfra: what its own user's folder would hold. Pure but for writing that folder."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sendwright.service import Running, Sealed, Service

#: The deploy that a plain user would write; it loops over the data below.
DEPLOY = Path(__file__).parent / "plain_deploy.py"


def resources(service: Service, files: dict[str, str]) -> dict[str, Any]:
    """Return a service's resources as plain data; ``files`` maps paths on the host to paths on the controller. Pure."""
    return {
        "name": service.name,
        "packages": list(service.packages),
        "users": [{"name": u.name, "home": u.home, "groups": list(u.groups)} for u in service.users],
        "memberships": [list(pair) for pair in service.memberships],
        "directories": [[d.path, d.owner, d.group, f"{d.mode:o}"] for d in service.directories],
        "files": [[files[f.path], f.path, f.owner, f.group, f"{f.mode:o}"] for f in service.files],
        "absent": list(service.absent),
        "up": [u.name for u in service.units if u.state is Running.UP],
        "down": [u.name for u in service.units if u.state is not Running.UP],
        "reload": list(service.reload_units),
    }


def write(
    folder: Path, services: Iterable[Service], login: dict[str, Any], open_sealed: Callable[[Sealed], bytes]
) -> Path:
    """Write a plain inventory with its files into a private folder and return the inventory's path.

    Arguments: ``login``: pyinfra's host data with the host's ``name``; ``open_sealed``: returns a private file's bytes.
    """
    folder.mkdir(mode=0o700)
    data = []
    for service in services:
        local = {}
        for file in service.files:
            target = folder / service.name / file.path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(open_sealed(file.content) if isinstance(file.content, Sealed) else file.content.encode())
            local[file.path] = str(target)
        data.append(resources(service, local))
    host = {key: value for key, value in login.items() if key != "name"} | {"services": data}
    inventory = folder / "inventory.py"
    inventory.write_text(f"hosts = [({login['name']!r}, {host!r})]\n")
    return inventory
