from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from sendwright.verify import bimi
from sendwright.verify.finding import Finding
from sendwright.verify.look import Fetched, Told
from sendwright.verify.records.bimi_logo import evidence_faults, logo_faults
from sendwright.verify.records.bimi_record import BadAssertion, parse
from sendwright.verify.target import Target
from tests.verify.keys_world import NOW, by_check, look, txt

NAME = "default._bimi.example.com"
LOGO, EVIDENCE = "https://example.com/logo.svg", "https://example.com/mark.pem"
RECORD = txt(NAME, f"v=BIMI1; l={LOGO}")
STRICT = txt("_dmarc.example.com", "v=DMARC1; p=reject")
SVG = '<svg xmlns="http://www.w3.org/2000/svg" version="1.2" baseProfile="tiny-ps"><title>Example</title>{}</svg>'
GOOD = SVG.format('<path d="M0 0h1v1z"/>').encode()


def _svg(body: bytes = GOOD, kind: str = "image/svg+xml", status: int = 200) -> dict[str, Fetched]:
    return {LOGO: Fetched(status, kind, body)}


def _check(text: str, pages: dict[str, Fetched] | None = None, **more: Any) -> dict[str, Finding]:
    return by_check(bimi.check(Target("example.com"), look(text, _svg() if pages is None else pages, **more)))


def _mark(domain: str = "example.com", usage: str = "1.3.6.1.5.5.7.3.31", days: int = 30) -> bytes:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=60))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(usage)]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
        .sign(private, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def test_without_a_record_nothing_is_said() -> None:
    """Nobody needs a logo."""
    assert _check(STRICT) == {}


def test_a_good_record_with_its_logo_and_a_strict_policy_passes() -> None:
    """A receiver would show it."""
    found = _check(RECORD + STRICT)

    assert {f.status for f in found.values()} == {"pass"}
    assert set(found) == {"record", "policy"}


def test_a_domain_may_decline() -> None:
    """Empty addresses say so, and then no policy is wanted."""
    found = _check(txt(NAME, "v=BIMI1; l=; a=;"))

    assert (set(found), found["record"].status) == ({"record"}, "pass")


@pytest.mark.parametrize(
    "record",
    [
        "v=BIMI1",
        f"v=BIMI1; l={LOGO}; l={LOGO}",
        "v=BIMI1; l=http://example.com/logo.svg",
        "v=BIMI1; l=logo.svg",
        f"v=BIMI1; l={LOGO}; a=http://example.com/mark.pem",
        f"v=BIMI1; l={LOGO}; avp=huge",
        f"v=BIMI1; l={LOGO}; oops",
        f"v=bimi1; l={LOGO}",
        "v=BIMI1; l=https://[",
    ],
)
def test_a_record_that_receivers_cannot_use_is_told(record: str) -> None:
    """Before anything is fetched."""
    found = _check(txt(NAME, record) + STRICT, {})

    assert (found["record"].status, found["policy"].status) == ("warn", "pass")


def test_two_records_are_told() -> None:
    """Other text beside one is none of it."""
    assert _check(txt(NAME, f"v=BIMI1; l={LOGO}", "v=BIMI1; l="))["record"].status == "warn"
    assert _check(txt(NAME, f"v=BIMI1; l={LOGO}", "hello"))["record"].status == "pass"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "no XML"),
        (b"\x89PNG\r\n", "no XML"),
        (b"<html xmlns='http://www.w3.org/1999/xhtml'/>", "no SVG"),
        (GOOD.replace(b"tiny-ps", b"tiny"), "baseProfile"),
        (GOOD.replace(b' version="1.2"', b""), "version"),
        (GOOD.replace(b"title", b"desc"), "title"),
        (SVG.format("<script>x</script>").encode(), "script"),
        (SVG.format('<use href="https://x.example/"/>').encode(), "fetches"),
        (SVG.format('<g onload="x()"/>').encode(), "runs"),
        (b'<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + GOOD, "entities"),
    ],
)
def test_a_logo_that_receivers_do_not_show_is_told_with_the_reason(body: bytes, why: str) -> None:
    """SVG Tiny Portable/Secure: nothing that runs, grows or is fetched."""
    found = _check(RECORD + STRICT, _svg(body))

    assert found["record"].status == "warn"
    assert why in found["record"].seen


