"""Whatever an authority refuses, or sends, or fails to send is told in one clear sentence, in bounded time."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sendwright.acme.proof import Challenge
from sendwright.errors import AuthorityError, AuthorityRefused, AuthorityUnreachable, RateLimited
from tests.acme.conftest import HOST, NAMES, PATIENT, SHORT, Customer
from tests.acme.standin import (
    Answer,
    Fault,
    Handler,
    StandIn,
    deaf,
    hangs,
    hangs_up,
    never_ends,
    problem,
    running,
    trickles,
)

# What is asked for, in this order, until there is a certificate.
RESOURCES = (
    *("directory", "newNonce", "newAccount", "newOrder", "order", "authorization", "challenge"),
    *("finalize", "certificate"),
)


def _clear(error: AuthorityError) -> str:
    """Return what an error says, after a look at whether a person can read it."""
    text = str(error)
    assert text.startswith(f"{HOST}: ")
    assert text.isprintable()
    assert error.hint
    assert len(text) < 700
    assert error.what.endswith(".")
    return text


def _refused(customer: Customer, standin: StandIn, resource: str, *faults: Fault) -> AuthorityError:
    standin.faults[resource] = list(faults)
    began = time.monotonic()
    with pytest.raises(AuthorityError) as caught:
        customer.issue()
    assert time.monotonic() - began < 60
    return caught.value


@contextmanager
def _nothing(_: tuple[Challenge, ...]) -> Iterator[None]:
    yield


@pytest.mark.parametrize("resource", ["newAccount", "newOrder", "finalize"])
def test_a_limit_is_told_with_the_time_to_come_back(customer: Customer, standin: StandIn, resource: str) -> None:
    """The authority's own words, and its Retry-After in seconds (RFC 8555 section 6.6)."""
    limit = problem("rateLimited", "too many certificates (5) already issued", 429, retry_after=3600)
    come_back = datetime.now(UTC) + timedelta(hours=1)

    error = _refused(customer, standin, resource, limit)

    assert isinstance(error, RateLimited)
    text = _clear(error)
    assert "too many certificates (5) already issued." in text
    told = re.search(r"Run again after (\d{4}-\d\d-\d\d \d\d:\d\d) UTC", text)
    assert told
    assert abs(datetime.strptime(f"{told[1]} +0000", "%Y-%m-%d %H:%M %z") - come_back) <= timedelta(minutes=2)
    assert standin.asked.count(resource) == 1


@pytest.mark.parametrize(
    ("retry_after", "words"),
    [
        (format_datetime(datetime(2099, 5, 4, 3, 2, 1, tzinfo=UTC), usegmt=True), "Run again later;"),
        ("in three days", "Run again after 20"),
        ("soon", "Run again later;"),
        ("9" * 5000, "Run again later;"),
        ("-5", "Run again later;"),
        (None, "Run again later;"),
    ],
)
def test_nonsense_for_a_time_is_no_time(
    customer: Customer, standin: StandIn, retry_after: str | None, words: str
) -> None:
    """A date is understood, too; a year is the longest that anybody may ask for."""
    if retry_after == "in three days":
        retry_after = format_datetime(datetime.now(UTC) + timedelta(days=3), usegmt=True)
    limit = problem("rateLimited", "too many", 429, **({} if retry_after is None else {"retry_after": retry_after}))

    error = _refused(customer, standin, "newOrder", limit)

    assert isinstance(error, RateLimited)
    assert words in _clear(error)


def test_a_limit_without_a_word_of_acme_is_one(customer: Customer, standin: StandIn) -> None:
    """What stands in front of an authority limits, too."""
    error = _refused(customer, standin, "newOrder", Answer(429, b"<html>slow down</html>", {"Retry-After": "600"}))

    assert isinstance(error, RateLimited)
    assert "Run again after" in _clear(error)


@pytest.mark.parametrize(
    ("resource", "code", "hint"),
    [
        ("newAccount", "invalidContact", "Mend acme › contact."),
        ("newAccount", "externalAccountRequired", "acme › external_account"),
        ("newAccount", "userActionRequired", "at the address that it names"),
        ("newOrder", "rejectedIdentifier", "take it out of the inventory"),
        ("newOrder", "caa", "CAA"),
        ("newOrder", "from-the-future", "Mend what it names"),
        ("finalize", "badCSR", "tls › key"),
    ],
)
def test_a_refusal_is_told_in_its_own_words(
    customer: Customer, standin: StandIn, resource: str, code: str, hint: str
) -> None:
    """And what a person can do about it."""
    error = _refused(customer, standin, resource, problem(code, "policy forbids it\r\n\x1b[31mred"))

    assert isinstance(error, AuthorityRefused)
    text = _clear(error)
    assert "policy forbids it" in text
    assert hint in text


