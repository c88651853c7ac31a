"""``sendwright rotate``: mistakes are told at once, and what is at rest makes no noise and no traffic."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sendwright import inventory, rotate_usage
from sendwright.stack import DkimAlgorithm
from sendwright.state.folder import StateFolder
from sendwright.state.model import DkimKey, KeyStage

Run = Callable[..., tuple[int, str, str]]
NOW = datetime.now(UTC)
# Nobody is behind these ports: a run that looks at anything fails.
HOSTS = """
senders = [("mx1.example.com", {"egress": [{"public": "203.0.113.10"}], "ssh_hostname": "127.0.0.1", "ssh_port": 1})]
"""
SHARED = """
dns = {"main": {"provider": "rfc2136", "server": "127.0.0.1", "port": 1,
                "tsig": {"name": "sendwright", "secret": {"env": "SENDWRIGHT_TEST_NEVER_SET"}}}}
domains = {
    "example.com": {"dns": "main"},
    "example.net": {"dns": "main"},
    "locked.example": {"dns": "main", "sends": False},
}
"""


@pytest.fixture
def folder(inventory_folder: Callable[[str, str], Path]) -> Path:
    """An inventory whose hosts and name server nobody is behind."""
    return inventory_folder(HOSTS, SHARED)


def keep(folder: Path, keys: Iterable[DkimKey]) -> None:
    """Write the stories of keys, with private parts that nobody will open."""
    for key in keys:
        StateFolder.of(inventory.load(folder)).save_key(key)
        (folder / "state" / key.sealed.name).touch()


def made(selector: str, stage: KeyStage = KeyStage.SIGNING, age: int = 10, domain: str = "example.com") -> DkimKey:
    """A key that is so many days old."""
    since = NOW - timedelta(age)
    algorithm = DkimAlgorithm.ED25519 if selector.startswith("e") else DkimAlgorithm.RSA
    return DkimKey(
        domain,
        selector,
        algorithm,
        "AAAA",
        "0" * 64,
        since,
        stage,
        proven_on=("mx1.example.com",),
        signing_since=since,
        revoked=since if stage is KeyStage.REVOKED else None,
    )


def test_all_mistakes_are_told_at_once_and_nothing_is_tried(run: Run, folder: Path) -> None:
    """Options that contradict each other, names that nobody knows, keys that cannot leak any more."""
    keep(folder, [made("r202611"), made("r202608", KeyStage.REVOKED)])
    options = ["--status", "--start", "--wait", "--domain", "exampel.com", "--domain", "locked.example"]
    leaked = ["r202608._domainkey.example.com", "r9._domainkey.example.com", "example.net", "rocked.example"]

    code, out, err = run("rotate", folder, *options, *(word for name in leaked for word in ("--force-new", name)))

    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "error: 7 mistakes; nothing was tried.",
        "  --status only looks: it does not go with --start and --force-new and --wait",
        "  --domain 'exampel.com': no such domain in the inventory (did you mean example.com?)",
        "  --domain 'locked.example': it sends no mail, so it has no keys",
        "  --force-new 'r202608._domainkey.example.com': --domain leaves its domain out",
        "  --force-new 'r9._domainkey.example.com': --domain leaves its domain out",
        "  --force-new 'example.net': --domain leaves its domain out",
        "  --force-new 'rocked.example': no such domain in the inventory (did you mean locked.example?)",
    ]
    assert not (folder / "state" / ".lock").exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("r202608._domainkey.example.com", "that key is revoked already: nothing that it signs verifies any more"),
        ("r202605._domainkey.example.com", "that key is removed already: nothing that it signs verifies any more"),
        ("r9._domainkey.example.com", "no such key; keys of example.com that verify: r202611._domainkey.example.com"),
        ("example.net", "it has no key that verifies anything"),
        ("locked.example", "it sends no mail, so it has no keys"),
        ("r1._domainkey.nobody.example", "no such domain in the inventory"),
        ("\x1b[2J\u202e", "no such domain in the inventory"),
        ("", "no such domain in the inventory"),
    ],
)
def test_what_cannot_have_leaked_is_refused_with_the_reason(name: str, why: str, run: Run, folder: Path) -> None:
    """A selector that was mistyped must not pass for a leak that was dealt with."""
    keep(folder, [made("r202611"), made("r202608", KeyStage.REVOKED), made("r202605", KeyStage.REMOVED)])

    code, out, err = run("rotate", folder, "--force-new", name)

    assert (code, out) == (2, "")
    assert err.startswith(f"error: --force-new {name.lower()!r}: {why}")
    assert "nothing was tried" in err
    assert err.replace("\n", "").isprintable()


def test_a_key_that_leaked_did_so_under_each_selector_that_it_has(folder: Path) -> None:
    """As one that was imported for two domains; another key of the same domain is not touched."""
    twins = [made("r1"), made("r2", domain="example.net"), made("r3", KeyStage.REVOKED, domain="example.net")]
    keys = [*twins, replace(made("r4"), public="BBBB")]

    found = rotate_usage.asked(inventory.load(folder).stack, keys, (), ["r1._domainkey.example.com"])

    assert found.leaked == {"r1._domainkey.example.com", "r2._domainkey.example.net"}


@pytest.mark.parametrize("option", [["--start"], ["--wait"], ["--force-new", "example.com"]])
def test_a_status_goes_with_nothing_that_changes_something(option: list[str], run: Run, folder: Path) -> None:
    """Whoever only wanted to look must not have begun something."""
    keep(folder, [made("r202611")])

    code, out, err = run("rotate", folder, "--status", *option)

    assert (code, out) == (2, "")
    assert err == f"error: --status only looks: it does not go with {option[0]}; nothing was tried.\n"


def test_a_mistake_is_a_document_where_json_was_asked_for(run: Run, folder: Path) -> None:
    """A program reads one document whatever happens."""
    code, out, _ = run("rotate", folder, "--format", "json", "--domain", "nobody.example")

    assert code == 2
    assert json.loads(out)["errors"][0]["error"] == "UsageError"


def test_what_is_at_rest_is_rotated_without_a_word_and_without_traffic(run: Run, folder: Path) -> None:
    """Run daily by cron it mails nobody, and no host and no server hears of it."""
    keep(folder, [made("r202611"), made("e202611")])

    assert run("rotate", folder) == (0, "", "")
    assert run("rotate", folder, "--wait") == (0, "", "")
    assert run("rotate", folder, "--domain", "Example.COM.") == (0, "", "")


def test_at_rest_the_document_is_printed_all_the_same(run: Run, folder: Path) -> None:
    """Who asks for JSON reads it."""
    keep(folder, [made("r202611")])

    code, out, err = run("rotate", folder, "--format", "json")

    assert (code, err) == (0, "")
    assert json.loads(out)["outcome"] == "unchanged"
    assert json.loads(out)["lines"][0]["signs"] == "r202611"


def test_a_due_key_that_nobody_lets_begin_is_told_each_time(run: Run, folder: Path) -> None:
    """It waits for a person, so a person is told; that is no failure."""
    keep(folder, [made("r202607", age=100)])

    code, out, err = run("rotate", folder)

    assert (code, err) == (0, "")
    assert "Due (begin with --start)" in out
    assert "example.com rsa" in out


def test_a_world_that_cannot_be_reached_fails_with_a_sentence_for_each(run: Run, folder: Path) -> None:
    """Errors come first, and the exit code says that it was tried."""
    keep(folder, [made("r202611"), made("r202608", KeyStage.RETIRING)])

    code, out, err = run("rotate", folder)

    assert code == 1
    assert "error: mx1.example.com: cannot connect" in err
    assert "failed" in out


def test_a_leak_that_is_said_again_leaves_alone_what_replaces_the_key() -> None:
    """Said of a domain, it is about the keys of then; said of a key by its name, it is about that one."""
    stack = inventory.parse(
        [("mx1.example.com", {"egress": [{"public": "203.0.113.10"}]})],
        {
            "dns": {
                "main": {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "k", "secret": {"env": "X"}}}
            },
            "domains": {"example.com": {"dns": "main"}},
        },
        "a test",
    )
    old = replace(made("r1"), leaked=NOW - timedelta(days=2))
    new = replace(made("r2", KeyStage.PUBLISHED, age=1), public="BBBB", signing_since=None)

    found = [rotate_usage.asked(stack, (old, new), (), (name,)).leaked for name in ("example.com", new.record_name)]

    assert found == [{old.record_name}, {new.record_name}]
