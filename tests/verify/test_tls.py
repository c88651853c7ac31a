from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from sendwright.service import Sealed
from sendwright.stack import AcmeAuthority, Domain, Stack
from sendwright.state.model import Certificate, State
from sendwright.verify import tls
from sendwright.verify.finding import Finding, Status
from sendwright.verify.look import Fetched
from sendwright.verify.records.certificate import covers, read
from sendwright.verify.records.tlsa import wanted
from sendwright.verify.speaking.conversation import EXPIRED, SELF_SIGNED, Conversation, Silence
from sendwright.verify.target import Server
from tests.verify.certificates import NOW, Made, made, root
from tests.verify.names import Names, zone
from tests.verify.talks import MX1, UNSIGNED, look_now, server, silent, talk, with_tls
from tests.verify.worlds import by_check, host, worst

GOOD = made(MX1, issuer=root())
OWN = made(MX1)
WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it is what must be found


def judged(*talks: Conversation, of: Server | None = None, world: str | Names = UNSIGNED) -> list[Finding]:
    """What is found; each finding has an identity of its own, by which a baseline knows it."""
    found = list(tls.check(of or server(), talks, look_now(world)))
    assert len({finding.identity for finding in found}) == len(found)
    return found


def vouching(shown: Made) -> Names:
    """A world in which DANE vouches for a certificate."""
    record = f"_25._tcp.{MX1}. IN TLSA {wanted(read(shown.der))}"
    return Names(zone(f"{UNSIGNED}\n{record}"), secure={"example.com"})


def test_a_good_server_passes_everything() -> None:
    """And each check says once what was seen."""
    found = judged(talk(shown=GOOD), talk(587, GOOD), of=server(587))

    assert set(worst(found)) == {"offered", "chain", "name", "days", "protocols", "key", "signature", "same"}
    assert {finding.status for finding in found} == {Status.PASS}
    assert all(finding.seen for finding in found)


def test_a_server_that_could_not_be_spoken_to_is_not_judged() -> None:
    """``smtp.reachable`` tells of it, once."""
    assert judged(silent(Silence.FILTERED), silent(Silence.REFUSED, address="192.0.2.2")) == []


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "fail"),
        ({"tls_failure": "wrong version number"}, "fail"),
        ({"why": "it closed the connection"}, "unknown"),
    ],
    ids=["not offered", "failed", "not reached"],
)
def test_tls_is_offered_and_works(changes: Mapping[str, Any], status: str) -> None:
    """RFC 3207; a conversation that ended before says nothing."""
    assert worst(judged(talk(**changes))) == {"offered": status}


def test_a_chain_that_nobody_trusts_is_a_warning_between_servers_and_fails_mail_programs() -> None:
    """Between servers TLS is opportunistic; a mail program refuses to send (RFC 8314 section 3)."""
    at_25, at_587 = (with_tls(talk(port, OWN), trusted=SELF_SIGNED) for port in (25, 587))

    found = by_check(judged(at_25, at_587, of=server(587)))["chain"]

    assert [(f.status, f.target) for f in found] == [(Status.WARN, "192.0.2.1:25"), (Status.FAIL, "192.0.2.1:587")]
    assert ["DANE" in f.advice for f in found] == [True, False]  # mail programs ask for no TLSA


def test_what_the_inventory_declares_to_be_self_signed_only_warns() -> None:
    """A person chose it, and knows what mail programs say."""
    own = server(587, host=host(MX1, "192.0.2.1"))

    (found,) = by_check(judged(with_tls(talk(587, OWN), trusted=SELF_SIGNED), of=own))["chain"]

    assert (found.status, "the mode 'acme'" in found.advice) == (Status.WARN, True)


def test_dane_vouches_for_a_certificate_of_its_own() -> None:
    """RFC 7672 section 3.1.1: nobody looks at issuer and name of what DANE-EE is about."""
    other = made("other.example")
    said = with_tls(talk(shown=other), trusted=SELF_SIGNED)

    assert worst(judged(said))["chain"] == "warn"
    assert worst(judged(said))["name"] == "warn"
    vouched = worst(judged(said, world=vouching(other)))
    assert (vouched["chain"], vouched["name"]) == ("pass", "pass")


