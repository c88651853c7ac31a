"""What to publish by hand: every record, in the safe order, in a form that can be pasted."""

import json
from datetime import UTC, datetime

import dns.zone
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendwright.dns.export import Exported, export
from sendwright.dns.rdata import joined
from sendwright.dns.records import desired
from sendwright.plan import Stage
from sendwright.planning import missing_keys
from sendwright.providers import Rfc2136
from sendwright.report.export import export_document, export_lines, export_zones
from sendwright.stack import DkimAlgorithm, Domain, Host, Stack
from sendwright.state.model import DkimKey, KeyStage

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PUBLIC = "A" * 392
MX1 = "mx1.example.com"


def _stack(*domains: str, **more: object) -> Stack:
    host = {"name": MX1, "ssh": {"hostname": MX1}, "egress": [{"public": "203.0.113.10"}]}
    tsig = {"name": "k", "secret": {"env": "UNSET"}}
    config = {"provider": "rfc2136", "server": "192.0.2.53", "tsig": tsig}
    declared = tuple(Domain.model_validate({"name": d, "dns": "main", **more}) for d in domains or ("example.com",))
    return Stack(hosts=(Host.model_validate(host),), domains=declared, dns={"main": Rfc2136.model_validate(config)})


def _key(domain: str = "example.com", stage: KeyStage = KeyStage.GENERATED) -> DkimKey:
    return DkimKey(domain, "r202611", DkimAlgorithm.RSA, PUBLIC, "0" * 64, NOW, stage)


def _export(stack: Stack, *keys: DkimKey) -> tuple[Exported, ...]:
    return export(stack, keys, missing_keys(stack, keys))


def test_every_record_stands_under_the_longest_declared_domain_that_it_lies_in() -> None:
    """Which zone that is, only its servers know."""
    outer, inner = _export(_stack("example.com", "news.example.com"))

    assert {r.name for r in outer.records} >= {"example.com", MX1}
    assert {r.name.endswith("news.example.com") for r in inner.records} == {True}
    assert not any(r.name.endswith("news.example.com") for r in outer.records)


def test_what_mail_relies_on_comes_before_what_relies_on_hosts_and_signatures() -> None:
    """Expand, then MX, then what tightens, then what contracts."""
    (found,) = _export(_stack(dmarc={"policy": "reject"}), _key(stage=KeyStage.REVOKED))

    stages = [r.stage for r in found.records]
    assert stages == sorted(stages)
    place = {(r.name, r.type): i for i, r in enumerate(found.records)}
    spf, mx = place["example.com", "TXT"], place["example.com", "MX"]
    revoked = place["r202611._domainkey.example.com", "TXT"]
    assert spf < mx < place["_dmarc.example.com", "TXT"] < revoked


def test_names_are_told_without_the_domain() -> None:
    """As the forms of providers want them."""
    (found,) = _export(_stack(), _key())

    names = {found.relative(r) for r in found.records}
    assert {"@", "mx1", "_dmarc", "r202611._domainkey"} <= names


def test_keys_that_do_not_exist_yet_are_said_to_be() -> None:
    """In every form; and no record is made up for them."""
    found = _export(_stack(), _key())

    assert found[0].unknown == (DkimAlgorithm.ED25519,)
    assert "ed25519 key: known after generation: run `sendwright provision`" in export_lines(found)
    assert "; a DKIM record of example.com for its ed25519 key: known after generation" in export_zones(found)
    assert json.loads(export_document(found))["domains"][0]["unknown"] == ["ed25519"]
    assert "p=\n" not in export_lines(found)


def test_texts_are_pasted_whole_and_without_quotes_in_a_form() -> None:
    """A DKIM key is one line, however long."""
    lines = export_lines(_export(_stack(), _key())).splitlines()

    (line,) = (x for x in lines if "r202611._domainkey" in x)
    assert line.endswith(f"  v=DKIM1; k=rsa; h=sha256; p={PUBLIC}")
    assert '"' not in line


def test_each_record_says_why_it_is_there_and_each_group_when() -> None:
    """Who pastes by hand decides by hand."""
    text = export_lines(_export(_stack()))

    assert "# SPF: which addresses may send for example.com" in text
    assert text.index("now: mail relies on it") < text.index("when the hosts take mail and hold the keys")


def test_what_may_stand_there_only_once_is_said() -> None:
    """A second SPF record is an error for every receiver (RFC 7208 section 3.2)."""
    text = export_lines(_export(_stack(replace_mx=True)))

    assert "Only one SPF record may be at example.com: if there is one already, put these terms" in text
    assert "right behind v=spf1" in text
    assert "Only one DMARC record may be at _dmarc.example.com" in text
    assert "The MX of others goes" in text


def test_the_spf_record_of_a_locked_domain_takes_the_place_of_another() -> None:
    """None of its terms has a meaning in a record that lets others send."""
    stack = _stack()
    locked = Domain.model_validate({"name": "old.example", "dns": "main", "sends": False})
    text = export_lines(_export(stack.model_copy(update={"domains": (*stack.domains, locked)})))

    assert "Only one SPF record may be at old.example: if there is one already, put this one in its place." in text


def test_a_reason_cannot_leave_its_comment() -> None:
    """A line feed in it would be a record of somebody else's choice."""
    (found,) = _export(_stack())
    evil = tuple(type(r)(r.name, r.type, r.ttl, r.value, "x\nevil A 192.0.2.1\x1b[2J", r.stage) for r in found.records)
    hostile = Exported(found.domain, found.dns, evil, ())

    assert "\nevil" not in export_zones([hostile])
    assert "\x1b[2J" not in export_lines([hostile])


_DOMAINS = st.lists(
    st.sampled_from(["example.com", "example.org", "news.example.com", "a.b.example.net"]), min_size=1, unique=True
)


@settings(max_examples=20)
@given(_DOMAINS, st.booleans(), st.sampled_from(["none", "reject"]), st.sampled_from(list(KeyStage)))
def test_the_zone_file_form_and_the_json_say_exactly_what_is_desired(
    domains: list[str], with_keys: bool, policy: str, stage: KeyStage
) -> None:
    """Whatever the stack: read back by dnspython, value by value, TTL by TTL."""
    stack = _stack("example.com", *(d for d in domains if d != "example.com"), dmarc={"policy": policy})
    keys = [_key(d.name, stage) for d in stack.domains] if with_keys else []
    found = _export(stack, *keys)

    zone = dns.zone.from_text(export_zones(found), origin=".", check_origin=False, relativize=False)
    read = {
        (name.to_text(omit_final_dot=True), ttl, _comparable(rdata.to_text()))
        for name, ttl, rdata in zone.iterate_rdatas()
    }
    expected = {(r.name, r.ttl, _comparable(r.value)) for r in desired(stack, keys)}
    assert read == expected
    told = [r for d in json.loads(export_document(found))["domains"] for r in d["records"]]
    assert {(r["name"], r["ttl"], _comparable(r["value"])) for r in told} == expected
    assert {r["stage"] for r in told} <= {s.name.lower() for s in Stage}


def _comparable(text: str) -> bytes | str:
    return joined(text) if text.startswith('"') else text


@pytest.mark.parametrize("render", [export_lines, export_zones])
def test_nothing_ends_in_blank_lines(render: object) -> None:
    """Output that is pasted or diffed ends where it ends."""
    assert callable(render)
    text = render(_export(_stack()))

    assert text == text.strip("\n")