def test_which_of_many_names_was_refused_is_told(customer: Customer, standin: StandIn) -> None:
    """RFC 8555 section 6.7.1."""
    parts = [
        {
            "type": "urn:ietf:params:acme:error:rejectedIdentifier",
            "detail": "forbidden by policy",
            "identifier": {"type": "dns", "value": NAMES[1]},
        }
    ]

    error = _refused(customer, standin, "newOrder", problem("malformed", "some were rejected", subproblems=parts))

    assert f"some were rejected; {NAMES[1]}: forbidden by policy." in _clear(error)


def test_a_name_that_is_not_believed_is_told_with_the_reason(customer: Customer, standin: StandIn) -> None:
    """Nothing was shown for it; where to look depends on the challenge, and the next run orders anew."""
    for kind, hint in (("dns-01", "_acme-challenge"), ("http-01", "port 80")):
        with pytest.raises(AuthorityRefused, match=f"does not accept the proof .{kind}. for {HOST}") as refused:
            customer.issue(_nothing, lambda _, kind=kind: kind)  # type: ignore[misc]
        text = _clear(refused.value)
        assert f"nothing of ours is at {HOST}" in text
        assert hint in text

    assert customer.issue()
    assert len(standin.orders) == 3


def test_a_challenge_that_is_not_offered_is_told_with_those_that_are(customer: Customer) -> None:
    """Nothing was shown to anybody."""
    with pytest.raises(AuthorityRefused, match="by email-reply-00, only by http-01, dns-01") as refused:
        customer.issue(_nothing, lambda _: "email-reply-00")
    _clear(refused.value)


_NOT_ACME = {
    "garbage": (Answer(200, b"\xff\x00 garbage \x1b[2J"), "not ACME|certificate chain"),
    "a list": (Answer(200, [[]]), "not ACME|certificate chain|other names"),
    "odd fields": (Answer(200, {"status": "odd", "identifiers": 7}), "not ACME|certificate chain"),
    "404": (Answer(404, b"<html>nothing here</html>"), "HTTP 404"),
    "500": (Answer(500, b""), "HTTP 500"),
    "elsewhere": (Answer(302, b"", {"Location": "https://192.0.2.1/"}), "leads to another address"),
}
# Of a nonce the header counts, and of an empty order what it is when it is looked at again.
_HARMLESS = {("newNonce", "garbage"), ("newNonce", "a list"), ("newNonce", "odd fields"), ("finalize", "a list")}


@pytest.mark.parametrize(("resource", "what"), sorted({*product(RESOURCES, _NOT_ACME)} - _HARMLESS))
def test_what_is_not_acme_is_told_as_such(customer: Customer, standin: StandIn, resource: str, what: str) -> None:
    """At each step; a redirect leads nowhere."""
    fault, words = _NOT_ACME[what]

    error = _refused(customer, standin, resource, fault)

    assert re.search(words, _clear(error)), str(error)


@pytest.mark.parametrize("resource", ["directory", "newOrder", "certificate"])
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (hangs, "gives no answer in time"),
        (trickles, "gives no answer in time"),
        (never_ends, "it does not end"),
        (hangs_up, "gives no whole answer"),
        (deaf, "closed connection without response"),
    ],
)
def test_an_answer_without_end_is_given_up(
    customer: Customer, standin: StandIn, resource: str, fault: Fault, words: str
) -> None:
    """In silence, octet by octet, or in a flood."""
    customer.patience = SHORT

    error = _refused(customer, standin, resource, fault)

    assert isinstance(error, AuthorityUnreachable)
    assert words in _clear(error)


def test_an_authority_that_never_comes_to_an_end_is_given_up(customer: Customer, standin: StandIn) -> None:
    """It may look at a proof, or issue, for as long as it likes; nobody waits for more than that."""
    customer.patience = SHORT
    pending = Answer(200, {"status": "pending", "identifier": {"type": "dns", "value": HOST}, "challenges": []})
    standin.faults["challenge"] = [Answer(200, {"type": "dns-01", "url": "", "status": "processing"})]

    def looks(handler: Handler) -> None:
        handler.send(handler.answer() if handler.server.asked.count("authorization") <= len(NAMES) else pending)

    error = _refused(customer, standin, "authorization", *[looks] * 1000)

    assert isinstance(error, AuthorityUnreachable)
    _clear(error)


def test_an_order_that_is_processed_for_ever_is_given_up_and_taken_up_again(
    customer: Customer, standin: StandIn
) -> None:
    """Its certificate may come after all."""
    customer.patience = SHORT

    def processing(handler: Handler) -> None:
        answer = handler.answer()
        handler.send(Answer(200, {**answer.body, "status": "processing"}))

    standin.faults["finalize"] = [processing]
    error = _refused(customer, standin, "order", lambda handler: handler.send(handler.answer()), *[processing] * 1000)

    assert "has issued nothing for mx1.example.com in 1 s" in _clear(error)
    standin.faults.clear()
    customer.patience = PATIENT
    assert customer.issue()
    assert len(standin.orders) == 1


