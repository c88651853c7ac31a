import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from sendwright.dns.transport import NoAnswer, Question
from sendwright.dns.zones import (
    AskFor,
    InZone,
    NotHere,
    delegation_above,
    not_kept,
    read_zone,
    verdicts,
    wildcards_above,
)
from sendwright.errors import ServerUnreachable

_SOA = "ns1.example.com. h.example.com. 1 3600 600 86400 300"


def _message(
    answer: dns.rrset.RRset | None = None,
    authority: dns.rrset.RRset | None = None,
    *,
    aa: bool = True,
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR,
) -> dns.message.Message:
    message = dns.message.make_response(dns.message.make_query("example.com", "SOA"))
    message.flags |= dns.flags.AA if aa else dns.flags.Flag(0)
    message.answer = [answer] if answer else []
    message.authority = [authority] if authority else []
    message.set_rcode(rcode)
    return message


def _soa(zone: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(zone + ".", 60, "IN", "SOA", _SOA)


def test_the_zone_is_the_owner_of_the_soa_that_the_server_names() -> None:
    """In the answer at the apex, in the authority section below it, existing or not (RFC 2308 section 3)."""
    nothing = _message(authority=_soa("example.com"), rcode=dns.rcode.NXDOMAIN)

    assert read_zone("example.com", _message(_soa("example.com"))) == InZone("example.com")
    assert read_zone("x.example.com", nothing) == InZone("example.com")


def test_an_alias_lies_where_its_parent_does() -> None:
    """The rest of the answer speaks of the alias' target."""
    alias = dns.rrset.from_text("www.example.com.", 60, "IN", "CNAME", "example.net.")

    assert read_zone("www.example.com", _message(alias, _soa("example.net"))) == AskFor("example.com")


@pytest.mark.parametrize(
    "message",
    [
        _message(aa=False),
        _message(rcode=dns.rcode.REFUSED, aa=False),
        _message(),
        _message(authority=_soa("example.net")),
    ],
)
def test_a_server_that_does_not_speak_for_a_name_is_not_believed(message: dns.message.Message) -> None:
    """A referral, a refusal, no zone, or a zone that the name cannot lie in."""
    assert isinstance(read_zone("x.example.com", message), NotHere)


def test_every_name_is_located_and_no_question_is_asked_twice() -> None:
    """Also of aliases, which lie where their parent does: that one is asked for once."""
    asked: list[str] = []

    def ask(question: Question) -> dns.message.Message:
        asked.append(question.name)
        if question.name.startswith("www"):
            return _message(dns.rrset.from_text(question.name + ".", 60, "IN", "CNAME", "example.net."))
        return _message(authority=_soa("example.com"))

    names = ["www.example.com", "a.example.com", "www2.example.com"]

    assert verdicts([*names, *names], ask, "192.0.2.1", "the server") == dict.fromkeys(names, "example.com")
    assert sorted(asked) == sorted([*names, "example.com"])


def test_a_server_that_is_silent_or_not_primary_is_named() -> None:
    """With what to do about it, or with what it answers."""

    def silent(_question: Question) -> dns.message.Message:
        raise NoAnswer("no answer within 2 s")

    def refuses(_question: Question) -> dns.message.Message:
        return _message(rcode=dns.rcode.REFUSED, aa=False)

    with pytest.raises(ServerUnreachable, match="the server 192"):
        verdicts(["example.com"], silent, "192.0.2.1", "the server 192.0.2.1")
    assert verdicts(["example.com"], refuses, "192.0.2.1", "X") == {"example.com": NotHere("it answers REFUSED")}


def test_the_root_is_asked_about_once_whatever_it_answers() -> None:
    """It has no parent that could be asked instead: a hostile server that calls it an alias is not asked for ever."""
    alias = dns.rrset.from_text(".", 60, "IN", "CNAME", "example.net.")

    assert isinstance(read_zone("", _message(alias)), NotHere)


def test_the_wildcards_that_may_answer_for_a_name() -> None:
    """Every one above it in the zone (RFC 4592 section 3.3); none above the apex."""
    assert wildcards_above("a.b.example.com", "example.com") == ["*.b.example.com", "*.example.com"]
    assert wildcards_above("example.com", "example.com") == []


def test_names_that_a_server_does_not_keep_are_one_error_about_what_they_share() -> None:
    """The uppermost of them are named, and no more than a handful: there may be thousands."""
    below = not_kept(dict.fromkeys(("example.com", "a.example.com", "b.a.example.com"), "it answers REFUSED"), "X")
    apart = not_kept({f"d{i}.example": "it answers REFUSED" for i in range(5)}, "X")
    beside = not_kept({f"{name}.example.com": "it answers REFUSED" for name in ("a", "b")}, "X")

    assert (below.zone, apart.zone, beside.zone) == ("example.com", "d0.example", "example.com")
    assert below.what.endswith("X does not keep the zone of example.com, nor of 2 names below: it answers REFUSED.")
    assert "of d0.example, d1.example, d2.example and 2 more: it" in apart.what
    assert "of a.example.com, b.example.com: it" in beside.what


def test_a_name_is_delegated_by_itself_or_by_what_it_lies_below() -> None:
    """The zone's own name servers delegate nothing (RFC 1034 section 4.2.1)."""
    cuts = {"example.com", "cut.example.com"}

    assert delegation_above("a.b.cut.example.com", "example.com", cuts) == "cut.example.com"
    assert delegation_above("cut.example.com", "example.com", cuts) == "cut.example.com"
    assert delegation_above("b.example.com", "example.com", cuts) is None
