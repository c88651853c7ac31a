"""Providers of octoDNS, with octoDNS's own provider of YAML files as a real one."""

import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest
from octodns.provider.base import BaseProvider
from octodns.record import Delete, Record
from octodns.yaml import safe_load
from octodns.zone import Zone

from sendwright.dns.providers.base import Edit, RecordSet, open_provider
from sendwright.dns.providers.octodns import OctoProvider
from sendwright.dns.providers.octorecords import changed, read_back
from sendwright.dns.rdata import canonical, txt
from sendwright.errors import (
    DnsError,
    InventoryError,
    NotAllowed,
    SecretError,
    ServerUnreachable,
    UsageError,
    WorldMoved,
)
from sendwright.inventory import parse
from sendwright.providers import OctoDns

ZONE = "example.com"
HELD: dict[str, Any] = {
    "": [
        {"type": "NS", "values": ["ns1.example.net.", "ns2.example.net."]},
        {"type": "TXT", "ttl": 60, "values": ["v=verify; 1", 'say "hi"']},
    ],
    "www": {"type": "CNAME", "value": "example.com."},
    "mx1": {"type": "A", "octodns": {"note": "kept"}, "value": "203.0.113.10"},
    "old": {"type": "MX", "values": [{"preference": 10, "exchange": "mx1.example.com."}]},
}
DYNAMIC = {"pools": {"one": {"values": [{"value": "203.0.113.2"}]}}, "rules": [{"pool": "one"}]}
SPF = RecordSet(ZONE, "TXT", 60, (r'"say \"hi\""', '"v=verify; 1"'))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder in which octoDNS keeps a zone."""
    (tmp_path / f"{ZONE}.yaml").write_text(json.dumps(HELD, indent=1, sort_keys=True))
    return tmp_path


@pytest.fixture
def provider(folder: Path) -> Any:
    """Return it as the inventory opens it."""
    settings = {"directory": str(folder), "supports_root_ns": True, "escaped_semicolons": False}
    return _open("octodns.provider.yaml.YamlProvider", folder, settings=settings)


def _open(driver: str, base: Path, **more: object) -> Any:
    config = {"provider": "octodns", "driver": driver, "margin": 0, **more}
    return open_provider(OctoDns.model_validate(config), base)


def _add(name: str, rdtype: str, *values: str, ttl: int = 3600) -> Edit:
    return Edit(name, rdtype, None, RecordSet(name, rdtype, ttl, tuple(sorted(values))))


def _held(folder: Path) -> Any:
    with (folder / f"{ZONE}.yaml").open() as file:
        return safe_load(file)


def test_a_name_lies_in_the_longest_zone_that_is_listed(provider: Any) -> None:
    """And what is not listed is named."""
    assert provider.zones([ZONE, f"r1._domainkey.{ZONE}"]) == dict.fromkeys([ZONE, f"r1._domainkey.{ZONE}"], ZONE)
    with pytest.raises(NotAllowed, match=r"zone of example\.org"):
        provider.zones([ZONE, "example.org"])


def test_what_stands_is_read_as_master_file_text(provider: Any) -> None:
    """Semicolons and quotes by the rules of DNS, names absolute, aliases as such."""
    found = provider.read(ZONE, {(ZONE, "TXT"), (f"www.{ZONE}", "A"), (f"old.{ZONE}", "MX"), (f"no.{ZONE}", "A")})

    assert found == (
        SPF,
        RecordSet(f"old.{ZONE}", "MX", 3600, ("10 mx1.example.com.",)),
        RecordSet(f"www.{ZONE}", "CNAME", 3600, (f"{ZONE}.",)),
    )


@pytest.mark.parametrize(
    ("rdtype", "value"),
    [
        ("TXT", txt("v=DKIM1; k=rsa; h=sha256; p=" + "A" * 400)),
        ("TXT", '"back\\\\slash and \\"quotes\\""'),
        ("MX", "0 ."),
        ("SRV", "0 1 587 mx1.example.com."),
        ("CAA", '128 issuewild "ca.example.net; policy=ev"'),
        ("TLSA", "3 1 1 " + "ab" * 32),
        ("NS", "ns.example.net."),
        ("CNAME", "elsewhere.example.net."),
        ("AAAA", "2001:db8::1"),
    ],
)
def test_each_type_of_record_comes_back_as_it_was_written(provider: Any, rdtype: str, value: str) -> None:
    """Through octoDNS's form and its file, and away again."""
    name = f"_x.new.{ZONE}"
    provider.apply(ZONE, [_add(name, rdtype, value)])

    (found,) = provider.read(ZONE, {(name, rdtype)})
    assert [canonical(rdtype, text) for text in found.values] == [canonical(rdtype, value)]
    provider.apply(ZONE, [Edit(name, rdtype, found, None)])
    assert provider.read(ZONE, {(name, rdtype)}) == ()


