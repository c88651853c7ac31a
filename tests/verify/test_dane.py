import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from dns.rdata import GenericRdata
from dns.rdataclass import IN
from dns.rdatatype import TLSA
from hypothesis import given
from hypothesis import strategies as st

from sendwright.service import Sealed
from sendwright.state.model import Certificate, Claim, NextKey, State
from sendwright.verify import dane, known
from sendwright.verify.finding import Finding, Status
from sendwright.verify.look import Told
from sendwright.verify.records.certificate import read
from sendwright.verify.records.tlsa import matches, parse
from sendwright.verify.speaking.conversation import Conversation, Silence
from sendwright.verify.target import Server
from tests.verify.certificates import NOW, Made, made, root
from tests.verify.names import Names, zone
from tests.verify.talks import ADDRESS, MX1, UNSIGNED, look_now, server, silent, talk
from tests.verify.worlds import by_check, host, worst

AUTHORITY = root()
SHOWN = made(MX1, issuer=AUTHORITY)
OTHER = made(MX1)
AT = f"_25._tcp.{MX1}"


def sha256(octets: bytes) -> str:
    """A digest as records hold it."""
    return hashlib.sha256(octets).hexdigest()


def world(
    *records: str, secure: bool = True, at: str = AT, told: Mapping[tuple[str, str], Told] | None = None
) -> Names:
    """A zone with TLSA records, signed unless said otherwise."""
    lines = [UNSIGNED, *(f"{at}. IN TLSA {record}" for record in records)]
    return Names(zone("\n".join(lines)), told or {}, {"example.com"} if secure else ())


def judged(names: Names, *talks: Conversation, of: Server | None = None, validates: bool = True) -> list[Finding]:
    """What is found; each finding has an identity of its own."""
    found = list(dane.check(of or server(), talks or (talk(shown=SHOWN),), look_now(names, validates=validates)))
    assert len({finding.identity for finding in found}) == len(found)
    return found


THIS, NEXT = f"3 1 1 {sha256(SHOWN.spki)}", f"3 1 1 {sha256(OTHER.spki)}"


def test_records_of_this_key_and_the_next_pass_everything() -> None:
    """RFC 7672 section 8.1."""
    found = judged(world(THIS, NEXT))

    assert set(worst(found)) == {"present", "secure", "usable", "matches", "next"}
    assert {finding.status for finding in found} == {Status.PASS}
    assert {finding.target for finding in found} == {AT, f"{ADDRESS}:25"}


def test_a_signed_name_without_records_is_told_what_to_publish() -> None:
    """The very record, of what is served now."""
    (found,) = judged(world())

    assert (found.check, found.status) == ("dane.present", Status.WARN)
    assert found.advice == f"Publish {AT}. IN TLSA {THIS}"


def test_a_name_that_is_not_signed_is_told_of_once() -> None:
    """Without DNSSEC there is no DANE, and all other checks are silent."""
    (found,) = judged(world(secure=False))

    assert (found.check, found.status) == ("dane.present", Status.WARN)
    assert "not signed" in found.seen


def test_a_resolver_that_validates_nothing_leaves_it_open() -> None:
    """What is published is still compared, because who publishes it means it."""
    assert worst(judged(world(secure=False), validates=False)) == {"present": "unknown"}
    found = worst(judged(world(NEXT, secure=False), validates=False))
    assert (found["secure"], found["matches"]) == ("unknown", "fail")


def test_a_name_without_addresses_is_told_of_elsewhere() -> None:
    """``mx.resolves`` does."""
    assert judged(Names({}, {}, {"example.com"})) == []


def test_records_in_a_zone_that_is_not_signed_protect_nobody() -> None:
    """They are ignored: a wrong one harms nobody yet."""
    found = worst(judged(world(NEXT, secure=False)))

    assert (found["secure"], found["matches"]) == ("warn", "warn")


def test_bogus_records_stop_mail() -> None:
    """RFC 7672 section 2.1.1: senders wait until it validates."""
    assert worst(judged(world(THIS, told={(AT, "TLSA"): Told.BOGUS}))) == {"secure": "fail"}
    assert worst(judged(world(THIS, told={(MX1, "A"): Told.BOGUS}))) == {"secure": "fail"}


