import base64
from contextlib import suppress

import dkim
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sendwright.verify.records.dkim_record import BadRecord, looks_like_key, parse
from tests.verify.keys_world import ED25519, real_key, rsa_key

KEY = rsa_key()
SPKI_ED25519 = base64.b64encode(bytes.fromhex("302a300506032b6570032100") + bytes(32)).decode()


def test_a_record_as_signers_print_it_is_read_whole() -> None:
    """Every tag of RFC 6376 section 3.6.1 has its place."""
    record = parse(f"v=DKIM1; k=rsa; h=sha1:sha256; s=email; t=y:s; n=made today; p={KEY}")

    assert (record.type, record.bits, record.exponent) == ("rsa", 2048, 65537)
    assert (record.hashes, record.services, record.flags) == (("sha1", "sha256"), ("email",), ("y", "s"))
    assert (record.notes, record.revoked, record.oddities) == ("made today", False, ())


@pytest.mark.parametrize(
    "text",
    [
        f"p={KEY}",
        f"v=DKIM1;p={KEY};",
        f"v=DKIM1 ; p={KEY} ; ",
        f" v = DKIM1; k\t=\trsa; p = {KEY[:60]} {KEY[60:200]}\t{KEY[200:]}",
        f"v=DKIM1;\r\n k=rsa;\r\n p={KEY[:60]}\r\n {KEY[60:]}",
        f"k=rsa; t=s; p={KEY}",
        f"v=DKIM1; g=*; k=rsa; p={KEY}",
        f"v=DKIM1; x_own=a=b=c; unknown=; p={KEY}",
        f"p={KEY}; n=notes come last",
        f"v=DKIM1; t=new-flag; h=sha256:sha512; s=*:other; p={KEY}",
        f"v=DKIM1; p={rsa_key(bare=True)}",
    ],
)
def test_whatever_the_grammar_allows_is_a_key_of_2048_bits(text: str) -> None:
    """Order, blanks, folding, unknown tags and both forms of RSA keys (RFC 6376 sections 3.2 and 3.6.1)."""
    record = parse(text)

    assert (record.type, record.bits, record.oddities) == ("rsa", 2048, ())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (f"k=rsa; v=DKIM1; p={KEY}", "first tag"),
        (f"v=DKIM2; p={KEY}", "another version"),
        (f"v=dkim1; p={KEY}", "another version"),
        (f"v=DKIM1: k=rsa; p={KEY}", "another version"),
        (f"v=; p={KEY}", "another version"),
        ("v=DKIM1; k=rsa", "no p="),
        ("v=DKIM1; P=abcd", "no p="),
        (f"v=DKIM1; p={KEY}; p={KEY}", "twice"),
        (f"v=DKIM1; t=s; t=y; p={KEY}", "twice"),
        (f"v=DKIM1;; p={KEY}", "empty tag"),
        (f"v=DKIM1; rsa; p={KEY}", "no tag"),
        (f"v=DKIM1; 1=x; p={KEY}", "no tag"),
        (f"v=DKIM1; x-y=1; p={KEY}", "no tag"),
        (f"v=DKIM1; n=caf\xe9; p={KEY}", "octet 233"),
        (f"v=DKIM1; n=a\x00; p={KEY}", "octet 0"),
        (f"v=DKIM1; p={KEY[:-1]}", "characters are missing"),
        ("v=DKIM1; p=MFwwA==", "characters are missing"),
        ("v=DKIM1; p=MFw==wDQ", "its padding is wrong"),
        (f"v=DKIM1; p={KEY[:100]}-{KEY[100:]}", "no base64"),
        (f'v=DKIM1; p="{KEY}"', "no base64"),
        (f"v=DKIM1; p={KEY[:200]}", "cut off"),
        (f"v=DKIM1; p={base64.b64encode(b'hello').decode()}", "not the DER"),
        (f"v=DKIM1; p={SPKI_ED25519}", "another kind"),
        (f"v=DKIM1; p={rsa_key(exponent=1)}", "exponent is 1"),
        (f"v=DKIM1; p={rsa_key(exponent=65536)}", "exponent is even"),
        (f"v=DKIM1; p={base64.b64encode(base64.b64decode(KEY) + b'x').decode()}", "follow it"),
        (f"v=DKIM1; k=ed25519; p={SPKI_ED25519}", "32 octets"),
        (f"v=DKIM1; k=ed25519; p={KEY}", "32 octets"),
    ],
)
def test_what_verifiers_cannot_use_is_refused_with_the_reason(text: str, why: str) -> None:
    """The reason is in words, and the section says where it is written."""
    with pytest.raises(BadRecord, match=why) as refused:
        parse(text)

    assert refused.value.section.startswith("RFC ")


