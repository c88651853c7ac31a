"""``sendwright dns undo`` as a person meets it, with zones that are files."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sendwright import inventory, issuing
from sendwright.errors import DnsError, StateError, UsageError
from sendwright.inventory import Inventory
from sendwright.plan import Stage
from sendwright.publishing import Zones
from sendwright.state.folder import StateFolder
from sendwright.state.model import KeyStage
from sendwright.undoing import Result, Undoing, undo_apply

NOW = datetime(2026, 11, 22, tzinfo=UTC)
INVENTORY = 'senders = [("mx1.example.com", {"egress": [{"public": "203.0.113.10"}]})]\n'
SHARED = """
dns = {"main": {"provider": "zonefile", "folder": "zones"}}
domains = {"example.com": {"dns": "main", "dkim": {"algorithms": ["ed25519", "rsa"]}}}
key_store = {"unencrypted": "I know that anybody who reads this folder can sign as us"}
"""
ZONE = """\
example.com.  3600 IN SOA ns.example.com. me.example.com. 2026010100 3600 600 86400 300
example.com.  3600 IN NS  ns.example.com.
example.com.  300  IN TXT "v=spf1 include:others.example -all"
www           300  IN A   192.0.2.80 ; theirs
"""


@pytest.fixture
def declared(written: Callable[[str, str, str], Inventory]) -> Inventory:
    """Return an inventory whose zone is a file, with keys."""
    found = written(INVENTORY, SHARED, ZONE)
    issuing.generate_missing(found.stack, StateFolder.of(found), NOW)
    return found


def _publish(declared: Inventory, *stages: Stage) -> None:
    folder = StateFolder.of(declared)
    for stage in stages:
        state = folder.load()
        zones = Zones.look(declared.stack, state.keys, state.claims, declared.folder, now=NOW)
        assert not zones.errors
        zones.publish(folder, stage)


def _zone(declared: Inventory) -> list[str]:
    """Return the lines of the zone but for its serial number, which never goes back."""
    text = (declared.folder / "zones" / "example.com.zone").read_text()
    return [line for line in text.splitlines() if line and " SOA " not in line and not line.startswith("; Added")]


def _undo(declared: Inventory, name: str | None = None) -> Undoing:
    return undo_apply(declared, name, lambda _: True, allow_deletions=True)


def _with_keys(declared: Inventory, stage: KeyStage) -> None:
    folder = StateFolder.of(declared)
    for key in folder.load().keys:
        proven = ("mx1.example.com",) if stage is KeyStage.SIGNING else ()
        folder.save_key(replace(key, stage=stage, proven_on=proven))


def test_a_first_apply_is_undone_to_the_word_and_the_ledger_is_empty_again(declared: Inventory) -> None:
    """Other people's comments included."""
    _publish(declared, Stage.EXPAND)
    assert any("ip4:203.0.113.10" in line for line in _zone(declared))

    done = _undo(declared)

    assert done.result is Result.DONE
    before = [line.split() for line in ZONE.splitlines() if " SOA " not in line]
    assert [line.split() for line in _zone(declared)] == before
    assert StateFolder.of(declared).load().claims == ()


def test_an_undo_is_an_apply_that_can_be_undone(declared: Inventory) -> None:
    """The zone and the ledger are then as before the first undo."""
    _publish(declared, Stage.EXPAND)
    zone, claims = sorted(_zone(declared)), StateFolder.of(declared).load().claims

    first = _undo(declared)
    second = _undo(declared)

    assert second.apply.undoes == first.apply.id
    assert sorted(_zone(declared)) == zone
    assert StateFolder.of(declared).load().claims == claims
    assert [a.outcome for a in StateFolder.of(declared).journal.applies()] == ["applied"] * 3


def test_a_key_whose_record_went_is_not_published_any_more(declared: Inventory) -> None:
    """The next provision publishes it again, and proves it anew."""
    _with_keys(declared, KeyStage.PUBLISHED)
    _publish(declared, Stage.EXPAND)

    _undo(declared)

    assert {k.stage for k in StateFolder.of(declared).load().keys} == {KeyStage.GENERATED}


def test_one_refusal_refuses_the_whole_and_says_what_would_be_possible(declared: Inventory) -> None:
    """Half an undo is a state that nobody has ever seen."""
    _publish(declared, Stage.EXPAND)
    _with_keys(declared, KeyStage.SIGNING)
    zone = _zone(declared)

    done = _undo(declared)

    assert done.result is Result.REFUSED
    assert _zone(declared) == zone
    assert {r.type for r in done.refusals} == {"A", "TXT"}
    assert {w.name for w in done.changes.writes} == {"_dmarc.example.com", "_smtp._tls.example.com"}
    assert len(StateFolder.of(declared).journal.applies()) == 1


