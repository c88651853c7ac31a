"""The first inventory that a person gets."""

from pathlib import Path

import pytest

from sendwright import inventory
from sendwright.errors import UsageError
from sendwright.scaffold import scaffold

ROOT = Path(__file__).parents[1]


def test_what_is_scaffolded_loads(tmp_path: Path) -> None:
    """A new folder is a valid inventory before anybody edits it."""
    scaffold(tmp_path / "mail", "example.net", "mail.example.net", ["198.51.100.7"])

    loaded = inventory.load(tmp_path / "mail")

    assert [host.name for host in loaded.stack.hosts] == ["mail.example.net"]
    assert [domain.name for domain in loaded.stack.domains] == ["example.net"]
    assert not loaded.stack.hosts[0].ipv6


def test_the_example_is_what_init_writes(tmp_path: Path) -> None:
    """One text serves both, so neither can rot."""
    written = scaffold(tmp_path, "example.com", "mx1.example.com", ["203.0.113.10", "2001:db8::10"])

    for path in written:
        example = ROOT / "inventories" / "example" / path.relative_to(tmp_path)
        assert path.read_text() == example.read_text()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A second init in the same folder is refused and leaves every byte."""
    (tmp_path / "inventory.py").write_text("mine = []\n")

    with pytest.raises(UsageError, match="there already"):
        scaffold(tmp_path, "example.com", "mx1.example.com", ["203.0.113.10"])

    assert (tmp_path / "inventory.py").read_text() == "mine = []\n"
    assert not (tmp_path / "group_data").exists()


@pytest.mark.parametrize(
    ("domain", "host", "addresses"),
    [
        ('example.com"; import os', "mx1.example.com", ["203.0.113.10"]),
        ("example.com", "$(reboot).example.com", ["203.0.113.10"]),
        ("example.com", "mx1.example.org", ["203.0.113.10"]),
        ("example.com", "mx1.example.com", ["203.0.113.10'"]),
        ("example.com", "mx1.example.com", []),
    ],
)
def test_only_names_and_addresses_are_written_into_python(
    tmp_path: Path, domain: str, host: str, addresses: list[str]
) -> None:
    """What init writes is a program: nothing but a closed alphabet may reach it."""
    with pytest.raises(UsageError):
        scaffold(tmp_path, domain, host, addresses)

    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("addresses", "why"),
    [
        (["203.0.113.10", "203.0.113.11"], "one IPv4 and one IPv6"),
        (["2001:db8::1", "2001:db8::2"], "one IPv4 and one IPv6"),
        (["127.0.0.1"], "receivers can see"),
        (["::"], "receivers can see"),
    ],
)
def test_addresses_that_an_inventory_refuses_are_refused_at_once(
    tmp_path: Path, addresses: list[str], why: str
) -> None:
    """Nobody is told that a folder is ready which the next command refuses."""
    with pytest.raises(UsageError, match=why):
        scaffold(tmp_path, "example.com", "mx1.example.com", addresses)

    assert [*tmp_path.iterdir()] == []
