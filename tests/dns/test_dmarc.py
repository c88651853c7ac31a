"""Policies are compared by what they ask of receivers (RFC 9989 section 4.7)."""

import pytest

from sendwright.dns.dmarc import same, stricter
from sendwright.dns.rdata import txt


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("p=none", "p=quarantine"),
        ("p=quarantine", "p=reject"),
        ("p=none", "p=none; sp=reject"),
        ("p=reject; sp=none", "p=reject"),
        ("p=reject; np=none", "p=reject"),
        ("p=none", "p=none; np=quarantine"),
        ("p=none", "p=none; adkim=s"),
        ("p=reject; aspf=s", "p=none; adkim=s; aspf=s"),
        ("p=reject; t=y", "p=reject"),
        ("rua=mailto:a@b.example", "p=quarantine"),
        ("p=rubbish", "p=reject"),
    ],
)
def test_stricter_in_anything_is_stricter(old: str, new: str) -> None:
    """Defaults included: sp follows p, np follows sp, alignment is relaxed."""
    assert stricter(txt(f"v=DMARC1; {new}"), txt(f"v=DMARC1; {old}"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("p=reject", "p=none"),
        ("p=reject", "p=reject; sp=reject; np=reject; adkim=r"),
        ("p=quarantine", "p=reject; t=y"),
        ("p=none", "p=none; rua=mailto:a@b.example"),
        ("p=REJECT", "p=reject"),
        ("p=reject; adkim=s", "p=reject; adkim=r"),
    ],
)
def test_equal_or_looser_in_everything_is_not_stricter(old: str, new: str) -> None:
    """Where reports go is no matter of strictness."""
    assert not stricter(txt(f"v=DMARC1; {new}"), txt(f"v=DMARC1; {old}"))


def test_spaces_order_and_final_semicolons_are_no_differences() -> None:
    """And nothing else is none."""
    assert same('"v=DMARC1;" " p = none;;rua=mailto:a@b.example ;"', '"v=DMARC1; rua=mailto:a@b.example; p=none"')
    assert not same('"v=DMARC1; p=none"', '"v=DMARC1; p=none; sp=none"')