@pytest.mark.parametrize(
    ("policy", "status"),
    [
        ("version: STSv1\nmode: enforce\nmx: *.example.com\nmax_age: 86400", "fail"),
        ("version: STSv1\nmode: testing\nmx: *.example.com\nmax_age: 86400", "pass"),
        ("version: STSv1\nmode: enforce\nmx: mx.example.org\nmax_age: 86400", "pass"),
        ("nothing", "pass"),
    ],
)
def test_enforced_mta_sts_loses_mail_even_if_dane_vouches(policy: str, status: str) -> None:
    """RFC 8461 section 4.2: the largest senders verify this way only."""
    other = made("other.example")
    said = with_tls(talk(shown=other), trusted=SELF_SIGNED)
    names = vouching(other)
    record = zone('_mta-sts.example.com. IN TXT "v=STSv1; id=1"')
    look = look_now(replace(names, records={**names.records, **record}))
    served = Fetched(200, "text/plain", policy.encode())

    judgements = list(tls.check(server(), (said,), replace(look, fetch=lambda _url, _limit: served)))

    found = worst(judgements)
    assert (found["chain"], found["name"]) == (status, status)
    assert not any("DANE" in f.advice for f in judgements)


def test_a_chain_of_which_only_the_dates_are_wrong_is_told_of_once() -> None:
    """That is for ``tls.days`` to say."""
    old = made(MX1, issuer=root(), begins=timedelta(-100), ends=timedelta(-1))

    found = worst(judged(with_tls(talk(shown=old), trusted=EXPIRED)))

    assert (found["chain"], found["days"]) == ("pass", "fail")


@pytest.mark.parametrize(
    ("names", "good"),
    [
        ((MX1,), True),
        (("MX1.Example.Com",), True),
        (("*.example.com",), True),
        (("*.com",), False),
        (("*.mx1.example.com",), False),
        (("m*.example.com",), False),
        (("mx2.example.com", "example.com"), False),
        ((), False),
    ],
)
def test_the_name_is_one_of_the_san_and_a_wildcard_one_label(names: tuple[str, ...], good: bool) -> None:
    """RFC 9525 section 6: the common name counts no more."""
    shown = made(*names, common=MX1)

    assert worst(judged(talk(shown=shown)))["name"] == ("pass" if good else "warn")
    assert worst(judged(talk(587, shown), of=server(587)))["name"] == ("pass" if good else "fail")


@pytest.mark.parametrize(
    ("life", "left", "status"),
    [
        (90, 60, "pass"),
        (90, 25, "pass"),
        (90, 19, "warn"),
        (90, -1, "fail"),
        (6, 3, "pass"),
        (6, 1, "warn"),
        (365, 22, "pass"),
        (365, 20, "warn"),
        (90, 91, "fail"),
    ],
)
def test_days_that_are_left_are_judged_by_the_life_of_the_certificate(life: int, left: int, status: str) -> None:
    """Renewal comes with a third left: whoever has two ninths has missed it, whether that are weeks or a day."""
    shown = made(MX1, begins=timedelta(left - life), ends=timedelta(left))

    assert worst(judged(talk(shown=shown)))["days"] == status


@pytest.mark.parametrize(
    ("version", "old", "unasked", "at_25", "at_587"),
    [
        ("TLSv1.3", "", "", "pass", "pass"),
        ("TLSv1.2", "TLSv1.1", "", "warn", "fail"),
        ("TLSv1", "TLSv1", "", "fail", "fail"),
        ("TLSv1.2", "", "it took too long", "unknown", "unknown"),
    ],
)
def test_old_tls_is_worse_for_mail_programs_than_between_servers(
    version: str, old: str, unasked: str, at_25: str, at_587: str
) -> None:
    """RFC 8996; on port 25 it is still better than nothing."""
    for port, status in ((25, at_25), (587, at_587)):
        said = with_tls(talk(port, GOOD), version=version, old=old, unasked=unasked)
        assert worst(judged(said))["protocols"] == status


