"""DKIM key records are compared by what verifiers make of them (RFC 6376 section 3.6.1)."""

import pytest

from sendwright.dns.key_tags import only_tests, same_key
from sendwright.dns.rdata import txt

OURS = txt("v=DKIM1; k=rsa; h=sha256; p=YWJj")


@pytest.mark.parametrize(
    "text",
    [
        "v=DKIM1; k=rsa; h=sha256; p=YWJj",
        "p=YWJj",
        "v=DKIM1;p=YWJj;",
        "v=DKIM1; h=sha1:sha256; k=rsa; s=email; t=s; n=made in 2019; p=YW\tJ j ; ",
        "v = DKIM1; g=*; s=*; p=YWJj; x=unknown",
    ],
)
def test_the_same_key_in_other_words_is_the_same(text: str) -> None:
    """Order, white space, defaults, and tags that verifiers ignore make no difference."""
    assert same_key(txt(text), OURS)
    assert same_key(OURS, txt(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "p=",
        "v=DKIM1; p=YWJk",
        "v=DKIM1; k=ed25519; p=YWJj",
        "v=DKIM1; h=sha1; p=YWJj",
        "v=DKIM1; s=tlsrpt; p=YWJj",
        "v=DKIM1; g=info; p=YWJj",
        "v=DKIM2; p=YWJj",
        "k=rsa; v=DKIM1; p=YWJj",
        "p=YWJk; p=YWJj",
        "v=DKIM1; p=YW(Jj",
        "v=DKIM1; p=YW\x80Jj",
        "v=spf1 -all",
        "p",
    ],
)
def test_what_verifiers_read_otherwise_is_another_key(text: str) -> None:
    """And a record that tells no key is the same as none, itself included."""
    assert not same_key(txt(text), OURS)
    assert same_key(txt(text), txt(text)) is (text == "v=DKIM1; p=YWJk" or "ed25519" in text)


@pytest.mark.parametrize(("text", "expected"), [("t=y; p=YWJj", True), ("t=s:y; p=YWJj", True), ("t=s; p=Y", False)])
def test_a_domain_that_only_tests_says_so(text: str, expected: bool) -> None:
    """Flags stand in one tag, between colons."""
    assert only_tests(txt(text)) is expected
