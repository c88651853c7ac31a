"""Records of Cloudflare's API, to and from master-file text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sendwright.dns.providers.cloudflare_records import Remote, body, record_set
from sendwright.dns.rdata import canonical, joined, rdata, txt

ID = "0" * 32


def _remote(rdtype: str, content: str | None = None, **more: Any) -> Remote:
    return Remote.model_validate(
        {"id": ID, "name": "a.example.com", "type": rdtype, "content": content, "ttl": 1} | more
    )


@pytest.mark.parametrize(
    ("record", "value"),
    [
        (_remote("A", "192.0.2.1"), "192.0.2.1"),
        (_remote("AAAA", "2001:DB8::1"), "2001:db8::1"),
        (_remote("CNAME", "Other.example.net"), "other.example.net."),
        (_remote("MX", "mx.example.net", priority=10), "10 mx.example.net."),
        (_remote("MX", "mx.example.net", data={"priority": 10.0}), "10 mx.example.net."),
        (_remote("MX", ".", priority=0), "0 ."),
        (_remote("MX", "", priority=0), "0 ."),
        (_remote("TXT", "v=spf1 -all"), '"v=spf1 -all"'),
        (_remote("TXT", '"v=spf1 " "-all"'), '"v=spf1 -all"'),
        (_remote("TXT", '"unbalanced'), r'"\"unbalanced"'),
        (_remote("TXT", 'say "hello"'), r'"say \"hello\""'),
        (_remote("TXT", "v=DMARC1; p=none"), '"v=DMARC1; p=none"'),
        (_remote("TXT", None), '""'),
        (
            _remote("SRV", "", data={"priority": 0, "weight": 1, "port": 465.0, "target": "mx.example.net"}),
            "0 1 465 mx.example.net.",
        ),
        (_remote("SRV", "0 1 465 mx.example.net", data=None), "0 1 465 mx.example.net."),
        (_remote("CAA", "", data={"flags": 0, "tag": "issue", "value": "ca.example"}), '0 issue "ca.example"'),
        (_remote("CAA", '0 issue "ca.example"'), '0 issue "ca.example"'),
        (
            _remote("TLSA", "", data={"usage": 3, "selector": 1, "matching_type": 1, "certificate": "AB" * 32}),
            "3 1 1 " + "ab" * 32,
        ),
    ],
)
def test_what_the_api_says_becomes_master_file_text_with_absolute_names(record: Remote, value: str) -> None:
    """Quoted or not, split or not, taken apart or not: as values are compared it is one."""
    assert record.value == value


@pytest.mark.parametrize(
    "record",
    [
        _remote("A", "192.0.2.300"),
        _remote("MX", "mx.example.net"),
        _remote("MX", "mx.example.net", priority=70000),
        _remote("SRV", "", data={"priority": 0}),
        _remote("CAA", "", data={"flags": 0, "tag": "is sue", "value": "x"}),
        _remote("TLSA", "", data={"usage": True, "selector": 1, "matching_type": 1, "certificate": "zz"}),
        _remote("WORTHLESS", "x"),
    ],
)
def test_what_is_no_record_is_said_to_be_none(record: Remote) -> None:
    """Rather than compared, or written back."""
    with pytest.raises(ValueError, match=r"."):
        record_set([record])


@pytest.mark.parametrize("found", ["../../user", "", "a" * 65, "a b"])
def test_an_id_is_never_another_path(found: str) -> None:
    """It is what requests are made of."""
    with pytest.raises(ValidationError):
        _remote("A", "192.0.2.1", id=found)


def test_the_ttl_of_a_set_is_its_shortest() -> None:
    """The API lets them differ; 1 stands for 300."""
    records = [_remote("A", "192.0.2.1", ttl=3600), _remote("A", "192.0.2.2", ttl=1)]

    found = record_set(records)

    assert found is not None
    assert found.ttl == 300
    assert record_set([]) is None


LABELS = st.from_regex(r"[a-z0-9_]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(lambda labels: ".".join(labels) + ".") | st.just(".")
NUMBERS = st.integers(0, 65535)
VALUES = st.one_of(
    st.tuples(st.just("TXT"), st.binary(max_size=700).map(txt)),
    st.tuples(st.just("TXT"), st.text(max_size=300).map(txt)),
    st.tuples(st.just("A"), st.ip_addresses(v=4).map(str)),
    st.tuples(st.just("AAAA"), st.ip_addresses(v=6).map(str)),
    st.tuples(st.sampled_from(["CNAME", "NS", "PTR"]), NAMES),
    st.tuples(st.just("MX"), st.builds("{} {}".format, NUMBERS, NAMES)),
    st.tuples(st.just("SRV"), st.builds("{} {} {} {}".format, NUMBERS, NUMBERS, NUMBERS, NAMES)),
    st.tuples(st.just("CAA"), st.builds('{} issue "{}"'.format, st.integers(0, 255), LABELS)),
    st.tuples(st.just("TLSA"), st.builds("3 1 1 {}".format, st.binary(min_size=32, max_size=32).map(bytes.hex))),
)


@given(VALUES)
def test_what_is_written_is_read_as_the_same_value(found: tuple[str, str]) -> None:
    """For every type that mail needs, and any value of it."""
    rdtype, value = found

    written = body("a.example.com", rdtype, 300, value)

    assert Remote.model_validate({"id": ID, **written}).value == canonical(rdtype, value)


@given(st.binary(max_size=2000))
def test_txt_is_written_in_quoted_strings_of_at_most_255_octets(octets: bytes) -> None:
    """RFC 1035 section 3.3.14."""
    content = body("a.example.com", "TXT", 300, txt(octets))["content"]

    assert joined(content) == octets
    assert all(len(string) <= 255 for string in getattr(rdata("TXT", content), "strings", ()))


def test_a_type_that_is_not_ours_is_not_written() -> None:
    """It would be guesswork."""
    with pytest.raises(ValueError, match="LOC are not written"):
        body("a.example.com", "LOC", 300, "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m")
