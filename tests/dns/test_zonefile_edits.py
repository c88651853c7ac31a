"""Edits of master files: any layout, any edits."""

import re
from collections.abc import Iterable
from datetime import date

import dns.rdatatype
import dns.zone
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.dns.masteredit import SECTION, edited
from sendwright.dns.masterfile import MasterFile, parse
from sendwright.dns.providers.base import Edit, Key, RecordSet
from sendwright.dns.rdata import plain_name, rdata, txt
from sendwright.dns.serials import following
from sendwright.errors import DnsError

ZONE = "example.com"
HEAD = """\
; The zone of the example company. Do not touch before asking Ann.
$TTL 1h
@   IN SOA ns1 hostmaster ( 2026010101 ; serial
        7200 900 1209600 300 )  ; the last one is negative TTL
    NS  ns1
    NS  ns2.example.net.
"""


def _set(name: str, rdtype: str, *values: str, ttl: int = 3600) -> RecordSet:
    return RecordSet(name, rdtype, ttl, tuple(sorted(values)))


def _edit(file: MasterFile, after: RecordSet | None, key: Key | None = None) -> Edit:
    key = after.key if after else key or ("", "")
    return Edit(*key, file.record_set(key), after)


def _edited(text: str, *afters: RecordSet, gone: Iterable[Key] = ()) -> str:
    file = parse(ZONE, text)
    edits = [_edit(file, after) for after in afters] + [_edit(file, None, key) for key in gone]
    return edited(file, edits, lambda serial: serial + 1)


def _meanings(text: str) -> set[tuple[str, str, int, str]]:
    """Return what dnspython's own zone makes of a text."""
    zone = dns.zone.from_text(text.replace("\r\n", "\n"), ZONE, relativize=False, check_origin=False)
    return {
        (plain_name(name.to_text()), dns.rdatatype.to_text(rdata.rdtype), ttl, rdata.to_text())
        for name, ttl, rdata in zone.iterate_rdatas()
        if rdata.rdtype != dns.rdatatype.SOA
    }


def test_a_new_record_set_gets_a_section_at_the_end_and_nothing_else_changes() -> None:
    """Only the serial number differs above it."""
    new = _edited(HEAD, _set(f"_dmarc.{ZONE}", "TXT", '"v=DMARC1; p=none"'))

    line = '_dmarc.example.com.\t3600\tIN\tTXT\t"v=DMARC1; p=none"\n'
    assert new == HEAD.replace("2026010101", "2026010102") + f"{SECTION}\n{line}"


def test_a_second_edit_finds_the_section_again() -> None:
    """One heading, however often it is run."""
    once = _edited(HEAD, _set(f"a.{ZONE}", "TXT", '"a"'))

    twice = _edited(once, _set(f"b.{ZONE}", "TXT", '"b"'))

    assert twice.count(SECTION) == 1


def test_a_further_value_stands_after_the_last_line_of_its_set() -> None:
    """Where a person would look for it, and with the TTL that the set has."""
    text = HEAD + '@ 60 TXT "site-verification=1"  ; Ann\'s\nwww A 192.0.2.1\n'

    new = _edited(text, _set(ZONE, "TXT", '"site-verification=1"', '"v=spf1 -all"', ttl=60))

    line = 'example.com.\t60\tIN\tTXT\t"v=spf1 -all"\n'
    assert new == text.replace("2026010101", "2026010102").replace("www A", f"{line}www A")


def test_a_value_that_goes_takes_all_of_its_lines_along() -> None:
    """And none of the comment above it, which may be about the neighbours."""
    text = HEAD + '; verification\nx TXT ( "a" ; first\n   "b" )\ny TXT "c"\n'

    new = _edited(text, gone=[(f"x.{ZONE}", "TXT")])

    assert new == HEAD.replace("2026010101", "2026010102") + '; verification\ny TXT "c"\n'


def test_who_inherited_a_name_from_a_line_that_goes_is_given_it() -> None:
    """Else its record would silently move to the name before; the rest of its line stays as it was."""
    text = HEAD + 'www 300 A 192.0.2.1\n    AAAA 2001:db8::1 ; v6\n    TXT "x"\n'

    new = _edited(text, gone=[(f"www.{ZONE}", "A")])

    assert new.endswith('\nwww.example.com.    AAAA 2001:db8::1 ; v6\n    TXT "x"\n')


