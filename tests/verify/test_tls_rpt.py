from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.verify import tls_rpt
from sendwright.verify.finding import Finding
from sendwright.verify.look import Told
from sendwright.verify.target import Target
from sendwright.verify.tls_rpt import BadReports, parse
from tests.verify.keys_world import by_check, look, txt

NAME = "_smtp._tls.example.com"
MAIL = "example.com. IN MX 10 mx1.example.com.\nmx1.example.com. IN A 192.0.2.10\n"


def _check(text: str, **more: Any) -> dict[str, Finding]:
    return by_check(tls_rpt.check(Target("example.com"), look(MAIL + text, **more)))


@pytest.mark.parametrize(
    "record",
    [
        "v=TLSRPTv1; rua=mailto:tls@example.com",
        "v=TLSRPTv1;rua=https://reports.example.net/v1/tls",
        "v=TLSRPTv1; rua=mailto:tls@example.com , https://reports.example.net/; ext=1;",
    ],
)
def test_a_good_record_passes(record: str) -> None:
    """Reports go by mail or by HTTPS (RFC 8460 section 3)."""
    found = _check(txt(NAME, record))

    assert (found["present"].status, found["record"].status) == ("pass", "pass")


@pytest.mark.parametrize(
    "record",
    [
        "v=TLSRPTv1",
        "v=TLSRPTv1; ext=1",
        "v=TLSRPTv1; rua=mailto:tls@example.com; rua=mailto:b@example.com",
        "v=TLSRPTv1; oops",
        "v=tlsrptv1; rua=mailto:tls@example.com",
        '"v=TLSRPTv1; rua=mailto:tls@example.com"',
        "v=TLSRPTv1;; rua=mailto:tls@example.com",
    ],
)
def test_a_record_that_senders_cannot_use_is_a_warning(record: str) -> None:
    """It was meant to be one, and no report comes."""
    assert _check(txt(NAME, record))["record"].status == "warn"


@pytest.mark.parametrize(
    "address",
    ["tls@example.com", "http://example.com/", "mailto:tls@nowhere.example.com", "mailto:tls@example.com!10m"],
)
def test_an_address_that_no_report_reaches_is_a_warning(address: str) -> None:
    """The record can be read, and mail flows as ever."""
    assert _check(txt(NAME, f"v=TLSRPTv1; rua={address}"))["record"].status == "warn"


def test_several_records_are_as_none() -> None:
    """Section 3; another kind of text beside it is discarded."""
    good = "v=TLSRPTv1; rua=mailto:tls@example.com"

    assert _check(txt(NAME, good, good + ";"))["record"].status == "warn"
    assert _check(txt(NAME, good, "hello"))["record"].status == "pass"


def test_a_domain_that_takes_no_mail_needs_none() -> None:
    """Nobody delivers there; one that takes mail is told once."""
    assert (set(_check("")), _check("")["present"].status) == ({"present"}, "warn")
    for world in ("", "example.com. IN MX 0 .\n", "example.com. IN A 192.0.2.1\n"):
        assert list(tls_rpt.check(Target("example.com"), look(world))) == []


def test_an_answer_that_tells_nothing_is_unknown_and_a_forged_one_fails() -> None:
    """Once."""
    for told, status in ((Told.FAILED, "unknown"), (Told.BOGUS, "fail")):
        found = _check("", told={(NAME, "TXT"): told})
        assert (set(found), found["present"].status) == ({"present"}, status)


def test_an_address_that_cannot_be_looked_up_is_unknown() -> None:
    """That is no mistake of the record."""
    world = txt(NAME, "v=TLSRPTv1; rua=mailto:tls@other.example")

    assert _check(world, told={("other.example", "MX"): Told.FAILED})["record"].status == "unknown"


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=100))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing from outside breaks the reading."""
    for record in (text, f"v=TLSRPTv1;{text}", f"v=TLSRPTv1;rua={text}"):
        with suppress(BadReports):
            found = parse(record)
            assert record.startswith("v=TLSRPTv1")
            assert found.rua
            assert all(uri.text in record for uri in found.rua)
