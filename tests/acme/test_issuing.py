"""A certificate is ordered, proven and fetched, and what a killed run has begun is taken up again."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from sendwright import certs
from sendwright.acme.proof import Challenge
from sendwright.errors import AuthorityUnreachable, DnsError
from tests.acme.conftest import HOST, KEY, NAMES, SHORT, Customer
from tests.acme.standin import Answer, StandIn, deaf, hangs, lost


def _spki(pem: bytes) -> bytes:
    key = serialization.load_pem_private_key(pem, None).public_key()
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_the_chain_is_of_the_key_and_names_that_were_ordered(customer: Customer, kind: str) -> None:
    """Leaf first, and its issuer after it; of either kind of key."""
    key = certs.new_key("rsa" if kind == "rsa" else "ecdsa")

    chain = customer.issue(key=key)

    leaf, issuer = x509.load_pem_x509_certificates(chain.encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == set(NAMES)
    public = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    assert leaf.public_key().public_bytes(*public) == _spki(key)
    leaf.verify_directly_issued_by(issuer)


def test_each_name_is_proven_as_it_is_asked_for(customer: Customer, standin: StandIn) -> None:
    """One by DNS, one by HTTP, all shown at once, and nothing is shown afterwards."""
    seen: list[tuple[Challenge, ...]] = []

    @contextmanager
    def prove(challenges: tuple[Challenge, ...]) -> Iterator[None]:
        seen.append(challenges)
        with standin.prove(challenges):
            yield

    customer.issue(prove, lambda name: "http-01" if name == HOST else "dns-01")

    (challenges,) = seen
    assert {(c.name, c.kind) for c in challenges} == {(NAMES[0], "http-01"), (NAMES[1], "dns-01")}
    assert not standin.shown


def test_a_certificate_that_was_kept_is_not_taken_for_the_next(customer: Customer, standin: StandIn) -> None:
    """The next renewal of the same key and names orders anew, even if nobody forgot the order; the account stays."""
    first = customer.ordered()
    assert customer.ordered() == first
    customer.keep(first)

    second = customer.ordered()

    assert first != second
    assert len(standin.orders) == 2
    assert len(standin.accounts) == 1


class Killed(BaseException):
    """What no program survives."""


@contextmanager
def _killed(_: tuple[Challenge, ...]) -> Iterator[None]:
    raise Killed
    yield


def test_a_run_that_was_killed_while_it_proved_goes_on_with_its_order(customer: Customer, standin: StandIn) -> None:
    """Between order and proof: the authority hears of one order only."""
    with pytest.raises(Killed):
        customer.issue(_killed)

    customer.issue()

    assert len(standin.orders) == 1
    assert any("earlier run" in line for line in customer.said)


def test_what_cannot_be_shown_passes_and_the_order_stays(customer: Customer, standin: StandIn) -> None:
    """The zone's error is for whoever asked; the next run goes on."""

    @contextmanager
    def prove(_: tuple[Challenge, ...]) -> Iterator[None]:
        raise DnsError("example.com", "it is not served.")
        yield

    with pytest.raises(DnsError, match="not served"):
        customer.issue(prove)

    customer.issue()
    assert len(standin.orders) == 1


def test_a_run_that_was_killed_before_it_finalized_proves_nothing_twice(customer: Customer, standin: StandIn) -> None:
    """Between proof and finalization."""
    standin.faults["finalize"] = [deaf]
    with pytest.raises(AuthorityUnreachable):
        customer.issue()

    customer.issue(_killed)

    assert len(standin.orders) == 1


def test_a_certificate_that_was_issued_and_never_fetched_is_fetched(customer: Customer, standin: StandIn) -> None:
    """Between finalization and the download."""
    standin.faults["finalize"] = [lost]
    with pytest.raises(AuthorityUnreachable):
        customer.issue()

    customer.issue(_killed)

    assert len(standin.orders) == 1