@pytest.mark.parametrize("bits", [384, 512, 768, 1023, 1024, 1536, 2047, 2048, 4096, 8192])
@pytest.mark.parametrize("bare", [False, True])
def test_the_size_is_that_of_the_modulus(bits: int, bare: bool) -> None:
    """Keys that libraries refuse to load are measured all the same."""
    assert parse(f"p={rsa_key(bits, bare=bare)}").bits == bits


def test_a_real_key_is_measured_as_the_library_that_made_it_says() -> None:
    """Not only keys that the tests put together."""
    assert parse(f"v=DKIM1; p={real_key(1024)}").bits == 1024


def test_an_empty_p_is_a_revoked_key_of_any_type() -> None:
    """It needs no size (RFC 6376 section 3.6.1)."""
    for text in ("v=DKIM1; p=", "v=DKIM1; k=ed25519; p= ;", "p="):
        record = parse(text)
        assert (record.revoked, record.bits) == (True, None)


def test_an_ed25519_key_is_its_32_octets() -> None:
    """RFC 8463 section 4."""
    assert parse(f"v=DKIM1; k=ed25519; p={ED25519}").bits == 256


def test_a_type_that_nobody_knows_is_no_mistake_of_the_record() -> None:
    """Verifiers skip it (RFC 6376 section 3.6.1), and its size cannot be known."""
    record = parse("v=DKIM1; k=mayo2; p=AAAA")

    assert (record.type, record.bits) == ("mayo2", None)


def test_what_the_grammar_forbids_and_verifiers_let_pass_is_noted() -> None:
    """An empty list of flags, broken notes, lines that were pasted: the key verifies."""
    assert parse(f"v=DKIM1; t=; p={KEY}").oddities == ("t= is empty",)
    assert parse(f"v=DKIM1; n=100=; p={KEY}").oddities == ("n= is no quoted-printable text",)
    assert parse(f"v=DKIM1;\nk=rsa; p={KEY}").oddities == ("it holds line breaks",)


def test_an_empty_list_of_hashes_or_services_admits_none() -> None:
    """The tag is there, so its default does not count."""
    record = parse(f"v=DKIM1; h=; s=; p={KEY}")

    assert (record.hashes, record.services) == ((), ())


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("v=DKIM1; p=", True),
        ("k=rsa; p=abc", True),
        ('"v=DKIM1; p=abc"', True),
        ("v=dkim1; p=abc", True),
        ("v=spf1 -all", False),
        ("v=DMARC1; p=none", False),
        ("google-site-verification=abc", False),
    ],
)
def test_a_record_for_another_purpose_is_not_taken_for_a_key(text: str, is_one: bool) -> None:
    """A wildcard may answer with anything."""
    assert looks_like_key(text) is is_one


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=200))
@example("v=DKIM1; p=" + "A" * 65000)
@example(";" * 65000)
@example("v=DKIM1; k=rsa; p=MIMBAAAwDQYJ")
def test_nothing_from_outside_breaks_the_reading(text: str) -> None:
    """Any octets are a record, or refused with a reason."""
    looks_like_key(text)
    with suppress(BadRecord):
        record = parse(text)
        assert record.bits is None or record.bits > 0


@given(
    st.lists(
        st.sampled_from(
            ["v=DKIM1", "k=rsa", "k=ed25519", f"p={KEY}", f"p={ED25519}", "p=x", "t=y", "h=sha256", "s=email", "", "n"]
        ),
        max_size=5,
    ),
    st.sampled_from([";", "; ", " ;\t"]),
)
@example(["v=DKIM1", "k=rsa", f"p={rsa_key(bare=True)}"], ";")
def test_dkimpy_takes_every_key_that_is_taken_here(tags: list[str], between: str) -> None:
    """A judge from other hands; it does not ask where v= stands, and loads what has no length."""
    text = between.join(tags)
    try:
        record = parse(text)
    except BadRecord:
        return
    if record.revoked:
        return

    _, bits, kind, _ = dkim.evaluate_pk("r1._domainkey.example.com", text.encode())

    assert (bits, kind.decode()) == (record.bits, record.type)
