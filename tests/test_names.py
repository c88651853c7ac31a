"""The closed alphabets: what is accepted is harmless in a shell, a template and a configuration file."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from sendwright import names

# What a shell, Jinja, systemd, Postfix tables, zone files and terminals would see as more than a letter.
DANGEROUS = "$`\"'\\;&|<>(){}[]!*?#^ \t\n\r\x00\x1b\x7f\u00e9\u202e\u212a\uff0e"

ACCEPTED: dict[str, tuple[Any, tuple[str, ...]]] = {
    "domain name": (names.DomainName, ("mx1.example.com", "a-b.xn--p1ai", "1.example")),
    "mail address": (names.MailAddress, ("a@example.com", "first.last+tag@mail.example.org")),
    "mailto": (names.MailtoUri, ("mailto:dmarc@example.com",)),
    "local part": (names.LocalPart, ("postmaster", "a.b_c+d=e-f")),
    "login": (names.Login, ("app", "a@example.com")),
    "identifier": (names.Identifier, ("main", "a-b_c")),
    "fingerprint": (names.Fingerprint, ("SHA256:" + "a+/" * 14 + "b",)),
    "Unix user": (names.UnixUser, ("root", "_a-b")),
    "path": (names.PlainPath, ("~/.ssh/id_ed25519", "/etc/ssl/a@b%c+d=e:f,g.pem", "../x")),
    "environment variable": (names.EnvironmentName, ("HOME", "_a1")),
    "TSIG key": (names.TsigName, ("sendwright", "a.b.")),
    "SSH host": (names.SshHost, ("mx1", "mx1.example.com", "192.0.2.1", "2001:db8::1")),
    "selector": (names.Selector, ("r202611", "a-b")),
    "IP address": (names.IpAddress, ("192.0.2.1", "2001:db8::1")),
}


@pytest.mark.parametrize("kind", ACCEPTED)
def test_ordinary_names_are_accepted(kind: str) -> None:
    """The alphabets are closed, not narrow."""
    annotation, texts = ACCEPTED[kind]

    for text in texts:
        assert str(TypeAdapter(annotation).validate_python(text)) == text


@given(st.sampled_from(sorted(ACCEPTED)), st.data())
def test_no_name_passes_with_a_dangerous_character_anywhere_in_it(kind: str, data: st.DataObject) -> None:
    """Neither first, nor last, nor in between: a final newline is the classic that slips through."""
    annotation, texts = ACCEPTED[kind]
    text = data.draw(st.sampled_from(texts))
    position = data.draw(st.integers(0, len(text)))
    evil = data.draw(st.sampled_from(DANGEROUS))

    with pytest.raises(ValidationError):
        TypeAdapter(annotation).validate_python(text[:position] + evil + text[position:])


@pytest.mark.parametrize("kind", [kind for kind in ACCEPTED if kind not in {"fingerprint", "mailto"}])
def test_no_name_looks_like_an_option(kind: str) -> None:
    """A name that starts with a hyphen would be read as an option by a program that it is handed to."""
    with pytest.raises(ValidationError):
        TypeAdapter(ACCEPTED[kind][0]).validate_python("-oProxyCommand=x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "com",
        "a..b",
        "example.com..",
        "-a.example",
        "a-.example",
        "192.0.2.1",
        "a.1",
        "a" * 64 + ".b",
        "b." * 128,
    ],
)
def test_what_is_no_domain_name_is_refused(text: str) -> None:
    """RFC 1123 section 2.1 and RFC 1035 section 2.3.4."""
    with pytest.raises(ValueError, match="not a"):
        names.domain_name(text)


@pytest.mark.parametrize(
    "value", [0, 5, True, b"\x7f\x00\x00\x01", None, "::ffff:192.0.2.1", "fe80::1%$(id)", "192.0.2.01", "1"]
)
def test_what_is_no_plain_ip_address_is_refused(value: object) -> None:
    """Python's own parser takes numbers and bytes for addresses, and any text at all for a scope."""
    with pytest.raises(ValueError, match="not "):
        names.ip_address(value)


def test_names_are_compared_in_lower_case_without_a_final_dot() -> None:
    """DNS does not see the difference, so neither do our comparisons."""
    assert names.domain_name("MX1.Example.COM.") == "mx1.example.com"
    assert names.mail_address("Postmaster@Example.COM") == "postmaster@example.com"
    assert names.ssh_host("2001:DB8:0::1") == "2001:db8::1"