def test_what_is_declined_changes_nothing(declared: Inventory) -> None:
    """Nor is it recorded."""
    _publish(declared, Stage.EXPAND)
    zone = _zone(declared)

    assert undo_apply(declared, None, lambda _: False, allow_deletions=True).result is Result.DECLINED
    assert _zone(declared) == zone


def test_very_many_deletions_have_to_be_allowed(declared: Inventory) -> None:
    """The guard of every apply."""
    shared = declared.folder / "group_data" / "all.py"
    more = ", ".join(f'"n{i}.example.com": {{"dns": "main", "sends": False}}' for i in range(5))
    shared.write_text(SHARED.replace('domains = {"', f'domains = {{{more}, "'))
    many = inventory.load(declared.folder)
    _publish(many, Stage.EXPAND)

    with pytest.raises(DnsError, match="would be withdrawn"):
        undo_apply(many, None, lambda _: True)


def test_nothing_to_undo_and_unknown_names_are_bad_usage(declared: Inventory) -> None:
    """Said in a sentence each."""
    with pytest.raises(UsageError, match="nothing is remembered"):
        _undo(declared)
    _publish(declared, Stage.EXPAND)
    with pytest.raises(UsageError, match=r"no apply \.\./x is remembered"):
        _undo(declared, "../x")


def test_what_is_undone_already_is_no_work(declared: Inventory) -> None:
    """Undoing the same apply twice changes nothing the second time."""
    _publish(declared, Stage.EXPAND)
    name = _undo(declared).apply.id

    assert _undo(declared, name).result is Result.UNCHANGED


def test_a_provider_that_is_gone_from_the_inventory_is_named(declared: Inventory) -> None:
    """Where the zone is kept is known from the declaration only."""
    _publish(declared, Stage.EXPAND)
    other = declared.stack.model_copy(update={"dns": {}})

    with pytest.raises(DnsError, match="has no provider main any more"):
        _undo(replace(declared, stack=other))


def test_a_damaged_journal_is_named(declared: Inventory) -> None:
    """And nothing is guessed."""
    _publish(declared, Stage.EXPAND)
    (path,) = (declared.state_dir / "applies").rglob("*.json")
    path.write_text("{")

    with pytest.raises(StateError, match="is damaged"):
        _undo(declared)


def test_a_journal_that_holds_no_record_data_is_named(declared: Inventory) -> None:
    """A folder that travels through git is as foreign as any other input."""
    _publish(declared, Stage.EXPAND)
    (path,) = (declared.state_dir / "applies").rglob("*.json")
    path.write_text(path.read_text().replace('"203.0.113.10"', '"no address"'))

    with pytest.raises(StateError, match="cannot be read: not the data of a A record"):
        _undo(declared)


def _run(*argv: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sendwright", "dns", "undo", *map(str, argv)]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60)


def test_the_command_shows_and_needs_agreement(declared: Inventory) -> None:
    """Without a terminal and without --yes nothing is changed, and --list says what there is."""
    _publish(declared, Stage.EXPAND)

    asked = _run(declared.folder)
    listed = json.loads(_run(declared.folder, "--list", "--format", "json").stdout)
    done = _run(declared.folder, listed["applies"][0]["id"], "--yes", "--allow-deletions", "--format", "json")

    assert asked.returncode == 2
    assert "- A mx1.example.com 203.0.113.10" in asked.stdout
    assert "~ TXT example.com SPF without ip4:203.0.113.10" in asked.stdout
    told = json.loads(done.stdout)
    assert (done.returncode, told["kind"], told["result"]) == (0, "dns-undo", "done"), done.stderr
    assert _run(declared.folder, "--list").stdout.count("applied") == 2


def test_the_command_names_each_refusal_and_exits_1(declared: Inventory) -> None:
    """And says that nothing was changed."""
    _publish(declared, Stage.EXPAND)
    _with_keys(declared, KeyStage.SIGNING)

    done = _run(declared.folder, "--yes")
    told = json.loads(_run(declared.folder, "--yes", "--format", "json").stdout)

    assert done.returncode == 1
    assert "refused, and nothing was changed" in done.stdout
    assert "mx1.example.com sends from 203.0.113.10" in done.stdout
    assert told["result"] == "refused"
    assert {r["type"] for r in told["refusals"]} == {"A", "TXT"}
