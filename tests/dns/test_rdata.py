import dns.exception
import dns.rdata
import dns.rdataclass
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.dns.rdata import canonical, joined, rdata, txt


@pytest.mark.parametrize(
    ("rdtype", "text"), [("A", "192.0.2.1\nwww"), ("TXT", '"a"\n"b"'), ("CNAME", "a.\n$INCLUDE x")]
)
def test_data_of_more_than_one_line_is_none(rdtype: str, text: str) -> None:
    """What stands behind the first line would be written along with it, and compared by nobody."""
    with pytest.raises(ValueError, match="not the data"):
        canonical(rdtype, text)
    with pytest.raises(dns.exception.SyntaxError):
        rdata(rdtype, text)


@given(st.binary(max_size=1200))
def test_txt_data_survives_the_way_to_the_wire_and_back(octets: bytes) -> None:
    """Text and wire carry exactly the octets of a TXT value, in strings of at most 255 (RFC 1035, 3.3.14)."""
    data = rdata("TXT", txt(octets))
    wire = data.to_wire() or b""
    back = dns.rdata.from_wire(dns.rdataclass.IN, data.rdtype, wire, 0, len(wire))

    assert joined(txt(octets)) == octets
    assert joined(back.to_text()) == octets


@pytest.mark.parametrize(
    ("rdtype", "one", "other"),
    [
        ("TXT", '"v=spf1 -all"', '"v=spf1 " "-all"'),
        ("TXT", '"a;b"', '"a\\;b"'),
        ("MX", "10 MX1.Example.COM.", "10  mx1.example.com."),
        ("AAAA", "2001:DB8:0:0::1", "2001:db8::1"),
        ("CNAME", "Www.example.com.", "www.EXAMPLE.com."),
    ],
)
def test_case_and_quoting_are_no_differences(rdtype: str, one: str, other: str) -> None:
    """Values are compared by what they mean in DNS, not by how they are written."""
    assert canonical(rdtype, one) == canonical(rdtype, other)


def test_the_case_of_txt_data_is_a_difference() -> None:
    """The base64 of a DKIM key is case-sensitive."""
    assert canonical("TXT", '"p=AbC"') != canonical("TXT", '"p=abc"')


@pytest.mark.parametrize(("rdtype", "text"), [("A", "203.0.113.256"), ("MX", "mx.example.com."), ("TXT", '"open')])
def test_text_that_is_no_record_data_is_refused(rdtype: str, text: str) -> None:
    """Text from outside is parsed or refused, never passed on."""
    with pytest.raises(ValueError, match=f"not the data of a {rdtype} record"):
        canonical(rdtype, text)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=300))
def test_a_plain_string_is_read_as_it_would_be_among_others(text: str) -> None:
    """Whatever is quick to read means what the parser of master files says."""
    quoted = txt(text)

    assert joined(quoted) == joined(f'{quoted} ""') == text.encode()
