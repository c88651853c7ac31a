"""What senders are told of TLS: keys of hosts in signed zones, and policies of domains whose mail comes here."""

from collections.abc import Mapping
from typing import Any

import pytest

from sendwright.dns.export import export
from sendwright.dns.providers.base import RecordSet
from sendwright.dns.record import Record
from sendwright.dns.records import asked_of_others, desired
from sendwright.dns.tls_records import TTL
from sendwright.plan import Stage
from sendwright.report.export import export_lines
from sendwright.stack import Stack
from sendwright.tlsa import NO_TLS, TlsFacts
from tests.dns.tls_zone import diff_of

COM, MX1, MX2 = "example.com", "mx1.example.com", "mx2.example.com"
NOW_KEY, NEXT_KEY = "a" * 64, "b" * 64
FACTS = TlsFacts({MX1: (NOW_KEY, NEXT_KEY)}, frozenset({MX1}), {COM: "1" * 32})
POLICY = (f"mta-sts.{COM}", "A")


def _stack(host: Mapping[str, Any] = {"tls": "acme"}, second: Mapping[str, Any] = {}, **more: Any) -> Stack:
    def declared(name: str, last: int, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        egress = [{"public": f"203.0.113.{last}"}, {"public": f"2001:db8::{last}"}]
        return {"name": name, "ssh": {"hostname": name}, "egress": egress, **settings}

    hosts = [declared(MX1, 10, host), *([declared(MX2, 11, {"tls": "acme", **second})] if second else [])]
    return Stack.model_validate({"hosts": hosts, "domains": [{"name": COM, "dns": "main", **more}]})


def _at(records: tuple[Record, ...], name: str, rdtype: str) -> list[str]:
    return [r.value for r in records if (r.name, r.type) == (name, rdtype)]


def test_senders_are_told_of_the_key_that_a_host_has_and_of_the_next() -> None:
    """By the key alone (3 1 1): a renewal that keeps it needs no new record."""
    found = [r for r in desired(_stack(), (), FACTS) if r.type == "TLSA"]

    assert [(r.name, r.value) for r in found] == [
        (f"_25._tcp.{MX1}", f"3 1 1 {NOW_KEY}"),
        (f"_25._tcp.{MX1}", f"3 1 1 {NEXT_KEY}"),
    ]
    assert {(r.stage, r.ttl) for r in found} == {(Stage.SWITCH, TTL)}


def test_keys_are_told_of_for_the_ports_that_are_declared() -> None:
    """Mail programs that know DANE find submission by it, where somebody asks for that."""
    found = desired(_stack({"tls": "acme", "dane": [25, 465, 587]}), (), FACTS)

    assert {r.name for r in found if r.type == "TLSA"} == {f"_{port}._tcp.{MX1}" for port in (25, 465, 587)}
    assert not [r for r in desired(_stack({"tls": "acme", "dane": []}), (), FACTS) if r.type == "TLSA"]


def test_no_key_is_told_of_where_nobody_would_believe_it() -> None:
    """TLSA records of a zone that is not signed are ignored (RFC 7672 section 2.2)."""
    unsigned = TlsFacts(FACTS.keys, frozenset(), FACTS.policies)

    assert not [r for r in desired(_stack(), (), unsigned) if r.type == "TLSA"]


def test_a_policy_is_found_at_every_host_that_takes_the_mail() -> None:
    """A draining one does not, and its address is not among them."""
    both = desired(_stack(second={"state": "active"}), (), FACTS)
    one = desired(_stack(second={"state": "draining"}), (), FACTS)

    assert _at(both, *POLICY) == ["203.0.113.10", "203.0.113.11"]
    assert _at(both, f"mta-sts.{COM}", "AAAA") == ["2001:db8::10", "2001:db8::11"]
    assert _at(one, *POLICY) == ["203.0.113.10"]


def test_the_addresses_come_early_and_the_id_last() -> None:
    """The authority has to find the name before there is a certificate; senders come once they hear of a policy."""
    records = desired(_stack(), (), FACTS)
    (told,) = (r for r in records if r.name == f"_mta-sts.{COM}")

    assert {r.stage for r in records if r.name == f"mta-sts.{COM}"} == {Stage.EXPAND}
    assert (told.value, told.stage, told.ttl) == (f'"v=STSv1; id={"1" * 32};"', Stage.SWITCH, TTL)


@pytest.mark.parametrize(
    "more", [{"mta_sts": {"mode": "off"}}, {"mx": "elsewhere"}, {"host": {"tls": "self-signed"}}], ids=str
)
def test_there_is_no_policy_where_none_can_be_kept(more: dict[str, Any]) -> None:
    """Nor where somebody wants none."""
    assert not [r for r in desired(_stack(**more), (), NO_TLS) if "mta-sts" in r.name]


def test_an_owner_is_asked_for_the_names_of_a_policy() -> None:
    """A domain whose zone is not ours has its policy here all the same, if one is declared."""
    customers = {"name": "example.net", "dns": None, "mta_sts": {}, "dkim": {"delegate_to": COM}}
    stack = Stack.model_validate(
        {
            "hosts": [{"name": MX1, "ssh": {"hostname": MX1}, "egress": [{"public": "203.0.113.10"}], "tls": "acme"}],
            "domains": [{"name": COM, "dns": "main"}, customers],
        }
    )
    facts = TlsFacts(policies={"example.net": "2" * 32})

    asked = asked_of_others(stack, (), facts)

    assert _at(asked, "mta-sts.example.net", "A") == ["203.0.113.10"]
    assert _at(asked, "_mta-sts.example.net", "TXT") == [f'"v=STSv1; id={"2" * 32};"']
    assert not [r for r in desired(stack, (), facts) if "example.net" in r.name]


def test_who_publishes_by_hand_reads_what_has_to_come_before() -> None:
    """A key that is not shown, or a policy that is not served, stops mail."""
    text = export_lines(export(_stack(), (), (), FACTS))

    assert f"TLSA   {TTL:>5}  3 1 1 {NOW_KEY}" in text
    assert "only where the zone is signed with DNSSEC, and once the host shows its key" in text
    assert "only once every host of the domain serves the policy" in text


def test_a_policy_that_is_served_elsewhere_stays_unless_one_is_declared() -> None:
    """A default takes nobody's place; who declares one is told what is in the way."""
    theirs = RecordSet(*POLICY, 3600, ("192.0.2.80",))
    told = RecordSet(f"_mta-sts.{COM}", "TXT", 3600, ('"v=STSv1; id=2020;"',))

    implied = diff_of(_stack(), FACTS, theirs, told)
    declared = diff_of(_stack(mta_sts={"mode": "testing"}), FACTS, theirs, told)

    assert not [w for w in implied.writes if (w.name, w.type) == POLICY or w.name == told.name]
    assert any("somebody else serves a policy" in note for note in implied.notes)
    assert [c for c in implied.conflicts if c.name == POLICY[0]] == []
    assert [(c.name, "fetched from mta-sts.example.com" in c.hint) for c in declared.conflicts] == [(POLICY[0], True)]
    assert any("sendwright dns adopt" in note for note in declared.notes)


def test_an_alias_to_a_policy_elsewhere_is_kept_as_well() -> None:
    """Most policies of others are served like that."""
    theirs = RecordSet(f"mta-sts.{COM}", "CNAME", 3600, ("policies.example.net.",))

    implied = diff_of(_stack(), FACTS, theirs)
    declared = diff_of(_stack(mta_sts={"mode": "testing"}), FACTS, theirs)

    assert not [w for w in implied.writes if w.name == POLICY[0]]
    assert not implied.conflicts
    assert {c.name for c in declared.conflicts} == {POLICY[0]}


def test_a_key_that_somebody_else_tells_of_is_in_the_way() -> None:
    """The host does not show it: whoever believes it alone gets no mail through."""
    theirs = RecordSet(f"_25._tcp.{MX1}", "TLSA", 3600, (f"3 1 1 {'C' * 64}",))

    found = diff_of(_stack(), FACTS, theirs)

    assert [(c.name, "dane" in c.hint) for c in found.conflicts] == [(f"_25._tcp.{MX1}", True)]
    assert not [w for w in found.writes if w.type == "TLSA"]