@pytest.mark.parametrize(
    ("key", "status"),
    [
        (rsa.generate_private_key(65537, 2048), "pass"),
        (WEAK, "fail"),
        (ec.generate_private_key(ec.SECP384R1()), "pass"),
        (ec.generate_private_key(ec.SECP224R1()), "fail"),
    ],
    ids=["rsa 2048", "rsa 1024", "p384", "p224"],
)
def test_a_key_is_strong(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, status: str) -> None:
    """RFC 9325 section 4.3; of the server and of whoever issued its certificate."""
    assert worst(judged(talk(shown=made(MX1, key=key))))["key"] == status


def test_a_weak_issuer_is_as_bad_as_a_weak_certificate() -> None:
    """But for the one at the end, which is trusted for itself."""
    middle = made(MX1, issuer=made(issuer=root(), key=WEAK, authority=True))
    end = made(MX1, issuer=made(key=WEAK, authority=True))

    assert worst(judged(talk(shown=middle)))["key"] == "fail"
    assert worst(judged(talk(shown=end)))["key"] == "pass"


def test_sha_1_is_no_signature(old_der: bytes) -> None:
    """RFC 9155; a root is not trusted for its signature."""
    said = with_tls(talk(shown=GOOD), chain=(old_der,))
    at_the_end = with_tls(talk(shown=GOOD), chain=(GOOD.der, old_der))

    assert worst(judged(said))["signature"] == "fail"
    assert worst(judged(at_the_end))["signature"] == "pass"


@pytest.fixture(scope="module")
def old_der() -> bytes:
    """A certificate that says it is signed with SHA-1, as nothing signs any more."""
    key = rsa.generate_private_key(65537, 2048)
    modern, ancient = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    return made(MX1, key=key).der.replace(modern, ancient)


def test_every_address_shows_the_same() -> None:
    """One of several hosts was forgotten."""
    assert worst(judged(talk(shown=GOOD), talk(shown=GOOD, address="2001:db8::1")))["same"] == "pass"
    found = judged(talk(shown=GOOD), talk(shown=OWN, address="2001:db8::1"))
    assert worst(found)["same"] == "warn"
    assert {f.target for f in by_check(found)["days"]} == {"192.0.2.1:25", "[2001:db8::1]:25"}


def test_a_declared_host_serves_the_certificate_of_the_state_folder() -> None:
    """Or something that nobody rolled out."""
    sealed = Sealed(f"certificates/{MX1}.pem", "0" * 64)

    def of(*shown: Made) -> Server:
        kept = tuple(Certificate(MX1, "self-signed", s.pem, sealed, NOW, NOW + timedelta(80)) for s in shown)
        return server(host=host(MX1, "192.0.2.1"), state=State(certificates=kept))

    assert worst(judged(talk(shown=OWN), of=of(OWN)))["as-desired"] == "pass"
    assert worst(judged(talk(shown=OWN), of=of(GOOD)))["as-desired"] == "fail"
    assert worst(judged(talk(shown=OWN), of=of()))["as-desired"] == "fail"
    damaged = replace(of(OWN), state=State(certificates=(Certificate(MX1, "file", "none", sealed, NOW, NOW),)))
    assert worst(judged(talk(shown=OWN), of=damaged))["as-desired"] == "fail"


def of_authority(kept: Made, mode: str = "acme", acme: Mapping[str, Any] | None = None, **tls: Any) -> Server:
    """A host in ``acme`` mode, with the certificate that the state folder has."""
    leaf = kept.certificate
    sealed, dates = Sealed(f"tls/{MX1}.key", "0" * 64), (leaf.not_valid_before_utc, leaf.not_valid_after_utc)
    declared = host(MX1, "192.0.2.1", tls={"mode": "acme", **tls})
    domain = Domain.model_validate({"name": "example.com", "dns": "main"})
    stack = Stack(hosts=(declared,), domains=(domain,), acme=AcmeAuthority.model_validate(acme or {}))
    state = State(certificates=(Certificate(MX1, mode, kept.pem, sealed, *dates),))
    return server(587, host=declared, state=state, stack=stack)