def test_an_order_of_other_names_is_not_proven(customer: Customer, standin: StandIn) -> None:
    """Else an authority could have us publish for names that nobody ordered."""

    def other(handler: Handler) -> None:
        answer = handler.answer()
        identifier = {"type": "dns", "value": "bank.example"}
        handler.send(Answer(200, {**answer.body, "identifier": identifier}))

    error = _refused(customer, standin, "authorization", other)

    assert "wants other names proven than were ordered" in _clear(error)
    assert not standin.proven


def test_a_certificate_of_another_key_or_of_other_names_is_not_taken(customer: Customer, standin: StandIn) -> None:
    """It would be installed, and nobody could use it."""
    other = customer.issue(names=NAMES[:1])

    error = _refused(customer, standin, "certificate", Answer(200, other.encode()))
    assert "does not name mta-sts.example.com" in _clear(error)

    stranger = standin.trust.read_bytes()
    error = _refused(customer, standin, "certificate", Answer(200, stranger))
    assert "answers with a chain that" in _clear(error)


def test_a_token_that_is_a_path_is_none_when_it_is_shown(customer: Customer, standin: StandIn) -> None:
    """It becomes the name of a file on hosts: what is shown has the standard's alphabet, whatever came."""

    def path(handler: Handler) -> None:
        answer = handler.answer()
        challenges = [{**c, "token": "../../../../etc/passwd" + "A" * 40} for c in answer.body["challenges"]]
        handler.send(Answer(200, {**answer.body, "challenges": challenges}))

    _clear(_refused(customer, standin, "authorization", path))

    assert all(re.fullmatch("[A-Za-z0-9_-]{22,200}", c.token) for c in standin.proven)


def test_nothing_is_asked_without_encryption(customer: Customer, standin: StandIn) -> None:
    """Whatever the directory says (RFC 8555 section 6.1)."""
    plain = {kind: f"http://127.0.0.1:1/{kind}" for kind in ("newNonce", "newAccount", "newOrder")}

    error = _refused(customer, standin, "directory", Answer(200, plain))

    assert isinstance(error, AuthorityUnreachable)
    _clear(error)


def test_a_server_that_nobody_vouches_for_is_not_asked(customer: Customer, tmp_path: Path) -> None:
    """Without ``trust``, and with that of another authority."""
    (tmp_path / "other").mkdir()
    with running(tmp_path / "other") as other:
        for trust in (None, str(other.trust)):
            with pytest.raises(AuthorityUnreachable, match=r"not trusted here.*acme › trust") as refused:
                customer.issue(trust=trust)
            _clear(refused.value)


@pytest.mark.parametrize("trust", ["nowhere.pem", "server.txt"])
def test_a_file_of_roots_that_holds_none_is_told(customer: Customer, trust: str) -> None:
    """Before anybody is asked."""
    (customer.place / "server.txt").write_text("no certificate")

    with pytest.raises(
        AuthorityError, match=f"acme › trust: .*{trust} (cannot be read|holds no certificate)"
    ) as refused:
        customer.issue(trust=trust)
    _clear(refused.value)


def test_nobody_at_that_address_is_told(customer: Customer) -> None:
    """What the system says is enough."""
    with pytest.raises(AuthorityUnreachable, match="cannot be reached: Connection refused") as refused:
        customer.issue(directory="https://127.0.0.1:1/directory")
    _clear(refused.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
FIELDS = st.sampled_from(
    ["status", "identifiers", "authorizations", "identifier", "challenges", "error", "certificate", "meta", "newOrder"]
)
STATUS = st.sampled_from([200, 200, 200, 201, 204, 400, 403, 409, 429, 500, 503])


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(RESOURCES), STATUS, JSON | st.binary(max_size=50), st.dictionaries(FIELDS, JSON, max_size=3))
def test_any_octets_make_a_sentence_or_a_certificate(
    customer: Customer, standin: StandIn, resource: str, status: int, body: object, fields: dict[str, object]
) -> None:
    """Never a traceback."""

    def odd(handler: Handler) -> None:
        answer = handler.answer()
        if isinstance(answer.body, dict) and fields:
            handler.send(Answer(status, {**answer.body, **fields}))
        else:
            handler.send(Answer(status, body))

    standin.faults = {resource: [odd] * 3}
    customer.patience = SHORT
    try:
        assert "BEGIN CERTIFICATE" in customer.issue()
    except AuthorityError as error:
        _clear(error)
