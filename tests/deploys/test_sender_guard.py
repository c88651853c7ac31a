"""The guard's decision: no login is ever shown to a reader as somebody else."""

import importlib.util
import sys
from datetime import UTC, datetime
from email import policy
from email.headerregistry import Group
from email.parser import Parser
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sendwright.deploys.guard import SESSION
from sendwright.deploys.render import TEMPLATES
from sendwright.signing import probe_address
from sendwright.stack import DkimAlgorithm
from sendwright.state.model import DkimKey


def _load() -> ModuleType:
    # The program is installed as a file, and imported here as one; its dataclasses look their module up by name.
    spec = importlib.util.spec_from_file_location("sender_guard", TEMPLATES / "guard" / "sender_guard.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


guard: Any = _load()
MINE = guard.Allowed(frozenset({"mine.example", "me@ours.example"}), frozenset({"soon.example"}))


def decide(
    value: str | list[str], *, envelope: str = "a@mine.example", sender: tuple[str, ...] = (), allowed: Any = MINE
) -> Any:
    """The decision on a message with that From field (or those)."""
    return guard.decide("app", envelope, [value] if isinstance(value, str) else value, sender, allowed)


@pytest.mark.parametrize(
    "value",
    [
        "a@mine.example",
        " a@mine.example",
        "A@MINE.Example",
        "<a@mine.example>",
        "Anna <a@mine.example>",
        "Anna B. Clark <a@mine.example>",
        '"Clark, Anna" <a@mine.example>',
        '"say \\"hi\\"" <a@mine.example>',
        "=?utf-8?q?M=C3=BCller=2C_Anna?= <a@mine.example>",
        "=?UTF-8?B?TcO8bGxlcg==?=\r\n =?UTF-8?B?TcO8bGxlcg==?= <a@mine.example>",
        "=?iso-8859-1?Q?M=FCller?= <a@mine.example>",
        '"a@mine.example" <a@mine.example>',
        "\"'a@mine.example'\" <a@mine.example>",
        "=?utf-8?q?a=40mine=2Eexample?= <a@mine.example>",
        "a@mine.example, Other <b@mine.example>",
        "Anna\n\t<a@mine.example>",
        "me@ours.example",
        "a+b=c@mine.example",
        "o'neill@mine.example",
    ],
)
def test_a_login_may_send_as_its_own_names(value: str) -> None:
    """Forms that mail programs really write pass."""
    assert decide(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "a@bank.example",
        "Anna <a@bank.example>",
        "a@mine.example, b@bank.example",
        "a@sub.mine.example",
        "a@notmine.example",
        "a@mine.example.bank.example",
        "you@ours.example",
        "a@xn--mne-0ma.example",
    ],
)
def test_another_ones_address_is_refused_for_good(value: str) -> None:
    """Every mailbox must be the login's own: exact domains, never those below or around them."""
    refusal = decide(value)

    assert refusal.code == "550"
    assert "may not send as" in refusal.text


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        ",",
        "a@mine.example,",
        ",a@mine.example",
        "a",
        "a@mine",
        "<>",
        "Anna <>",
        "a@mine.example b@bank.example",
        "b@bank.example <a@mine.example>",
        "<a@mine.example> <b@bank.example>",
        "<a@mine.example> Anna",
        "<b@bank.example><a@mine.example>",
        "<<a@mine.example>>",
        "Anna <a@mine.example",
        "a@mine.example>",
        "<@bank.example:a@mine.example>",
        "Friends: a@mine.example;",
        "Friends:;",
        "undisclosed-recipients:;",
        "a@mine.example;b@bank.example",
        "a@mine.example (Anna)",
        "(b@bank.example) a@mine.example",
        "a@mine.example (",
        '"a"@mine.example',
        '"b@bank.example\\" <a@mine.example>',
        '"Anna <a@mine.example>',
        "a@[192.0.2.1]",
        "a@mine.example.",
        "a@.mine.example",
        "a..b@mine.example",
        ".a@mine.example",
        "a@mine.example@bank.example",
        "a@@mine.example",
        "a @mine.example",
        "a@ mine.example",
        "a@mine.\r\n example",
        "Müller <a@mine.example>",
        "a@mіne.example",
        "\ufeffa@mine.example",
        "Anna\x00 <a@mine.example>",
        "a@mine.example\x00,b@bank.example",
        "a@mine.example\r\nFrom: b@bank.example",
        "a@mine.example\rX: y",
        "a@mine.example\n",
        "Anna\r\n \r\n <a@mine.example>",
        "Anna\r\n\r\n <a@mine.example>",
        "\udcffa@mine.example",
        "Anna\x7f <a@mine.example>",
        "Anna\x0b<a@mine.example>",
        "Anna \\<b@bank.example> <a@mine.example>",
        '"b@bank.example" <a@mine.example>',
        '"Boss b@bank.example" <a@mine.example>',
        '"<b@bank.example>" <a@mine.example>',
        "=?utf-8?q?b=40bank=2Eexample?= <a@mine.example>",
        "=?utf-8?q?=3Cb=40bank=2Eexample=3E?= <a@mine.example>",
        "=?utf-8?b?Yg==?= =?utf-8?b?QGJhbmsuZXhhbXBsZQ==?= <a@mine.example>",
        '"=?utf-8?q?b=40bank=2Eexample?=" <a@mine.example>',
        "=?utf-8?q?b=EF=BC=A0bank=2Eexample?= <a@mine.example>",
        "=?utf-8?q?b=E2=80=AE=40?= <a@mine.example>",
        "=?utf-8?q?x=0D=0AFrom:_b?= <a@mine.example>",
        "=?utf-8?q?x=00?= <a@mine.example>",
        "=?utf-7?q?+AEA-?= <a@mine.example>",
        "=?nonsense?q?x?= <a@mine.example>",
        "=?utf-8?b?!!!?= <a@mine.example>",
        "=?utf-8?q?=FF?= <a@mine.example>",
        "=?utf-8?q?x <a@mine.example>",
        "=?utf-8?x?x?= <a@mine.example>",
        "=?utf-8*en?q?x?= <a@mine.example>",
        "=?utf-8?q?a=40mine=2Eexample?=",
        "=?utf-8?q?b=40bank.example?=@mine.example",
        "=?utf-8?b?YkBiYW5rLmV4YW1wbGUA?=@mine.example",
        "Anna <=?utf-8?q?b=40bank.example=20?=@mine.example>",
        "A" * 5000 + " <a@mine.example>",
        ", ".join(["a@mine.example"] * 400),
    ],
)
def test_what_two_programs_might_read_differently_is_refused(value: str) -> None:
    """A field that does not read in exactly one way, or that shows another address, is refused for good."""
    refusal = decide(value)

    assert refusal is not None
    assert refusal.code == "550"