def test_an_answer_that_does_not_come_is_unknown_once() -> None:
    """It is no verdict on the zone."""
    assert worst(judged(world(THIS, told={(AT, "TLSA"): Told.FAILED}))) == {"present": "unknown"}
    silence = {(MX1, "A"): Told.FAILED, (MX1, "AAAA"): Told.FAILED}
    assert worst(judged(world(THIS, told=silence))) == {"present": "unknown"}


@pytest.mark.parametrize(
    "record",
    [
        f"1 1 1 {sha256(b'')}",
        f"0 0 1 {sha256(b'')}",
        f"4 1 1 {sha256(b'')}",
        f"3 2 1 {sha256(b'')}",
        f"3 1 3 {sha256(b'')}",
    ],
)
def test_what_mail_servers_cannot_use_is_told(record: str) -> None:
    """RFC 7672 section 3.1.3: usages 0 and 1, and what is malformed; alone it protects nobody."""
    assert worst(judged(world(record)))["usable"] == "fail"
    beside = worst(judged(world(record, THIS)))
    assert (beside["usable"], beside["matches"]) == ("warn", "pass")


@pytest.mark.parametrize("data", [b"\3\1\1\xab\xcd", b"\3\1\2" + bytes(32), b"\3\1", b""])
def test_a_record_that_is_malformed_is_told_and_those_beside_it_count(data: bytes) -> None:
    """RFC 3597 section 5 is how a resolver hands it on."""
    names = world(THIS, NEXT)
    records = [*names.records[AT, "TLSA"], GenericRdata(IN, TLSA, data)]

    found = worst(judged(replace(names, records={**names.records, (AT, "TLSA"): records})))

    assert (found["usable"], found["matches"], found["next"]) == ("warn", "pass", "pass")


@pytest.mark.parametrize(
    ("record", "good"),
    [
        (f"3 1 1 {sha256(SHOWN.spki)}", True),
        (f"3 1 2 {hashlib.sha512(SHOWN.spki).hexdigest()}", True),
        (f"3 1 0 {SHOWN.spki.hex()}", True),
        (f"3 0 1 {sha256(SHOWN.der)}", True),
        (f"3 0 0 {SHOWN.der.hex()}", True),
        (f"2 1 1 {sha256(AUTHORITY.spki)}", True),
        (f"2 0 1 {sha256(AUTHORITY.der)}", True),
        (f"3 1 1 {sha256(OTHER.spki)}", False),
        (f"3 0 1 {sha256(SHOWN.spki)}", False),
        (f"3 1 1 {sha256(AUTHORITY.spki)}", False),
        (f"2 1 1 {sha256(SHOWN.spki)}", False),
        (f"2 1 1 {sha256(OTHER.spki)}", False),
    ],
    # Keys are new in each process, and workers have to agree on names.
    ids=count(1),
)
def test_a_record_matches_what_is_served(record: str, good: bool) -> None:
    """RFC 6698 section 2.1: each selector and matching type, of the server's own and of its authority's."""
    assert worst(judged(world(record)))["matches"] == ("pass" if good else "fail")


def test_one_record_that_matches_is_enough_and_each_address_needs_one() -> None:
    """RFC 7672 section 3.1; a host that was forgotten gets no mail."""
    assert worst(judged(world(NEXT, THIS)))["matches"] == "pass"
    both = (talk(shown=SHOWN), talk(shown=OTHER, address="192.0.2.2"))
    assert worst(judged(world(THIS, NEXT), *both))["matches"] == "pass"
    good, bad = by_check(judged(world(THIS), *both))["matches"]
    assert (good.status, good.target) == (Status.PASS, f"{ADDRESS}:25")
    assert (bad.status, bad.target) == (Status.FAIL, "192.0.2.2:25")
    assert NEXT in bad.advice


def test_a_baseline_that_accepts_what_one_address_shows_accepts_no_other() -> None:
    """Each has a finding of its own, whichever of them answer that day."""
    one, other = talk(shown=OTHER), talk(shown=OTHER, address="192.0.2.2")

    assert _matching(known.accepted(judged(world(THIS), one), judged(world(THIS), one, other))) == {f"{ADDRESS}:25"}
    assert _matching(known.accepted(judged(world(THIS), one, other), judged(world(THIS), other))) == {"192.0.2.2:25"}


def _matching(found: Iterable[Finding]) -> set[str]:
    return {finding.target for finding in found if finding.check == "dane.matches"}


