"""The records of keys: what is held at their names, and that DNS follows their stories and touches nothing else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sendwright import inventory
from sendwright.dkim import live_text, record_text
from sendwright.dns.rdata import txt
from sendwright.inventory import Inventory
from sendwright.key_records import KeyRecords
from sendwright.lines import Held
from sendwright.report.progress import Progress
from sendwright.stack import DkimAlgorithm, KeyStore
from sendwright.state.folder import StateFolder
from sendwright.state.model import DkimKey, KeyStage
from tests.server53 import Server53

COM = "example.com"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
OLD = DkimKey(COM, "r202608", DkimAlgorithm.RSA, "AAAA", "0" * 64, NOW - timedelta(days=90), KeyStage.SIGNING)
NEW = replace(OLD, selector="r202611", public="BBBB", created=NOW, stage=KeyStage.GENERATED)
STACK = inventory.parse(
    [("mx1.example.com", {"egress": [{"public": "203.0.113.10"}]})],
    {
        "dns": {
            "main": {
                "provider": "rfc2136",
                "server": "192.0.2.53",
                "tsig": {"name": "k", "secret": {"env": "UNSET"}},
            }
        },
        "domains": {COM: {"dns": "main"}},
    },
    "a test",
)
Records = Callable[..., KeyRecords]


@pytest.fixture
def server() -> Server53:
    """Return a server with an empty zone."""
    return Server53((COM,))


@pytest.fixture
def records(server: Server53, tmp_path: Path) -> Records:
    """Return what looks at the records of keys on that server."""

    def look(*keys: DkimKey) -> KeyRecords:
        folder = StateFolder(tmp_path / "state", KeyStore())
        found = KeyRecords(Inventory(STACK, tmp_path, folder.path), folder, Progress(), opener=lambda *_: server)
        found.look(keys, {key.txt_name for key in keys})
        return found

    return look


def published(records: Records, *keys: DkimKey) -> frozenset[str]:
    """Make the server hold what the stories of keys say; return the names that it took."""
    return records(*keys).publish(keys, {key.txt_name for key in keys})


def text(server: Server53, key: DkimKey) -> tuple[str, ...]:
    """Return what stands at the name of a key."""
    return server.values(COM, key.txt_name, "TXT")


@pytest.mark.parametrize(
    ("values", "held"),
    [
        ((), Held.NOTHING),
        ((txt(live_text(OLD)),), Held.KEY),
        ((txt("v=DKIM1; k=rsa; p="),), Held.EMPTY),
        ((txt(live_text(NEW)),), Held.OTHER),
        ((txt(live_text(OLD)), txt(live_text(NEW))), Held.OTHER),
    ],
)
def test_what_is_held_at_the_name_of_a_key_is_told_apart(
    server: Server53, records: Records, values: tuple[str, ...], held: Held
) -> None:
    """Nothing, this very key, a statement that it is revoked, or anything else."""
    if values:
        server.put(COM, OLD.txt_name, "TXT", *values)

    assert records(OLD).held([OLD])[OLD.record_name].held is held


def test_dns_follows_the_story_of_a_key(server: Server53, records: Records) -> None:
    """The key stands while mail is verified with it, then an empty record, then none."""
    seen = []
    for stage in (KeyStage.GENERATED, KeyStage.SIGNING, KeyStage.RETIRING, KeyStage.REVOKED, KeyStage.REMOVED):
        published(records, replace(OLD, stage=stage))
        seen.append(text(server, OLD))

    live, empty = (txt(live_text(OLD)),), (txt(record_text(replace(OLD, stage=KeyStage.REVOKED))),)
    assert seen == [live, live, live, empty, ()]


def test_a_record_that_is_kept_for_mail_on_its_way_is_not_told_as_gone(server: Server53, records: Records) -> None:
    """Of a key that was never seen to be published, and was: it stays for as long as what it signed may be judged."""
    published(records, OLD)
    gone = replace(OLD, stage=KeyStage.REMOVED)

    assert published(records, gone) == frozenset()
    assert text(server, OLD) == (txt(live_text(OLD)),)


def test_a_story_that_moved_since_the_look_is_followed_without_another(server: Server53, records: Records) -> None:
    """What is to be written is derived anew from what was read."""
    published(records, OLD)
    found = records(OLD)
    revoked = replace(OLD, stage=KeyStage.REVOKED)

    found.publish([revoked], {OLD.txt_name})

    assert found.held([OLD])[OLD.record_name].held is Held.KEY
    assert text(server, OLD) == (txt(record_text(revoked)),)


def test_nothing_but_the_named_records_is_written(server: Server53, records: Records) -> None:
    """Neither what else the inventory declares in the zone, nor another key of the same domain."""
    records(OLD, NEW).publish([OLD, NEW], {NEW.txt_name})

    assert {key: s.values for key, s in server.held[COM].items()} == {(NEW.txt_name, "TXT"): (txt(live_text(NEW)),)}


def test_somebody_elses_key_at_the_name_stays(server: Server53, records: Records) -> None:
    """It is told, nothing is written there, and other keys go on."""
    server.put(COM, OLD.txt_name, "TXT", txt("v=DKIM1; k=rsa; p=CCCC"))

    took = published(records, OLD, NEW)

    assert text(server, OLD) == (txt("v=DKIM1; k=rsa; p=CCCC"),)
    assert text(server, NEW) == (txt(live_text(NEW)),)
    assert took == {NEW.txt_name}


def test_an_imported_key_is_held_and_served_in_the_words_of_its_owner(server: Server53, records: Records) -> None:
    """What they wrote is what servers are asked for, and nothing is written in its place."""
    theirs = '"v=DKIM1; h=sha256; k=rsa; p=BB BB"'
    server.put(COM, NEW.txt_name, "TXT", theirs)

    found = records(NEW)

    assert found.held([NEW])[NEW.record_name].held is Held.KEY
    assert published(records, NEW) == {NEW.txt_name}
    assert text(server, NEW) == (theirs,)


def test_a_removed_key_whose_record_stands_is_not_gone(records: Records) -> None:
    """The withdrawal was lost: it is seen, and done again."""
    revoked, removed = (replace(OLD, stage=stage) for stage in (KeyStage.REVOKED, KeyStage.REMOVED))
    published(records, OLD)
    published(records, revoked)

    assert records(removed).held([removed])[OLD.record_name].held is Held.EMPTY


def test_what_is_written_twice_in_a_pass_is_read_again_in_between(server: Server53, records: Records) -> None:
    """What the first write left is ours, whatever stood there at the look before it."""
    published(records, OLD)
    found, revoked = records(OLD, NEW), replace(OLD, stage=KeyStage.REVOKED)
    found.publish([revoked, NEW], {OLD.txt_name})

    took = found.publish([revoked, NEW], {NEW.txt_name})

    assert took == {NEW.txt_name}
    assert found.zones.errors == {}
    assert text(server, OLD) == (txt(record_text(revoked)),)
