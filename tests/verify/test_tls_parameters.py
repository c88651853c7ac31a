"""Weak TLS is judged: worse for mail programs than between servers, but for what protects nobody."""

from collections.abc import Mapping
from typing import Any

import pytest

from sendwright.verify import tls
from sendwright.verify.finding import Status
from sendwright.verify.speaking.conversation import Parameters
from tests.verify.certificates import made, root
from tests.verify.talks import MX1, look_now, server, talk, with_tls
from tests.verify.worlds import by_check, host, worst

GOOD = made(MX1, issuer=root())
CHECKS = {"ciphers", "key-exchange", "legacy"}


def parameters(**changes: Any) -> Parameters:
    """What a good server agrees to, but for what a test says."""
    usual: Mapping[str, Any] = {"weak": (), "group": 2048, "compresses": False, "renegotiates": True}
    return Parameters(**{**usual, **changes})


def said(port: int = 25, *, version: str = "TLSv1.3", cipher: str = "", **changes: Any) -> dict[str, str]:
    """What the three checks say of a server, by their names."""
    heard = with_tls(talk(port, GOOD, parameters=parameters(**changes)), version=version, cipher=cipher)
    found = worst(tls.check(server(587), (heard,), look_now()))
    return {name: status for name, status in found.items() if name in CHECKS}


def test_a_good_server_passes_with_what_was_seen() -> None:
    """A prime of 2,048 bits, or none at all."""
    for group in (2048, 4096, 0):
        assert said(group=group) == dict.fromkeys(CHECKS, "pass")


@pytest.mark.parametrize(
    ("weak", "at_25", "at_587"),
    [
        ("RSA_WITH_NULL_MD5", "fail", "fail"),
        ("RSA_EXPORT_WITH_RC4_40_MD5", "fail", "fail"),
        ("RSA_WITH_DES_CBC_SHA", "fail", "fail"),
        ("RSA_WITH_RC4_128_MD5", "warn", "fail"),
        ("RSA_WITH_3DES_EDE_CBC_SHA", "warn", "warn"),
        ("DH_anon_WITH_AES_128_CBC_SHA", "warn", "warn"),
    ],
)
def test_suites_are_as_bad_as_what_they_leave_open(weak: str, at_25: str, at_587: str) -> None:
    """RFC 9325 section 4.1, RFC 7465; something is better than nothing between servers."""
    assert said(25, weak=(weak,))["ciphers"] == at_25
    assert said(587, weak=(weak,))["ciphers"] == at_587


def test_the_worst_suite_decides_and_each_is_named() -> None:
    """And why it does not protect."""
    weak = ("RSA_WITH_3DES_EDE_CBC_SHA", "RSA_WITH_NULL_SHA")
    heard = talk(shown=GOOD, parameters=parameters(weak=weak))

    (found,) = by_check(list(tls.check(server(), (heard,), look_now())))["ciphers"]

    assert found.status is Status.FAIL
    assert "TLS_RSA_WITH_NULL_SHA: no encryption" in found.seen
    assert "3DES" in found.seen
    assert "smtpd_tls_exclude_ciphers" in found.advice


def test_a_host_of_the_inventory_is_mended_by_provision() -> None:
    """It would put settings back that somebody changes by hand as Postfix's."""
    wrong = parameters(weak=("RSA_WITH_NULL_SHA",), group=1024, compresses=True)
    heard = with_tls(talk(587, GOOD, parameters=wrong), version="TLSv1.1", cipher="AES128-SHA")

    found = list(tls.check(server(587, host=host(MX1, "192.0.2.1")), (heard,), look_now()))

    advice = [f.advice for name in (*CHECKS, "protocols") for f in by_check(found)[name]]
    assert len(advice) == 4
    assert all("sendwright provision" in text and "Postfix" not in text for text in advice)