def test_who_inherited_a_ttl_from_a_line_that_changes_keeps_it() -> None:
    """Without $TTL, a record has the TTL that was stated last (RFC 1035 section 5.1)."""
    text = "@ 60 SOA a b 1 2 3 4 5\nm 60 MX 5 m\nx A 192.0.2.1\n  IN AAAA 2001:db8::1\n"

    new = _edited(text, _set(f"m.{ZONE}", "MX", f"5 m.{ZONE}.", ttl=3600))

    assert new.splitlines()[1:] == ["m 3600 MX 5 m", "x 60 A 192.0.2.1", "  IN AAAA 2001:db8::1"]


def test_a_changed_ttl_is_written_where_it_stands() -> None:
    """Before or after the class, or where there was none; comments survive."""
    text = HEAD + "x IN 1d A 192.0.2.1 ; one\n  A 192.0.2.2 ; two\n"

    new = _edited(text, _set(f"x.{ZONE}", "A", "192.0.2.1", "192.0.2.2", ttl=60))

    assert new.endswith("x IN 60 A 192.0.2.1 ; one\n  60 A 192.0.2.2 ; two\n")


def test_a_line_of_somebody_else_keeps_its_ttl_beside_a_value_that_changes() -> None:
    """Where the lines of a set name several TTLs, what comes gets the least of them, and what stays keeps its own."""
    text = HEAD + '@ IN TXT "verification=1"\n@ 300 TXT "old"\n@ 1d TXT "older"\nwww A 192.0.2.1\n'

    new = _edited(text, _set(ZONE, "TXT", '"verification=1"', '"older"', '"new"', ttl=300))

    gone = text.replace("2026010101", "2026010102").replace('@ 300 TXT "old"\n', "")
    assert new == gone.replace("www A", 'example.com.\t300\tIN\tTXT\t"new"\nwww A')


def test_undoing_an_edit_of_a_set_with_several_ttls_brings_all_of_them_back() -> None:
    """The lines of somebody else were never touched, and ours come back with the TTL of the set."""
    text = HEAD + '@ 1d TXT "verification=1"\n@ 300 TXT "ours"\n'
    once = _edited(text, _set(ZONE, "TXT", '"verification=1"', '"new"', ttl=300))

    back = _edited(once, _set(ZONE, "TXT", '"verification=1"', '"ours"', ttl=300))

    assert _meanings_of_lines(back) == _meanings_of_lines(text)
    assert '@ 1d TXT "verification=1"\n' in back


def _meanings_of_lines(text: str) -> set[tuple[str, str, int, str]]:
    found = (entry.meaning for entry in parse(ZONE, text).entries)
    return {(m.name, m.type, m.ttl, m.value) for m in found if m.type != "SOA"}


@pytest.mark.parametrize(
    ("line", "new"),
    [
        ('@ 1d IN TXT "v=spf1 ~all"  ; Ann\'s', '@ 1d IN TXT "v=spf1 -all"  ; Ann\'s'),
        ('  86400 TXT ( "v=spf1" ; one\n " ~all" ) ; two', None),
        ('  86400 TXT ( "v=spf1 ~all" ) ; Ann\'s', '  86400 TXT ( "v=spf1 -all" ) ; Ann\'s'),
        ("@ 86400 TYPE16 \\# 12 0b763d73706631207e616c6c ; Ann's", '@ 86400 TYPE16 "v=spf1 -all" ; Ann\'s'),
    ],
)
def test_a_record_that_takes_the_slot_of_another_takes_its_line(line: str, new: str | None) -> None:
    """An SPF record is merged, not replaced: a person's name for it, its comment and its place stay."""
    text = HEAD + f"{line}\nwww A 192.0.2.1\n"
    new = new or 'example.com.\t86400\tIN\tTXT\t"v=spf1 -all"'

    found = _edited(text, _set(ZONE, "TXT", '"v=spf1 -all"', ttl=86400))

    assert found == text.replace("2026010101", "2026010102").replace(line, new)


def test_undoing_a_merged_record_brings_its_line_back() -> None:
    """Byte for byte, but for the serial number."""
    text = HEAD + 'x TXT "v=spf1 ~all"  ; Ann\'s\n'
    once = _edited(text, _set(f"x.{ZONE}", "TXT", '"v=spf1 -all"'))

    back = _edited(once, _set(f"x.{ZONE}", "TXT", '"v=spf1 ~all"'))

    assert back == text.replace("2026010101", "2026010103")


def test_a_long_text_is_split_into_strings_of_255_octets() -> None:
    """RFC 1035 section 3.3.14."""
    new = _edited(HEAD, _set(f"r1._domainkey.{ZONE}", "TXT", txt("p=" + "A" * 400)))

    assert re.findall(r'"([^"]*)"', new) == ["p=" + "A" * 253, "A" * 147]