def test_a_server_without_tls_gets_no_mail_from_those_who_verify() -> None:
    """Records say that TLS is spoken: without it nothing is delivered."""
    assert worst(judged(world(THIS), talk()))["matches"] == "fail"
    assert worst(judged(world(THIS), talk(tls_failure="no cipher is shared")))["matches"] == "fail"


def test_a_server_that_cannot_be_reached_is_judged_by_its_records_alone() -> None:
    """``smtp.reachable`` says why."""
    assert set(worst(judged(world(THIS), silent(Silence.FILTERED)))) == {"present", "secure", "usable"}


def test_an_authority_vouches_for_names_and_dates_and_the_servers_own_record_does_not() -> None:
    """RFC 7672 sections 3.1.1 and 3.1.2."""
    for bad in (made("mx2.example.com", issuer=AUTHORITY), made(MX1, issuer=AUTHORITY, ends=timedelta(-1))):
        assert worst(judged(world(f"2 1 1 {sha256(AUTHORITY.spki)}"), talk(shown=bad)))["matches"] == "fail"
        assert worst(judged(world(f"3 1 1 {sha256(bad.spki)}"), talk(shown=bad)))["matches"] == "pass"


def test_an_authority_vouches_for_what_it_really_issued() -> None:
    """A certificate that merely lies beside it in the chain is nobody's."""
    beside = replace(OTHER, issuers=(AUTHORITY.certificate,))
    middle = made(issuer=AUTHORITY, authority=True, common="a middle")
    not_one = made(issuer=AUTHORITY, common="no authority")
    record = f"2 1 1 {sha256(AUTHORITY.spki)}"

    assert worst(judged(world(record), talk(shown=beside)))["matches"] == "fail"
    assert worst(judged(world(record), talk(shown=made(MX1, issuer=middle))))["matches"] == "pass"
    assert worst(judged(world(record), talk(shown=made(MX1, issuer=not_one))))["matches"] == "fail"


def test_an_authority_that_the_record_holds_whole_need_not_be_sent() -> None:
    """RFC 7672 section 3.1.2: matching type 0."""
    alone = Made(SHOWN.certificate, SHOWN.key)

    assert worst(judged(world(f"2 0 0 {AUTHORITY.der.hex()}"), talk(shown=alone)))["matches"] == "pass"


def test_the_next_key_is_covered_by_another_record_or_by_its_authority() -> None:
    """RFC 7672 sections 8.1 and 8.4; two records of the same key cover one key."""
    assert worst(judged(world(THIS)))["next"] == "warn"
    assert worst(judged(world(THIS, f"3 0 1 {sha256(SHOWN.der)}")))["next"] == "warn"
    assert worst(judged(world(THIS, NEXT)))["next"] == "pass"
    assert worst(judged(world(THIS, f"2 1 1 {sha256(AUTHORITY.spki)}")))["next"] == "pass"


def test_a_host_of_ours_keeps_its_key_so_one_record_of_the_key_is_enough() -> None:
    """A record of the certificate itself is wrong after the next renewal all the same."""
    ours = server(host=host(MX1, ADDRESS))

    assert worst(judged(world(THIS), of=ours))["next"] == "pass"
    assert worst(judged(world(f"3 0 1 {sha256(SHOWN.der)}"), of=ours))["next"] == "warn"


@pytest.mark.parametrize("records", [(), (NEXT,)])
def test_a_host_that_serves_something_else_gets_the_record_of_its_declared_key(records: tuple[str, ...]) -> None:
    """The record of what is served would stop mail as soon as the declared certificate is rolled out."""
    sealed = Sealed(f"certificates/{MX1}.pem", "0" * 64)
    meant = made(MX1)
    kept = Certificate(MX1, "self-signed", meant.pem, sealed, NOW, NOW + timedelta(80))
    ours = server(host=host(MX1, ADDRESS, dane=[25]), state=State(certificates=(kept,)))

    found = [f for f in judged(world(*records), of=ours) if f.status is not Status.PASS]

    assert found
    for finding in found:
        assert f"3 1 1 {sha256(meant.spki)}" in finding.advice
        assert THIS not in finding.advice
        assert "sendwright provision" in finding.advice