@pytest.mark.parametrize(
    ("group", "at_25", "at_587"), [(512, "fail", "fail"), (1024, "warn", "fail"), (2047, "warn", "fail")]
)
def test_a_short_prime_is_refused_by_strict_clients(group: int, at_25: str, at_587: str) -> None:
    """RFC 9325 section 4.5."""
    assert said(25, group=group)["key-exchange"] == at_25
    assert said(587, group=group)["key-exchange"] == at_587


@pytest.mark.parametrize(
    ("version", "cipher", "status"),
    [
        ("TLSv1.2", "AES256-GCM-SHA384", "warn"),
        ("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384", "pass"),
        ("TLSv1.2", "DHE-RSA-AES256-GCM-SHA384", "pass"),
        ("TLSv1.3", "TLS_AES_256_GCM_SHA384", "pass"),
    ],
)
def test_what_a_server_chooses_of_everything_has_forward_secrecy(version: str, cipher: str, status: str) -> None:
    """RFC 9325 section 4.1: RSA key transport is not preferred."""
    assert said(version=version, cipher=cipher)["key-exchange"] == status


@pytest.mark.parametrize(
    "changes", [{"compresses": True}, {"renegotiates": False}, {"compresses": True, "renegotiates": False}]
)
def test_what_tls_should_have_left_behind_is_told(changes: Mapping[str, Any]) -> None:
    """RFC 9325 sections 3.3 and 3.5."""
    assert said(25, **changes)["legacy"] == "warn"
    assert said(587, **changes)["legacy"] == "fail"


def test_a_server_of_tls_1_3_only_has_nothing_to_leave_behind() -> None:
    """One that refuses all of TLS 1.2 and speaks it all the same cannot be told."""
    refused: Mapping[str, Any] = {"compresses": None, "renegotiates": None, "refused": True, "group": 0}

    assert said(**refused) == dict.fromkeys(CHECKS, "pass")
    assert said(**refused, version="TLSv1.2", cipher="ECDHE-RSA-AES256-GCM-SHA384")["legacy"] == "unknown"


def test_what_could_not_be_asked_is_unknown_and_what_nobody_wanted_is_silent() -> None:
    """What was heard before is judged."""
    nothing: Mapping[str, Any] = {"group": None, "compresses": None, "renegotiates": None}

    assert said(**nothing, unasked="it fell silent") == {
        "ciphers": "pass",
        "key-exchange": "unknown",
        "legacy": "unknown",
    }
    assert said(**nothing) == {"ciphers": "pass"}


def test_a_server_without_tls_is_told_of_once() -> None:
    """Unless it agreed to something that OpenSSL would not offer: then that is told too."""
    refusing = talk(tls_failure="wrong version", parameters=Parameters((), 0, refused=True))
    rsa = Parameters((), 0, static=True, compresses=True, renegotiates=False)
    static = talk(tls_failure="unsafe legacy renegotiation disabled", parameters=rsa)
    weak = Parameters(("RSA_WITH_RC4_128_MD5",), 0, compresses=False, renegotiates=False)
    ancient = talk(tls_failure="no shared cipher", parameters=weak)

    assert worst(tls.check(server(), (refusing,), look_now())) == {"offered": "fail"}
    told = {"offered": "fail", "ciphers": "pass", "key-exchange": "warn", "legacy": "warn"}
    assert worst(tls.check(server(), (static,), look_now())) == told
    told = {"offered": "fail", "ciphers": "warn", "legacy": "warn"}
    assert worst(tls.check(server(), (ancient,), look_now())) == told


def test_each_port_is_told_of_by_itself() -> None:
    """A baseline knows them apart; reports tell those once that say the same."""
    one, other = talk(587, GOOD, parameters=parameters()), talk(465, GOOD, parameters=parameters())
    worse = talk(25, GOOD, parameters=parameters(group=1024))

    found = by_check(list(tls.check(server(587, 465), (worse, one, other), look_now())))["key-exchange"]

    assert {f.target: f.status for f in found} == {
        "192.0.2.1:25": "warn",
        "192.0.2.1:587": "pass",
        "192.0.2.1:465": "pass",
    }