@pytest.mark.parametrize(
    ("pages", "status"),
    [
        ({}, "unknown"),
        ({LOGO: Fetched(failure="its certificate has expired")}, "warn"),
        (_svg(status=404), "warn"),
        ({LOGO: Fetched(200, "image/svg+xml", GOOD, cut=True)}, "warn"),
        (_svg(SVG.format(" " * 33_000).encode()), "warn"),
        (_svg(kind="text/html"), "warn"),
    ],
)
def test_an_address_without_a_logo_is_told(pages: dict[str, Fetched], status: str) -> None:
    """What cannot be reached from here is unknown; what the server says is its own doing."""
    assert _check(RECORD + STRICT, pages)["record"].status == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (_mark(), "pass"),
        (_mark("other.example"), "warn"),
        (_mark(usage="1.3.6.1.5.5.7.3.1"), "warn"),
        (_mark(days=-1), "warn"),
        (b"-----BEGIN CERTIFICATE-----\noops\n-----END CERTIFICATE-----\n", "warn"),
        (b"", "warn"),
    ],
)
def test_evidence_is_a_mark_certificate_of_the_domain_that_is_valid_today(body: bytes, status: str) -> None:
    """Its purpose, its names and its days are judged, its chain is not."""
    pages = _svg() | {EVIDENCE: Fetched(200, "application/pem-certificate-chain", body)}

    assert _check(txt(NAME, f"v=BIMI1; l={LOGO}; a={EVIDENCE}") + STRICT, pages)["record"].status == status


@pytest.mark.parametrize(
    ("policy", "status"),
    [
        ("v=DMARC1; p=reject", "pass"),
        ("v=DMARC1; p=quarantine", "pass"),
        ("v=DMARC1; p=none; rua=mailto:a@example.com", "warn"),
        ("v=DMARC1; p=reject; sp=none", "warn"),
        ("v=DMARC1; p=quarantine; t=y", "warn"),
    ],
)
def test_a_weak_policy_hides_the_logo(policy: str, status: str) -> None:
    """The policy that is applied counts, for subdomains too."""
    assert _check(RECORD + txt("_dmarc.example.com", policy))["policy"].status == status


def test_the_policy_of_the_organisation_counts_for_a_subdomain() -> None:
    """It has to be strict as well."""
    world = txt("default._bimi.news.example.com", f"v=BIMI1; l={LOGO}") + txt(
        "_dmarc.news.example.com", "v=DMARC1; p=reject"
    )

    def of(above: str) -> str:
        text = world + txt("_dmarc.example.com", above)
        return by_check(bimi.check(Target("news.example.com"), look(text, _svg())))["policy"].status

    assert of("v=DMARC1; p=reject") == "pass"
    assert of("v=DMARC1; p=none; rua=mailto:a@example.com") == "warn"


def test_an_answer_that_tells_nothing_is_unknown_and_a_forged_one_fails() -> None:
    """Once."""
    for told, status in ((Told.FAILED, "unknown"), (Told.BOGUS, "fail")):
        found = _check("", told={(NAME, "TXT"): told})
        assert (set(found), found["record"].status) == ({"record"}, status)


@given(st.binary(max_size=300), st.text(alphabet=st.characters(max_codepoint=255), max_size=100))
def test_any_octets_are_judged(body: bytes, text: str) -> None:
    """Records, logos and certificates from outside break nothing."""
    assert logo_faults(body)
    assert list(evidence_faults(body, "example.com", NOW))
    for record in (text, f"v=BIMI1;{text}", f"v=BIMI1; l=https://{text}"):
        with suppress(BadAssertion):
            parse(record)