def declared(*, mode: str = "acme", tls: str = "acme", next_key: bool = True, claims: tuple[Claim, ...] = ()) -> Server:
    """A host of an inventory that shows the key of its state folder, and has made the next one ahead."""
    sealed = Sealed(f"tls/{MX1}.key", "0" * 64)
    kept = Certificate(MX1, mode, SHOWN.pem, sealed, NOW, NOW + timedelta(80))
    coming = (NextKey(MX1, sealed, sha256(OTHER.spki), NOW),) if next_key else ()
    state = State(certificates=(kept,), next_keys=coming, claims=claims)
    return server(host=host(MX1, ADDRESS, tls=tls, dane=[25]), state=state)


STRANGE = f"3 1 1 {'ab' * 32}"


@pytest.mark.parametrize(
    ("records", "status", "words"),
    [
        ((THIS, NEXT), Status.PASS, "this key and the next"),
        ((THIS,), Status.WARN, "the next key yet"),
        ((NEXT,), Status.FAIL, "no record is about the key"),
        ((THIS, NEXT, STRANGE), Status.WARN, "no key that is known here"),
    ],
)
def test_records_are_those_of_the_keys_that_the_state_folder_has(
    records: tuple[str, ...], status: Status, words: str
) -> None:
    """This one and the next, and nobody else's: who has that key could take the server's place."""
    (finding,) = by_check(judged(world(*records), of=declared()))["as-desired"]

    assert finding.status is status
    assert words in finding.seen


def test_a_record_of_ours_that_waits_out_caches_is_nobody_elses() -> None:
    """The former key's record leaves by the clock of the ledger."""
    leaving = Claim("example.com", AT, "TLSA", STRANGE.upper(), NOW, "main", left=NOW)

    (finding,) = by_check(judged(world(THIS, NEXT, STRANGE), of=declared(claims=(leaving,))))["as-desired"]

    assert finding.status is Status.PASS


def test_until_the_authority_has_answered_no_record_is_wanted() -> None:
    """What a host begins with is promised to nobody; what is awaited is told once."""
    (finding,) = judged(world(), of=declared(mode="self-signed"))

    assert (finding.check, finding.status) == ("dane.present", Status.WARN)
    assert "wait for the authority's certificate" in finding.seen
    assert "as-desired" not in by_check(judged(world(THIS), of=declared(mode="self-signed")))


def test_a_host_that_wants_no_records_is_told_how_to_want_them() -> None:
    """Its zone is signed, and nothing is in the way."""
    plain = server(host=host(MX1, ADDRESS), state=declared(tls="self-signed", mode="self-signed").state)

    (finding,) = judged(world(), of=plain)

    assert "Set dane to [25]" in finding.advice


def test_submission_is_judged_only_where_it_has_records() -> None:
    """Mail programs do not look for them."""
    at_587 = talk(587, SHOWN)

    found = judged(world(THIS), talk(shown=SHOWN), at_587, of=server(587))
    assert {f.target for f in found} == {AT, f"{ADDRESS}:25"}
    found = judged(world(NEXT, at=f"_587._tcp.{MX1}"), at_587, of=server(587, takes=()))
    assert worst(found)["matches"] == "fail"


ALIAS = f"{MX1}. IN CNAME real.example.org.\nreal.example.org. IN A {ADDRESS}\n"


@pytest.mark.parametrize(
    ("secure", "at", "matched"),
    [
        ({"example.com", "example.org"}, "_25._tcp.real.example.org", True),
        ({"example.com", "example.org"}, AT, True),
        ({"example.com"}, AT, True),
        ({"example.com"}, "_25._tcp.real.example.org", False),
    ],
)
def test_an_alias_leads_to_the_records_if_it_validates(secure: set[str], at: str, matched: bool) -> None:
    """RFC 7672 section 2.2.2: below the end of the alias first, then below the name itself."""

    names = Names(zone(f"{ALIAS}{at}. IN TLSA {THIS}"), {}, secure)
    shown = made("real.example.org", MX1, issuer=AUTHORITY, key=SHOWN.key)

    assert ("matches" in worst(judged(names, talk(shown=shown)))) == matched


def test_the_public_key_is_compared_as_its_certificate_writes_it() -> None:
    """Not as a library would write an equal one."""
    assert read(SHOWN.der).spki == SHOWN.spki


@given(st.text(max_size=200), st.binary(max_size=200))
def test_whatever_a_record_or_a_certificate_is_nothing_crashes(text: str, der: bytes) -> None:
    """Both come from strangers."""
    for record in (parse(text), parse(f"2 0 0 {der.hex()}"), parse(f"3 1 1 {text}")):
        assert not matches(record, (read(der), read(SHOWN.der)), MX1, NOW)