def test_line_ends_of_another_system_are_kept() -> None:
    """The new lines get them too, and a last line without one gets one."""
    text = HEAD.replace("\n", "\r\n") + "www A 192.0.2.1"

    new = _edited(text, _set(f"a.{ZONE}", "TXT", '"a"'))

    assert "www A 192.0.2.1\r\n" in new
    assert new.count("\n") == new.count("\r\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("www A 192.0.2.1\nwww A 192.0.2\n", "line 8 "),
        ("$INCLUDE /etc/passwd\n", r"line 7 .*\$INCLUDE"),
        ("$GENERATE 1-4294967295 a$ A 192.0.2.1\n", r"line 7 .*\$GENERATE"),
        ('x TXT "a\n', "line 7 "),
        ("x" * 64 + " A 192.0.2.1\n", "line 7 "),
        ('x TXT "\udcff"\n', "line 7 "),
        ('x CH TXT "a"\n', "line 7 "),
        ("@ SOA a b 1 2 3 4 5\n", "more than one"),
        ("\x1b[31m A 192.0.2.1.\n", r"line 7 [^\x1b]*$"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_line(text: str, why: str) -> None:
    """A file of somebody else is hostile until it is read: no other file is opened, no loop runs for ever."""
    with pytest.raises(DnsError, match=why):
        parse(ZONE, HEAD + text)


def test_an_empty_file_is_no_zone() -> None:
    """Nothing is written below a zone that has no start of authority."""
    with pytest.raises(DnsError, match="no SOA"):
        parse(ZONE, "")


@pytest.mark.parametrize(
    ("serial", "after"),
    [
        (1, 2),
        (2**32 - 1, 1),
        (2026010101, 2026112201),
        (2026112201, 2026112202),
        (2026112299, 2026112300),
        (2027010101, 2027010102),
        (2026019901, 2026019902),
        (1700000000, 1700000001),
    ],
)
def test_a_serial_number_goes_on_in_its_own_style(serial: int, after: int) -> None:
    """Never backwards, in the arithmetic of RFC 1982, or secondaries would not ask for the zone again."""
    assert following(serial, date(2026, 11, 22)) == after
    assert 0 < (after - serial) % 2**32 < 2**31


def test_a_zone_called_soa_keeps_its_name() -> None:
    """The serial number is found by place, whatever the names are."""
    new = edited(parse("soa.example", "soa.example. 60 SOA soa soa 7 7 7 7 7\n"), [], lambda serial: serial + 1)

    assert new == "soa.example. 60 SOA soa soa 8 7 7 7 7\n"


# --- any file, any edits -------------------------------------------------------------------------------------------

_LABELS = st.sampled_from(["@", "www", "WWW", "a.b", "*", "_dmarc", "mx1.example.com.", "soa", "in"])
_DATA = st.sampled_from(
    [
        *(f"A 192.0.2.{i}" for i in range(1, 4)),
        "AAAA 2001:db8::1",
        "MX 10 mx1",
        "MX ( 20\n\t mx2.example.net. ) ; the other",
        'TXT "a;b" "c"',
        "TXT ( v=spf1\\ ~all )",
        'TXT ( "v=spf1 " ; in\n ?all )',
        "TXT ( x ; in\n ; side\n   y\n )",
        'txt "q\\"uo\\te"',
        "SRV 0 0 0 .",
        'CAA 0 issue "ca.example.net"',
        "TYPE65400 \\# 2 00ff",
    ]
)
_FIELDS = st.sampled_from(["", "60 ", "IN ", "300 IN ", "in 1h30m ", "3600\t"])
_BETWEEN = st.sampled_from(["", "; a comment\n", "\n", "   \n", "  ; indented\n", "$TTL 120\n", "$ORIGIN sub\n"])
_END = st.sampled_from(["\n", " ; why\n", "  \n"])


@st.composite
def _files(draw: st.DrawFn) -> str:
    ttl = draw(st.sampled_from(["", "$TTL 900\n"]))
    text = f"{ttl}@ {draw(_FIELDS)}SOA ns1 hostmaster ( 5\n 7200 900 1209600 300 ) ; head\n"
    for _ in range(draw(st.integers(0, 12))):
        owner = draw(st.one_of(_LABELS, st.just(" ")))
        text += draw(_BETWEEN) + f"{owner} {draw(_FIELDS)}{draw(_DATA)}{draw(_END)}"
    return text.removesuffix("\n") if draw(st.booleans()) else text


_NEW = {
    "A": ["192.0.2.1", "192.0.2.9"],
    "TXT": ['"v=spf1 -all"', '"a;b" "c"', txt("k" * 300)],
    "MX": ["10 mx1.example.com.", "0 ."],
}


@st.composite
def _after(draw: st.DrawFn, file: MasterFile, key: Key) -> RecordSet | None:
    before = file.record_set(key)
    old = before.values if before else ()
    values = [*draw(st.lists(st.sampled_from(old), unique=True) if old else st.just([])), *draw(_news(key[1]))]
    ttl = before.ttl if before and draw(st.booleans()) else draw(st.sampled_from([60, 3600]))
    return _set(*key, *dict.fromkeys(values), ttl=ttl) if values else None


def _news(rdtype: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(_NEW[rdtype]), unique=True) if rdtype in _NEW else st.just([])


@st.composite
def _cases(draw: st.DrawFn) -> tuple[MasterFile, list[Edit]]:
    file = parse(ZONE, draw(_files()))
    there = [key for key in file.by_key if key != (ZONE, "SOA")]
    fresh = [(name, rdtype) for name in (ZONE, f"new.{ZONE}", f"a.b.{ZONE}") for rdtype in _NEW]
    keys = draw(st.lists(st.sampled_from([*there, *fresh]), unique=True, max_size=5))
    edits = [_edit(file, draw(_after(file, key)), key) for key in keys]
    return file, [e for e in edits if e.before or e.after]


@given(_cases())
def test_any_edits_of_any_file_say_what_they_should_and_leave_the_rest_alone(
    case: tuple[MasterFile, list[Edit]],
) -> None:
    """What is read afterwards is what was asked for; every other line is there as it was, in its order."""
    file, edits = case
    stays = {(e.name, e.type): _stays(e) for e in edits}

    new = edited(file, edits, lambda serial: serial + 1)

    foreign = [e for e in file.entries if (m := e.meaning).value in stays.get((m.name, m.type), {m.value})]
    expected = {(m.name, m.type, m.ttl, m.value) for e in foreign if (m := e.meaning).type != "SOA"}
    expected |= {
        (*e.after.key, e.after.ttl, _split(e.type, v)) for e in edits if e.after for v in {*e.after.values} - _stays(e)
    }
    again = parse(ZONE, new)
    found = {(m.name, m.type, m.ttl, m.value) for e in again.entries if (m := e.meaning).type != "SOA"}
    assert found == expected
    assert again.record_set((ZONE, "SOA")) != file.record_set((ZONE, "SOA"))
    _in_order([_text(file, e.start, e.end) for e in foreign if e.meaning.type != "SOA"], new)
    _in_order(_between(file), new)


def _stays(edit: Edit) -> set[str]:
    """Return the values whose lines an edit leaves alone: all that stay, unless the TTL of the set is to change."""
    if edit.before is None or edit.after is None or edit.before.ttl != edit.after.ttl:
        return set()
    return {*edit.before.values} & {*edit.after.values}


def _split(rdtype: str, value: str) -> str:
    """Return data as a file has it: long texts in several strings."""
    return rdata(rdtype, value).to_text()


def _text(file: MasterFile, start: int, end: int) -> str:
    """Return the lines of an entry."""
    return "".join(file.lines[start:end]).rstrip("\n")


def _between(file: MasterFile) -> list[str]:
    """Return the lines between entries: comments, directives, blank ones."""
    taken = {i for e in file.entries for i in range(e.start, e.end)}
    return [line.rstrip("\n") for i, line in enumerate(file.lines) if i not in taken]


def _in_order(parts: list[str], text: str) -> None:
    """Find every part in the text, one after the other; an entry may have been given its name and its TTL."""
    at = 0
    for part in parts:
        head, rest = re.match(r"(\S*\s+|)(.*)", part, re.DOTALL).groups()  # type: ignore[union-attr]
        given = rf"[^\s;]*{re.escape(head)}\d+ {re.escape(rest)}"
        # Whichever comes first: the same line may stand once more further below.
        match = re.compile(f"{re.escape(part)}|{given}").search(text, at)
        assert match, part
        at = match.end()


@given(_files())
def test_the_places_of_entries_agree_with_what_dnspython_reads(text: str) -> None:
    """Its own zone holds exactly what the entries mean, but that it gives a set one TTL."""
    file = parse(ZONE, text)

    mine = {(m.name, m.type, m.value) for e in file.entries if (m := e.meaning).type != "SOA"}

    assert mine == {(name, rdtype, value) for name, rdtype, _, value in _meanings(text)}
    assert sum(e.end - e.start for e in file.entries) + len(_between(file)) == len(file.lines)