@pytest.mark.parametrize("fields", [[], ["a@mine.example", "a@mine.example"], ["a@mine.example", "b@bank.example"]])
def test_a_message_has_exactly_one_from_field(fields: list[str]) -> None:
    """RFC 5322 section 3.6: with two, the signer and the reader may each choose another one."""
    assert decide(fields).code == "550"


@pytest.mark.parametrize("sender", [("b@bank.example",), ("a@mine.example", "a@mine.example"), ("",), ("x: y;",)])
def test_sender_is_held_to_the_same_names(sender: tuple[str, ...]) -> None:
    """At most one Sender field, one mailbox, the login's own."""
    assert decide("a@mine.example", sender=sender).code == "550"
    assert decide("a@mine.example", sender=("b@mine.example",)) is None
    assert decide("a@mine.example", sender=("a@mine.example, b@mine.example",)).code == "550"


@pytest.mark.parametrize(
    "envelope", ["b@bank.example", "a", '"a b"@mine.example', "a@mine.example@x.example", "a@mine", "ü@mine.example"]
)
def test_the_envelope_sender_is_held_to_the_same_names(envelope: str) -> None:
    """Bounces must come back to whoever sent."""
    assert decide("a@mine.example", envelope=envelope).code == "550"


def test_the_null_sender_passes_because_it_names_nobody() -> None:
    """Read receipts use it (RFC 8098 section 2.1); the header is checked all the same."""
    assert decide("a@mine.example", envelope="") is None
    assert decide("a@bank.example", envelope="").code == "550"


@pytest.mark.parametrize("value", ["{}", "Anna <{}>", "a@mine.example, {}", "{}, a@mine.example"])
def test_nobody_sends_as_the_address_under_which_a_key_is_probed(value: str) -> None:
    """Its signature would be that of a key which is not proven yet, or not in use any more."""
    key = DkimKey("mine.example", "r202611", DkimAlgorithm.RSA, "AAAA", "0" * 64, datetime.now(UTC))
    for address in (probe_address(key), probe_address(key).replace("sendwright-probe", "Sendwright-PROBE")):
        assert decide(value.format(address)).code == "550"
        assert decide("a@mine.example", sender=(address,)).code == "550"
        assert decide("a@mine.example", envelope=address).code == "550"


