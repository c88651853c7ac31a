"""Who has to agree to take reports about a domain, and whether they do (RFC 9990)."""

from collections.abc import Mapping
from types import MappingProxyType

import dns.message
import dns.rcode
import dns.rrset
import pytest

from sendwright.dns.consents import Consent, consents, missing, needed, strangers
from sendwright.dns.rdata import joined
from sendwright.dns.records import desired
from sendwright.dns.transport import Ask, NoAnswer, Question
from sendwright.stack import Stack

HOST = {"name": "mx1.example.com", "ssh": {"hostname": "mx1"}, "egress": [{"public": "203.0.113.10"}]}
OURS = Consent("reports.example", "example.com")


def _stack(*domains: str, rua: str = "", ruf: str = "") -> Stack:
    """Return a stack whose first domain wants reports."""
    dmarc = {"rua": [f"mailto:{rua}"] if rua else [], "ruf": [f"mailto:{ruf}"] if ruf else []}
    declared = [
        {"name": name, "dns": "main", **({} if index else {"dmarc": dmarc})} for index, name in enumerate(domains)
    ]
    return Stack.model_validate({"hosts": [HOST], "domains": declared})


class Resolver:
    """Answers TXT questions by name, and remembers what it was asked."""

    def __init__(self, texts: Mapping[str, str] = MappingProxyType({}), code: str = "NOERROR") -> None:
        self.texts = texts
        self.code = code
        self.asked: list[str] = []

    def __call__(self, question: Question) -> dns.message.Message:
        """Answer as a resolver would."""
        self.asked.append(question.name)
        answer = dns.message.make_response(dns.message.make_query(question.name, question.type))
        answer.set_rcode(dns.rcode.from_text(self.code))
        if text := self.texts.get(question.name):
            answer.answer.append(dns.rrset.from_text("alias.reports.example.", 60, "IN", "TXT", text))
        return answer


def _silence(question: Question) -> dns.message.Message:
    raise NoAnswer(f"nothing about {question.name}")


def test_a_declared_domain_consents_to_reports_about_another() -> None:
    """Its zone is ours to write."""
    stack = _stack("example.com", "example.net", rua="x@mail.example.net", ruf="x@example.net")

    found = [r for r in desired(stack, ()) if "_report._dmarc" in r.name]

    assert [r.name for r in found] == [
        "example.com._report._dmarc.example.net",
        "example.com._report._dmarc.mail.example.net",
    ]
    assert {joined(r.value) for r in found} == {b"v=DMARC1"}
    assert strangers(stack) == ()


@pytest.mark.parametrize(
    ("domains", "rua"),
    [
        (("example.com",), "x@example.com"),
        (("example.com",), "x@reports.example.com"),
        (("news.example.com",), "x@example.com"),
        (("news.example.com", "example.com"), "x@reports.example.com"),
        (("news.example.com", "example.com", "reports.example.com"), "x@reports.example.com"),
    ],
)
def test_within_an_organisation_nobody_has_to_agree(domains: tuple[str, ...], rua: str) -> None:
    """The tree walk ends at the same name for both."""
    assert consents(_stack(*domains, rua=rua)) == ()


def test_a_stranger_is_no_provider_of_ours() -> None:
    """Nothing is published in its name, whatever is declared."""
    stack = _stack("example.com", "example.net", rua="x@reports.example")

    assert strangers(stack) == (OURS,)
    assert not [r for r in desired(stack, ()) if "_report._dmarc" in r.name]


@pytest.mark.parametrize("name", [OURS.name, OURS.for_all])
def test_a_consent_that_stands_needs_nobody(name: str) -> None:
    """For this domain, or for any; also behind an alias."""
    assert missing([OURS], Resolver({name: '"v=DMARC1;" " rua=mailto:x@reports.example"'}), "127.0.0.1") == ()


def test_what_a_stranger_has_to_publish_is_told_to_the_letter() -> None:
    """Somebody will paste it."""
    (sentence,) = needed(missing([OURS], Resolver({OURS.name: '"v=spf1 -all"'}), "127.0.0.1"))

    assert sentence.startswith("reports.example: ")
    assert 'example.com._report._dmarc.reports.example. TXT "v=DMARC1".' in sentence


def test_many_domains_that_report_to_one_stranger_make_one_sentence() -> None:
    """It also names the record that says so for all."""
    found = [Consent("reports.example", f"d{n:03}.example") for n in range(100)]

    (sentence,) = needed(found)

    assert sentence.count("v=DMARC1") == 5
    assert "95 more of the kind" in sentence
    assert "*._report._dmarc.reports.example" in sentence


def test_a_service_that_takes_reports_for_anybody_is_asked_one_question() -> None:
    """However many domains report to it."""
    found = [Consent("reports.example", f"d{n:03}.example") for n in range(100)]
    resolver = Resolver({OURS.for_all: '"v=DMARC1"'})

    assert missing(found, resolver, "127.0.0.1") == ()
    assert resolver.asked == [OURS.for_all]


@pytest.mark.parametrize("resolver", [_silence, Resolver(code="SERVFAIL")], ids=["silent", "SERVFAIL"])
def test_what_cannot_be_looked_up_is_not_said_to_be_missing(resolver: Ask) -> None:
    """No sentence without a cause."""
    assert missing([OURS], resolver, "127.0.0.1") == ()
