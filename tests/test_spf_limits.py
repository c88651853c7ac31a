"""A plan that would pass ten lookups is refused, and says which includes cost what."""

from pathlib import Path

import pytest

from sendwright import spf_limits
from sendwright.dns.plan import Changes, Create, Update, Write
from sendwright.dns.providers.base import RecordSet
from sendwright.dns.providers.zonefile import MasterFiles
from sendwright.dns.rdata import txt
from sendwright.dns.record import Record
from sendwright.dns.spf_lookup import NOTHING, Answer
from sendwright.errors import ForeignRecord, TooManyLookups
from sendwright.looking import Sight
from sendwright.plan import Stage
from sendwright.publishing import Zone, Zones

NAME = "example.com"
BIG = "v=spf1 " + " ".join(f"include:s{n}.provider.example" for n in range(6)) + " -all"
WORLD = {"big.example": BIG, **{f"s{n}.provider.example": "v=spf1 ip4:192.0.2.1 -all" for n in range(6)}}


class Resolver:
    """A resolver that answers TXT from WORLD and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def __call__(self, name: str, rdtype: str) -> Answer:
        """Answer."""
        self.asked.append((name, rdtype))
        return Answer((WORLD[name],)) if rdtype == "TXT" and name in WORLD else NOTHING


def _zones(*writes: Write, records: tuple[Record, ...] = (), served: tuple[RecordSet, ...] = ()) -> Zones:
    sight = Sight("main", MasterFiles(Path("unused"), 0), NAME, records, (), served)
    return Zones({NAME: Zone(sight, Changes(NAME, writes))})


def _create(text: str) -> Create:
    return Create(NAME, "TXT", 3600, txt(text), "why", Stage.EXPAND)


def _update(before: str, after: str) -> Update:
    return Update(NAME, "TXT", 3600, txt(after), "why", Stage.EXPAND, txt(before), 3600)


def test_a_record_that_would_pass_ten_lookups_is_refused_with_what_each_include_costs() -> None:
    """7 + 4: the sum, and each term of it, is in the error, so that a person knows which one to take out."""
    more = " ".join(f"include:s{n}.provider.example" for n in range(4))
    zones = _zones(_create(f"v=spf1 ip4:203.0.113.10 include:big.example {more} ~all"))

    spf_limits.judge(zones, Resolver())

    said = str(zones.errors[NAME])
    assert "include:big.example 7, include:s0.provider.example 1" in said
    assert "= 11 of 10" in said


def test_what_is_in_the_way_elsewhere_in_the_zone_does_not_hide_the_limit() -> None:
    """A zone with a foreign MX is written all the same; one whose SPF would be an error is not."""
    zones = _zones(_create("v=spf1 include:big.example include:big.example ~all"))
    zones.errors[NAME] = ForeignRecord(NAME, "somebody else's MX.")

    spf_limits.judge(zones, Resolver())

    assert isinstance(zones.errors[NAME], TooManyLookups)
    assert zones.planned == ()


def test_ten_lookups_are_allowed() -> None:
    """The limit is the limit, not one below it."""
    more = " ".join(f"include:s{n}.provider.example" for n in range(3))
    zones = _zones(_create(f"v=spf1 include:big.example {more} ~all"))

    spf_limits.judge(zones, Resolver())

    assert zones.errors == {}
    assert zones.found[NAME].changes.notes == ()


def test_somebody_elses_record_that_is_broken_already_is_not_made_worse_by_our_address() -> None:
    """Ours come first, where they are matched before the limit: that helps, so it is noted and not refused."""
    broken = "v=spf1 include:big.example include:big.example ~all"
    zones = _zones(_update(broken, broken.replace("v=spf1", "v=spf1 ip4:203.0.113.10")))

    spf_limits.judge(zones, Resolver())

    assert zones.errors == {}
    assert any("= 14 of 10" in note for note in zones.found[NAME].changes.notes)


def test_a_record_of_addresses_asks_nobody() -> None:
    """The common case costs no question."""
    resolver = Resolver()

    spf_limits.judge(_zones(_create("v=spf1 ip4:203.0.113.10 -all")), resolver)

    assert resolver.asked == []


def test_what_is_about_to_be_published_is_not_asked_for() -> None:
    """A resolver would remember that it is not there, for as long as the zone says."""
    mx = Record(NAME, "MX", 3600, f"10 mx1.{NAME}.", "why", Stage.HOSTS)
    host = Record(f"mx1.{NAME}", "A", 3600, "203.0.113.10", "why")
    resolver = Resolver()

    spf_limits.judge(_zones(_create("v=spf1 mx a:mx1.example.com ~all"), records=(mx, host)), resolver)

    assert resolver.asked == []


def test_what_nobody_declares_at_a_name_that_exists_is_asked_for() -> None:
    """Somebody else's terms follow their own records there: that those are not ours makes no void lookup of them."""
    resolver = Resolver()

    spf_limits.judge(_zones(_create("v=spf1 ip4:203.0.113.10 a mx ~all")), resolver)

    assert {rdtype for name, rdtype in resolver.asked if name.rstrip(".") == NAME} >= {"A", "MX"}


def test_a_name_has_one_spf_record_whatever_is_declared_and_stands_there() -> None:
    """An include of a domain of ours meets what is merged there, and not both parts of it."""
    living = RecordSet(NAME, "TXT", 3600, (txt("v=spf1 include:s1.provider.example -all"),))
    declared = Record(NAME, "TXT", 3600, txt("v=spf1 ip4:203.0.113.10 ~all"), "why")
    merged = _update(
        "v=spf1 include:s1.provider.example -all", "v=spf1 ip4:203.0.113.10 include:s1.provider.example -all"
    )
    below = Create(f"news.{NAME}", "TXT", 3600, txt(f"v=spf1 include:{NAME} ~all"), "why", Stage.EXPAND)
    zones = _zones(merged, below, records=(declared,), served=(living,))

    spf_limits.judge(zones, Resolver())

    assert zones.found[NAME].changes.notes == ()


def test_names_that_do_not_exist_are_noted() -> None:
    """From three void lookups on, receivers answer permerror (RFC 7208 section 4.6.4)."""
    zones = _zones(_create("v=spf1 exists:a.void.example exists:b.void.example exists:c.void.example ~all"))

    spf_limits.judge(zones, Resolver())

    assert any("3 names that do not exist" in note for note in zones.found[NAME].changes.notes)


def test_an_undo_that_would_pass_ten_lookups_is_refused_and_one_that_lessens_them_is_not() -> None:
    """The same limit for changes that come from no zone of the declaration; their own names are asked nowhere."""
    more = " ".join(f"include:s{n}.provider.example" for n in range(4))
    over, fine = f"v=spf1 include:big.example {more} ~all", "v=spf1 ip4:203.0.113.10 ~all"
    resolver = Resolver()

    def refuse(before: str, after: str) -> None:
        served = RecordSet(NAME, "TXT", 60, (txt(before),))
        spf_limits.refuse_costly(Changes(NAME, (_update(before, after),)), (served,), {served.key}, resolver)

    with pytest.raises(TooManyLookups):
        refuse(fine, over)
    refuse(over, fine)
    refuse(over, f"v=spf1 ip4:203.0.113.10 include:big.example {more} ~all")
    assert NAME not in {name for name, _ in resolver.asked}