def test_what_is_not_ours_stays_as_octodns_has_it(provider: Any, folder: Path) -> None:
    """In other record sets, and in the one that we touch."""
    after = RecordSet(ZONE, "TXT", 60, (*SPF.values, '"v=spf1 -all"'))
    address = RecordSet(f"mx1.{ZONE}", "A", 3600, ("203.0.113.10",))
    both = RecordSet(f"mx1.{ZONE}", "A", 3600, ("203.0.113.10", "203.0.113.11"))

    provider.apply(ZONE, [Edit(ZONE, "TXT", SPF, after), Edit(f"mx1.{ZONE}", "A", address, both)])

    held = _held(folder)
    assert held[""][1]["values"] == ['say "hi"', "v=spf1 -all", "v=verify; 1"]
    assert held[""][0] == HELD[""][0]
    assert held["mx1"] == {
        "octodns": {"note": "kept"},
        "type": "A",
        "values": ["203.0.113.10", "203.0.113.11"],
    }
    assert held["www"] == HELD["www"]


@pytest.mark.parametrize(
    "edit",
    [
        Edit(ZONE, "TXT", RecordSet(ZONE, "TXT", 60, ('"v=verify; 1"',)), None),
        Edit(f"gone.{ZONE}", "TXT", RecordSet(f"gone.{ZONE}", "TXT", 60, ('"x"',)), None),
        _add(f"mx1.{ZONE}", "A", "203.0.113.11"),
        _add(f"www.{ZONE}", "TXT", '"beside an alias"'),
    ],
)
def test_a_world_that_moved_is_refused_whole(provider: Any, folder: Path, edit: Edit) -> None:
    """Nothing is written, not even what would still fit."""
    before = (folder / f"{ZONE}.yaml").read_text()

    with pytest.raises(WorldMoved, match="nothing was applied"):
        provider.apply(ZONE, [_add(f"new.{ZONE}", "A", "203.0.113.1"), edit])

    assert (folder / f"{ZONE}.yaml").read_text() == before


def test_a_provider_that_writes_whole_zones_anew_is_refused(tmp_path: Path) -> None:
    """octoDNS's own provider of zone files would leave nothing but our records."""
    path = tmp_path / f"{ZONE}.zone"
    path.write_text("@ 60 SOA a b 1 1 1 1 1\n@ 60 NS ns\nwww 60 A 192.0.2.1\n")
    settings = {"directory": str(tmp_path), "file_extension": ".zone"}
    provider = _open("octodns_bind.ZoneFileProvider", tmp_path, settings=settings)

    with pytest.raises(DnsError, match="whole zones"):
        provider.apply(ZONE, [_add(f"new.{ZONE}", "A", "203.0.113.1")])

    assert "www" in path.read_text()