def test_a_domain_that_is_not_live_yet_is_refused_for_now_only() -> None:
    """The same message goes through once the domain's keys are proven."""
    assert decide("a@soon.example").code == "451"
    assert decide("a@mine.example", envelope="a@soon.example").code == "451"
    assert decide("a@mine.example", sender=("a@soon.example",)).code == "451"
    assert decide("a@soon.example, b@bank.example").code == "550"


def test_a_session_that_outlives_a_key_is_asked_to_connect_again() -> None:
    """Its mail is signed by the keys of when it began; how long that may be is counted by those who withdraw keys."""
    assert guard.decide_session(SESSION.total_seconds()) is None
    assert guard.decide_session(SESSION.total_seconds() + 1).code == "421"


def test_an_unknown_login_may_send_as_nobody() -> None:
    """A login that was removed while it was connected is refused."""
    assert decide("a@mine.example", allowed=guard.Allowed()).code == "550"


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("From", "from"),
        ("FROM", "from"),
        ("sender", "sender"),
        ("From ", "odd"),
        ("Fr om", "odd"),
        ("From\t", "odd"),
        ("\x00From", "odd"),
        ("Sender-", "odd"),
        ("X-From", None),
        ("Subject", None),
    ],
)
def test_fields_that_resemble_from_are_not_overlooked(field: str, kind: str | None) -> None:
    """Some programs read “From :” as From; such a field is neither taken for one nor ignored."""
    assert guard.kind_of(field) == kind


def _as_python_reads_it(value: str) -> list[str]:
    message = Parser(policy=policy.default).parsestr(f"From: {value}\n\n")
    groups: tuple[Group, ...] = message["From"].groups
    return [a.addr_spec.lower() for g in groups for a in g.addresses]


PIECES = st.sampled_from(
    [
        *("a", "b", "@", "mine.example", "bank.example", "a@mine.example", "b@bank.example", "<", ">", ",", ";", ":"),
        *(
            '"',
            "\\",
            "(",
            ")",
            " ",
            "\t",
            "\r\n ",
            ".",
            "=?utf-8?q?",
            "=40",
            "?=",
            "?",
            "=",
            "[",
            "]",
            "\x00",
            "ü",
            "＠",
        ),
    ]
)


@given(st.lists(PIECES, max_size=14).map("".join))
@example("=?utf-8?q?b=40bank.example?= <a@mine.example>")
@example('"a@mine.example" <b@bank.example>')
@example("bank.examplea@mine.example")
def test_whatever_passes_holds_only_the_logins_addresses_for_another_parser_too(value: str) -> None:
    """The standard library reads RFC 5322 independently: it must never see another address in what the guard passed."""
    if decide(value) is None:
        assert {address.rpartition("@")[2] for address in _as_python_reads_it(value)} == {"mine.example"}
        assert "@bank.example" not in value


@given(st.text(max_size=60), st.text(max_size=30), st.lists(st.text(max_size=30), max_size=2))
def test_any_text_gets_an_answer(value: str, envelope: str, sender: list[str]) -> None:
    """No input makes the decision fail, and noise never passes as an address."""
    refusal = guard.decide("app", envelope, [value], sender, MINE)

    assert refusal is None or refusal.code in ("550", "451")


WORD = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\<>@=?'), max_size=20)


@given(WORD, st.sampled_from(["a@mine.example", "me@ours.example"]))
def test_any_plain_quoted_name_is_welcome(name: str, address: str) -> None:
    """People may call themselves what they like."""
    assert decide(f'"{name}" <{address}>') is None


@given(st.text(max_size=30))
def test_an_encoded_name_shows_no_address_but_the_logins(name: str) -> None:
    """Whatever is hidden in an encoded word is judged by what a reader would be shown."""
    encoded = "".join(f"={byte:02X}" for byte in name.encode("utf-8", "ignore"))

    refusal = decide(f"=?utf-8?q?{encoded}?= <a@mine.example>")

    if refusal is None:
        assert "@" not in name
        assert "<" not in name
        assert "＠" not in name
