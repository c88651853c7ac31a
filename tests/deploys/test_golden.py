"""Everything that is rendered, byte for byte, as it was last looked at by a person.

``SENDWRIGHT_RENEW_GOLDEN=1 pytest tests/deploys/test_golden.py`` writes the files anew; the diff is then for review.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sendwright.deploys.material import Material
from sendwright.deploys.sender import services
from sendwright.service import Release, Sealed, Service
from sendwright.stack import Rehearsal, Stack

GOLDEN = Path(__file__).parent / "golden"
LIVE = ("example.com",)
REHEARSAL = Rehearsal(root_hints=". 3600 IN NS a.root.\n", trust_anchor=". IN DS 1 13 2 00\n")

CASES: dict[str, tuple[Release, tuple[str, ...], dict[str, object]]] = {
    "12-closed-v4-maildir": (Release.BOOKWORM, (), {"ipv6": False, "receive": "maildir"}),
    "12-open-dual-forward": (Release.BOOKWORM, LIVE, {"ipv6": True, "receive": "forward"}),
    "12-rehearsal": (Release.BOOKWORM, (), {"rehearsal": REHEARSAL}),
    "13-open-v4-maildir": (Release.TRIXIE, LIVE, {"ipv6": False, "receive": "maildir"}),
    "13-closed-dual-forward": (Release.TRIXIE, (), {"ipv6": True, "receive": "forward"}),
    "12-acme": (Release.BOOKWORM, LIVE, {"tls": "acme"}),
    "13-acme-enforced": (Release.TRIXIE, LIVE, {"ipv6": False, "tls": "acme", "mta_sts": {"mode": "enforce"}}),
    "12-acme-host-renews": (Release.BOOKWORM, LIVE, {"tls": {"mode": "acme", "renewal": "host"}}),
    "13-draining": (Release.TRIXIE, LIVE, {"state": "draining"}),
}


def shown(found: tuple[Service, ...]) -> str:
    """Every service as text for people: what it needs first, then its files."""
    lines: list[str] = []
    for service in found:
        lines += [f"######## service {service.name}", f"packages    {' '.join(service.packages)}"]
        lines += [f"user        {u.name} {u.home}" for u in service.users]
        lines += [
            f"directory   {d.path} {d.owner}:{d.group} {d.mode:04o}{' exclusive' * d.exclusive}"
            for d in service.directories
        ]
        lines += [f"absent      {path}" for path in service.absent]
        lines += [f"validate    {command}" for command in service.validate]
        lines += [f"unit        {unit.name} {unit.state}" for unit in service.units]
        lines += [f"{service.apply:11} {unit}" for unit in service.reload_units]
        lines += [f"listens     {s.address or '*'} {s.port}" for s in service.listens]
        for file in service.files:
            lines.append(f"==== {file.path} {file.owner}:{file.group} {file.mode:04o}{' secret' * file.private}")
            if isinstance(file.content, Sealed):
                lines.append(f"sealed {file.content.name}")
            else:
                # Programs are not rendered: they lie in templates/ as they are installed.
                lines.append(
                    "a program of ours" if file.path.endswith(".py") else file.content.rstrip().replace("\r", "\\r")
                )
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", CASES)
def test_what_is_rendered_is_what_a_person_looked_at(
    name: str, make_stack: Callable[..., Stack], make_material: Callable[..., Material]
) -> None:
    """A change of any rendered byte, owner, mode or unit shows up as a diff of a golden file."""
    release, live, options = CASES[name]
    stack = make_stack(**options)
    path = GOLDEN / f"{name}.txt"

    text = shown(services(stack, stack.hosts[0], release, make_material(live=live)))

    if os.environ.get("SENDWRIGHT_RENEW_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text