def test_a_provider_that_applies_nothing_does_not_pass_for_done(folder: Path) -> None:
    """``apply_disabled`` is a setting of every provider of octoDNS."""
    settings = {"directory": str(folder), "apply_disabled": True}
    provider = _open("octodns.provider.yaml.YamlProvider", folder, settings=settings)

    with pytest.raises(DnsError, match="changed none"):
        provider.apply(ZONE, [_add(f"new.{ZONE}", "A", "203.0.113.1")])


@pytest.mark.parametrize(
    ("driver", "hint"),
    [
        ("octodns_nowhere.NowhereProvider", "pip install octodns-nowhere"),
        ("octodns.provider.yaml.NoSuchProvider", "pip install octodns"),
        ("subprocess.Popen", "Sources can be read only"),
    ],
)
def test_what_is_not_installed_says_what_to_install(tmp_path: Path, driver: str, hint: str) -> None:
    """And what is no provider is not called."""
    with pytest.raises(UsageError, match=driver) as caught:
        _open(driver, tmp_path)

    assert hint in caught.value.hint


def test_a_secret_without_a_value_is_named_by_its_argument(tmp_path: Path) -> None:
    """Before anything is asked."""
    with pytest.raises(SecretError, match=r"token of octodns\.provider"):
        _open("octodns.provider.yaml.YamlProvider", tmp_path, secrets={"token": {"env": "UNSET_IN_TESTS"}})


def test_a_setting_that_is_neither_text_nor_number_is_a_mistake_with_its_place() -> None:
    """Each is reported, and none that is written as it may be is changed on the way."""
    entry = {"provider": "octodns", "driver": "a.B", "settings": {"a": 1.5, "b": None, "c": True, "d": "1", "e": 1}}
    hosts = [(f"mx1.{ZONE}", {"egress": [{"public": "203.0.113.10"}]})]

    with pytest.raises(InventoryError) as caught:
        parse(hosts, {"dns": {"main": entry}, "domains": {ZONE: {"dns": "main"}}}, "here")

    assert [(p.place, p.what) for p in caught.value.problems] == [
        (f"dns › main › settings › {name}", "must be text, a whole number, True or False") for name in "ab"
    ]
    kept = {"c": True, "d": "1", "e": 1}
    assert OctoDns.model_validate({**entry, "settings": kept}).settings == kept


# --- a provider with moods -----------------------------------------------------------------------------------------


class Refused(Exception):
    """What a provider of octoDNS raises for a wrong token, by its name."""


class ClientUnauthorized(Refused):
    """See ``Refused``."""


class Moody(BaseProvider):  # type: ignore[misc]
    """A provider that knows two types, cannot list its zones, and fails as it is told to."""

    SUPPORTS_GEO = False
    SUPPORTS = {"A", "TXT", "ALIAS"}

    def __init__(self, id: str, mood: Any, token: str = "") -> None:  # noqa: A002 - octoDNS's name
        self.log = logging.getLogger("moody")
        super().__init__(id)
        self.mood, self.token = mood, token

    def populate(self, zone: Any, target: bool = False, lenient: bool = False) -> bool:  # noqa: ARG002
        """Know one zone, with one name server that cannot be managed here."""
        self.mood("populate", self.token)
        if zone.name != f"{ZONE}.":
            return False
        zone.add_record(Record.new(zone, "", {"type": "NS", "ttl": 60, "value": "ns.example.net."}, lenient=True))
        zone.add_record(Record.new(zone, "", {"type": "ALIAS", "ttl": 60, "value": "x.example.net."}, lenient=True))
        return True

    def _include_change(self, change: Any) -> bool:
        return bool(change.new is None or change.new.ttl >= 60)

    def _extra_changes(self, existing: Any, desired: Any, changes: Any) -> Any:  # noqa: ARG002
        return self.mood("extra", existing) or []

    def _apply(self, plan: Any) -> None:
        self.mood("apply", plan)


def _moody(mood: Any, seconds: float = 5, secret: str | None = None) -> OctoProvider:
    return OctoProvider("x.Moody", Moody, {"mood": mood}, {"token": secret or "s3cr3t/+"}, 0, seconds)


