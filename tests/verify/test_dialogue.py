import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.verify.speaking.dialogue import keywords, parse
from sendwright.verify.speaking.wire import Fallen


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (b"220 mx ESMTP", (220, False, "mx ESMTP")),
        (b"250-PIPELINING", (250, True, "PIPELINING")),
        (b"250", (250, False, "")),
        (b"250 ", (250, False, "")),
        ("220 möx".encode(), (220, False, "möx")),
        (b"220 \xff\x1b[2J", (220, False, "\ufffd\x1b[2J")),
    ],
)
def test_a_line_is_read_as_it_is_written(line: bytes, read: tuple[int, bool, str]) -> None:
    """RFC 5321 section 4.2; what it says stays raw, and whoever prints it escapes it."""
    assert parse(line) == read


@pytest.mark.parametrize("line", [b"", b"HTTP/1.1 200 OK", b"2200 mx", b"220mx", b"999 mx", b"SSH-2.0-x", b"22"])
def test_what_is_no_smtp_is_refused(line: bytes) -> None:
    """Other services live on the same ports, and honeypots."""
    with pytest.raises(Fallen):
        parse(line)


def test_keywords_are_joined_however_they_are_written() -> None:
    """Servers say AUTH twice, the older way for older clients."""
    assert keywords(["size 1000", "AUTH PLAIN", "AUTH=LOGIN", "", "8BITMIME"]) == {
        "SIZE": "1000",
        "AUTH": "PLAIN LOGIN",
        "8BITMIME": "",
    }


@given(st.binary(max_size=100))
def test_any_line_is_read_or_refused(line: bytes) -> None:
    """And nothing else happens."""
    try:
        code, _, _ = parse(line)
    except Fallen:
        return
    assert 200 <= code <= 599


@given(st.lists(st.text(max_size=30), max_size=20))
def test_any_keywords_are_read(lines: list[str]) -> None:
    """Upper case, and each once."""
    assert all(word == word.upper() for word in keywords(lines))