def test_a_host_that_still_shows_what_it_began_with_fails_on_every_port() -> None:
    """Its certificate should be the authority's by now; DANE and MTA-STS wait for that one."""
    talks = [with_tls(talk(port, OWN), trusted=SELF_SIGNED) for port in (25, 587)]

    found = by_check(judged(*talks, of=of_authority(OWN, "self-signed")))["chain"]

    assert {f.status for f in found} == {Status.FAIL}
    assert all("sendwright certs issue" in f.advice for f in found)


@pytest.mark.parametrize("directory", ["staging", "https://acme-staging-v02.api.letsencrypt.org/directory"])
def test_a_certificate_of_the_staging_authority_is_warned_of(directory: str) -> None:
    """Somebody tries things out: nothing is broken, and nobody trusts it."""
    staged = made(MX1, issuer=root("(STAGING) Pretend Pear X1"))
    said = [with_tls(talk(port, staged), trusted="its authority is not trusted here") for port in (25, 587)]

    found = by_check(judged(*said, of=of_authority(staged, acme={"directory": directory})))["chain"]

    assert {f.status for f in found} == {Status.WARN}
    assert all("staging" in f.seen and "leave `directory` out" in f.advice for f in found)


@pytest.mark.parametrize(
    ("life", "left", "status"), [(90, 25, "pass"), (90, 19, "fail"), (6, 1.9, "pass"), (6, 1.2, "fail")]
)
def test_a_renewal_that_failed_is_an_error_whether_the_life_is_short_or_long(
    life: float, left: float, status: str
) -> None:
    """It was due for a third of its window, and is not done: what to do is said."""
    late = made(MX1, issuer=root(), begins=timedelta(left - life), ends=timedelta(left))

    for by, words in (("controller", "sendwright certs renew"), ("host", "journalctl -u sendwright-renewal")):
        (finding,) = by_check(judged(talk(shown=late), of=of_authority(late, renewal=by)))["days"]

        assert finding.status == status
        assert status == "pass" or ("overdue" in finding.seen and words in finding.advice)


def test_a_certificate_that_the_host_renewed_by_itself_is_the_desired_one() -> None:
    """The state folder has the one before; the key is the same, and the names."""
    before = made(MX1, issuer=root(), ends=timedelta(20))
    after = made(MX1, issuer=root(), key=before.key, ends=timedelta(80))
    stranger = made(MX1, issuer=root(), ends=timedelta(80))
    nameless = made("other.example", issuer=root(), key=before.key, ends=timedelta(80))
    by_host, by_us = of_authority(before, renewal="host"), of_authority(before)

    assert worst(judged(talk(shown=after), of=by_host))["as-desired"] == "pass"
    assert worst(judged(talk(shown=after), of=by_us))["as-desired"] == "fail"
    assert worst(judged(talk(shown=stranger), of=by_host))["as-desired"] == "fail"
    assert worst(judged(talk(shown=nameless), of=by_host))["as-desired"] == "fail"


@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 255))
def test_whatever_a_server_shows_is_judged_without_a_crash(noise: bytes, place: int, value: int) -> None:
    """Certificates come from strangers."""
    bent = bytearray(GOOD.der)
    bent[place % len(bent)] = value
    chains: Sequence[tuple[bytes, ...]] = ((noise,), (bytes(bent),), (GOOD.der, noise), ())

    for chain in chains:
        found = judged(with_tls(talk(shown=GOOD), chain=chain))
        assert "tls.offered" in {finding.check for finding in found}
        assert all(finding.advice for finding in found if finding.status in {"fail", "warn"})


def test_a_key_of_another_kind_is_none_for_mail() -> None:
    """DSA is gone from TLS 1.3 and from every mail program."""
    assert read(made(MX1).der).key == "ECDSA, secp256r1"
    key = dsa.generate_private_key(1024)  # noqa: S505 - no size helps
    assert read(made(MX1, key=key).der).weak_key  # type: ignore[arg-type]  # nobody else makes such certificates


@given(st.lists(st.text(max_size=20), max_size=3), st.text(max_size=30))
def test_a_name_is_covered_by_itself_or_by_what_stands_for_one_label(names: list[str], name: str) -> None:
    """And by nothing else."""
    assert covers((*names, name), name)
    if covers(tuple(names), name):
        assert name in names or "*." + name.partition(".")[2] in names