def _fails(error: BaseException, at: str = "populate") -> Any:
    def mood(step: str, _: object) -> None:
        if step == at:
            raise error

    return mood


def _content(*_: object) -> None:
    return None


def test_zones_that_cannot_be_listed_are_asked_for_one_by_one() -> None:
    """The longest that answers; each is asked for once."""
    asked: list[str] = []

    def mood(step: str, _: object) -> None:
        asked.append(step)

    names = [f"a.b.{ZONE}", f"b.{ZONE}", ZONE]

    assert _moody(mood).zones(names) == dict.fromkeys(names, ZONE)
    assert len(asked) == 3


def test_zones_that_cannot_be_listed_and_are_not_there_say_what_was_answered() -> None:
    """A wrong key is not taken for a missing zone; other words are passed on."""
    with pytest.raises(NotAllowed, match=r"zone of example\.org, nor of 1 name below: .*keeps no such zone"):
        _moody(_content).zones(["example.org", "a.example.org"])
    with pytest.raises(NotAllowed, match="ClientUnauthorized"):
        _moody(_fails(ClientUnauthorized("no"))).zones([ZONE])


@pytest.mark.parametrize("more", [{"geo": {"EU": ["203.0.113.2"]}}, {"dynamic": DYNAMIC}])
def test_a_record_that_answers_by_place_is_left_alone(more: dict[str, Any]) -> None:
    """What it answers to whom is not ours to flatten."""
    zone = Zone(f"{ZONE}.", [])
    data = {"type": "A", "ttl": 60, "value": "203.0.113.1", **more}
    zone.add_record(Record.new(zone, "www", data, lenient=True))
    (before,) = read_back(ZONE, zone.records, {(f"www.{ZONE}", "A")})

    with pytest.raises(DnsError, match="from place to place"):
        changed(zone, [Edit(*before.key, before, RecordSet(*before.key, 60, ("203.0.113.9",)))])


def test_data_that_is_no_dns_is_named() -> None:
    """Lenient reading lets anything pass."""
    zone = Zone(f"{ZONE}.", [])
    data = {"type": "MX", "ttl": 60, "value": {"preference": 10, "exchange": "no dot"}}
    zone.add_record(Record.new(zone, "www", data, lenient=True))

    with pytest.raises(DnsError, match=r"MX www\.example\.com holds data that is no DNS"):
        read_back(ZONE, zone.records, {(f"www.{ZONE}", "MX")})


def test_a_type_that_the_provider_does_not_know_is_named() -> None:
    """Before anything is written, not dropped on the way."""
    with pytest.raises(NotAllowed, match="cannot keep records of type MX, TLSA"):
        _moody(_content).read(ZONE, {(ZONE, "MX"), (ZONE, "TLSA"), (ZONE, "A")})


def test_a_record_that_is_no_dns_in_the_way_is_named() -> None:
    """An ALIAS makes addresses that are nobody's declared ones."""
    with pytest.raises(DnsError, match="has an ALIAS"):
        _moody(_content).read(ZONE, {(ZONE, "A")})


def test_a_provider_that_keeps_its_own_name_servers_to_itself_can_be_used() -> None:
    """They are shown and cannot be managed: octoDNS refuses a plan that names them."""
    plans: list[Any] = []

    def mood(step: str, plan: object) -> None:
        if step == "apply":
            plans.append(plan)

    _moody(mood).apply(ZONE, [_add(f"x.{ZONE}", "A", "203.0.113.1")])

    assert [change.record.fqdn for change in plans[0].changes] == [f"x.{ZONE}."]


def test_a_plan_that_holds_more_than_our_changes_is_not_applied() -> None:
    """Whoever adds to it: a person at the same time, or the provider itself."""

    def mood(step: str, existing: Any) -> Any:
        assert step != "apply"
        return [Delete(r) for r in existing.records] if step == "extra" else None

    with pytest.raises(WorldMoved, match=r"other records too: ALIAS example\.com"):
        _moody(mood).apply(ZONE, [_add(f"x.{ZONE}", "A", "203.0.113.1")])