def test_a_certificate_that_nobody_fetched_for_months_is_left(customer: Customer, standin: StandIn) -> None:
    """It would have to be renewed at once: another one is ordered."""
    standin.age = timedelta(days=70)
    standin.faults["certificate"] = [deaf]
    with pytest.raises(AuthorityUnreachable):
        customer.issue()

    customer.issue()

    assert len(standin.orders) == 2


@pytest.mark.parametrize("resource", ["order", "authorization", "certificate"])
def test_an_order_that_cannot_be_looked_at_any_more_stands_in_nobodys_way(
    customer: Customer, standin: StandIn, resource: str
) -> None:
    """Whatever has become of it there: another one is ordered at once."""
    if resource == "certificate":
        standin.faults["finalize"] = [lost]
        with pytest.raises(AuthorityUnreachable):
            customer.issue()
    else:
        with pytest.raises(Killed):
            customer.issue(_killed)

    standin.faults[resource] = [Answer(404, b"<html>gone</html>")]
    assert customer.issue()

    assert len(standin.orders) == 2


@pytest.mark.parametrize("change", ["another key", "other names", "lost there", "failed there"])
def test_an_order_of_something_else_is_not_taken_up(customer: Customer, standin: StandIn, change: str) -> None:
    """It has to be for the same key, names and authority, which has to have it still."""
    with pytest.raises(Killed):
        customer.issue(_killed)
    if change == "lost there":
        standin.orders.clear()
    if change == "failed there":
        for authorization in standin.authorizations.values():
            authorization["status"] = "invalid"

    key = certs.new_key("ecdsa") if change == "another key" else KEY
    customer.issue(key=key, names=NAMES[:1] if change == "other names" else NAMES)

    assert len(standin.orders) == (1 if change == "lost there" else 2)


def test_an_old_nonce_is_no_reason_to_give_up(customer: Customer, standin: StandIn) -> None:
    """Twice in a row happens where records take long to spread (RFC 8555 section 6.5)."""
    bad = Answer(400, {"type": "urn:ietf:params:acme:error:badNonce", "detail": "too old"})
    standin.faults["newOrder"] = [bad, bad, bad]
    standin.faults["finalize"] = [bad, bad]

    assert customer.issue()


def test_a_busy_authority_is_waited_for_when_it_says_so(customer: Customer, standin: StandIn) -> None:
    """A second, as it asks; ``test_refusals`` has what happens when it asks for an hour."""
    standin.faults["newOrder"] = [Answer(503, b"busy", {"Retry-After": "1"})]

    assert customer.issue()


def test_an_authority_that_hangs_is_asked_once_for_all_hosts(customer: Customer, standin: StandIn) -> None:
    """The second host does not wait for it again."""
    standin.faults["directory"] = [hangs, hangs]
    customer.patience = SHORT
    authority = customer.authority()

    for host in ("mx1.example.com", "mx2.example.com"):
        with pytest.raises(AuthorityUnreachable, match=f"{host}: the authority at .* gives no answer in time"):
            authority.issue(host, 0, (host,), KEY, standin.prove, lambda _: "dns-01")

    assert standin.asked == ["directory"]


def test_several_hosts_order_at_once(customer: Customer, standin: StandIn) -> None:
    """One account for all; each gets its own certificate."""
    authority = customer.authority()

    def issue(number: int) -> str:
        name = f"mx{number}.example.com"
        return authority.issue(name, 0, (name,), KEY, standin.prove, lambda _: "dns-01")

    with ThreadPoolExecutor(4) as pool:
        chains = list(pool.map(issue, range(4)))

    names = [x509.load_pem_x509_certificate(c.encode()).extensions for c in chains]
    found = [
        e.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName) for e in names
    ]
    assert found == [[f"mx{number}.example.com"] for number in range(4)]
    assert len(standin.accounts) == 1
    assert standin.asked.count("directory") == 1