def test_a_change_that_the_provider_leaves_out_is_named() -> None:
    """Here for its TTL; it would be planned for ever."""
    with pytest.raises(DnsError, match=r"would not make these changes: A x\.example\.com"):
        _moody(_content).apply(ZONE, [_add(f"x.{ZONE}", "A", "203.0.113.1", ttl=5)])


def test_an_apply_that_fails_says_what_was_asked_for_and_that_running_again_is_safe() -> None:
    """All or nothing is more than such an interface promises."""
    with pytest.raises(DnsError, match=r"asked to change 1 record sets \(A x\.example\.com\), and failed: ") as caught:
        _moody(_fails(RuntimeError("half"), "apply")).apply(ZONE, [_add(f"x.{ZONE}", "A", "203.0.113.1")])

    assert "Some of it may have been done" in caught.value.hint


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ClientUnauthorized("no"), NotAllowed),
        (ConnectionRefusedError("no"), ServerUnreachable),
        (ValueError("no"), DnsError),
    ],
)
def test_errors_of_others_become_ours_by_what_they_mean(error: Exception, kind: type[DnsError]) -> None:
    """A person reads the zone, the provider, and what to do."""
    with pytest.raises(DnsError, match=r"zone example\.com: octoDNS \(x\.Moody\) failed: ") as caught:
        _moody(_fails(error)).read(ZONE, ())

    assert type(caught.value) is kind


@pytest.mark.parametrize("said", ["token=s3cr3t/+", "GET /?t=s3cr3t%2F%2B", "x" * 500 + "s3cr3t/+", "\x1b[2Js3cr3t/+"])
def test_what_others_say_is_cut_printable_and_without_secrets(said: str) -> None:
    """Exceptions carry URLs, headers and whatever a server answered."""
    with pytest.raises(DnsError) as caught:
        _moody(_fails(RuntimeError(said))).read(ZONE, ())

    assert "s3cr3t" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert caught.value.__cause__ is None
    assert "s3cr3t" not in repr(_moody(_content))


@pytest.mark.parametrize("ttl", [10**30, -1, "60", None, 1.5])
def test_a_ttl_that_no_record_can_have_is_told_as_such(ttl: Any) -> None:
    """octoDNS hands on what an API said."""
    zone = Zone(f"{ZONE}.", [])
    record: Any = Record.new(zone, "", {"type": "A", "ttl": 60, "value": "192.0.2.1"}, lenient=True)
    record.ttl = ttl

    with pytest.raises(DnsError, match=r"A example\.com has a TTL that is none"):
        read_back(ZONE, [record], {(ZONE, "A")})


def test_a_key_of_several_lines_is_a_secret_too() -> None:
    """However the words of an error wrap it."""
    key = "-----BEGIN KEY-----\nMIIs3cr3t\nMIIm0r3\n-----END KEY-----\n"

    for said in (key, repr(key), f"no such key: {key}"):
        with pytest.raises(DnsError) as caught:
            _moody(_fails(RuntimeError(said)), secret=key).read(ZONE, ())
        assert "s3cr3t" not in str(caught.value)


def test_a_provider_that_ends_the_process_does_not_end_ours() -> None:
    """The other zones are served."""
    with pytest.raises(DnsError, match=r"failed: SystemExit: 3"):
        _moody(_fails(SystemExit(3))).read(ZONE, ())


def test_a_provider_that_hangs_is_given_up() -> None:
    """With its name and the zone; the other zones are served."""
    never = threading.Event()

    with pytest.raises(ServerUnreachable, match=r"gave no answer in 0\.1 s"):
        _moody(lambda *_: never.wait(), 0.1).read(ZONE, ())

    never.set()
