"""What owners of zones that are not ours have yet to publish: said record by record, until every server has it."""

from datetime import UTC, datetime

import dns.flags
import dns.message
import dns.rrset
import pytest

from sendwright import owners
from sendwright.delegated import aliases
from sendwright.dns.authority import Server
from sendwright.dns.providers.base import RecordSet
from sendwright.dns.record import Record
from sendwright.dns.records import asked_of_others
from sendwright.dns.transport import Question
from sendwright.domain import Domain
from sendwright.stack import Host, Stack
from sendwright.state.model import DkimKey
from sendwright.tlsa import TlsFacts

NOW = datetime(2026, 11, 1, tzinfo=UTC)
OURS, CUSTOMER, MX1, ADDRESS = "ours.example", "customer.example", "mx1.ours.example", "203.0.113.10"
HOST = Host.model_validate({"name": MX1, "ssh": {"hostname": MX1}, "egress": [{"public": ADDRESS}]})
NS1, NS2 = Server("ns1.customer.example", "192.0.2.1"), Server("ns2.customer.example", "192.0.2.2")
RESOLVER = "127.0.0.1"
KEYS: tuple[DkimKey, ...] = ()


def _stack(**more: object) -> Stack:
    theirs = {"name": CUSTOMER, "dns": None, "mx": "elsewhere", "dkim": {"delegate_to": OURS}, **more}
    ours = Domain.model_validate({"name": OURS, "dns": "main"})
    return Stack(hosts=(HOST,), domains=(ours, Domain.model_validate(theirs)))


STACK = _stack()
ALL = asked_of_others(STACK, KEYS)
PUBLISHED = [RecordSet(r.name, r.type, 300, (r.value,)) for r in ALL]


def _lines(*records: Record, at: dict[Server, list[RecordSet]]) -> tuple[str, ...]:
    return owners.lines(CUSTOMER, records or ALL, at)


def test_everything_that_is_missing_has_a_line_that_can_be_pasted() -> None:
    """As a zone file has it, with absolute names."""
    found = _lines(at={NS1: [], NS2: []})

    for alias in aliases(STACK.domain(CUSTOMER), KEYS):
        assert f"publish {alias.name}. 3600 IN CNAME {alias.target}." in found
    assert f'publish {CUSTOMER}. 3600 IN TXT "v=spf1 ip4:{ADDRESS} ~all"' in found


def test_nothing_is_asked_for_that_every_server_has() -> None:
    """Their TTL is their own."""
    assert _lines(at={NS1: PUBLISHED, NS2: PUBLISHED}) == ()


def test_what_some_server_lacks_names_it() -> None:
    """The owner knows where to look."""
    (line,) = _lines(at={NS1: PUBLISHED, NS2: PUBLISHED[1:]})

    assert line.endswith(f"(not at {NS2} yet)")
    assert PUBLISHED[0].name in line


def _policies(*served: RecordSet, **more: object) -> list[str]:
    """Return what is asked of an owner for a policy that our host serves."""
    host = Host.model_validate({**HOST.model_dump(), "tls": {"mode": "acme"}})
    stack = _stack(mx="here", **more).model_copy(update={"hosts": (host,)})
    asked = asked_of_others(stack, (), TlsFacts(policies={CUSTOMER: "2" * 32}))
    return [line for line in owners.lines(CUSTOMER, asked, {NS1: served}) if "mta-sts" in line]


def test_an_owner_is_asked_to_tell_of_each_policy_in_its_turn() -> None:
    """Its senders would never fetch the present one otherwise."""
    here = RecordSet(f"mta-sts.{CUSTOMER}", "A", 300, (ADDRESS,))
    old = RecordSet(f"_mta-sts.{CUSTOMER}", "TXT", 300, ('"v=STSv1; id=1;"',))

    first, told = _policies(mta_sts={"mode": "testing"})
    (again,) = _policies(here, old, mta_sts={"mode": "testing"})

    assert first == f"publish mta-sts.{CUSTOMER}. 300 IN A {ADDRESS}"
    assert told.startswith(f"publish _mta-sts.{CUSTOMER}. 300 IN TXT")
    assert told.endswith("once its hosts serve the policy, and again whenever that changes")
    assert 'in the place of "v=STSv1; id=1;"' in again


def test_an_owner_is_asked_for_no_policy_in_the_place_of_one_elsewhere() -> None:
    """Unless the inventory declares one."""
    theirs = RecordSet(f"mta-sts.{CUSTOMER}", "A", 300, ("192.0.2.80",))
    told = RecordSet(f"_mta-sts.{CUSTOMER}", "TXT", 300, ('"v=STSv1; id=1;"',))

    assert _policies(theirs, told) == []
    assert "remove that A record" in " ".join(_policies(theirs, told, mta_sts={"mode": "enforce"}))


@pytest.mark.parametrize(
    ("spf", "asked"),
    [
        ("v=spf1 include:_spf.example.net -all", (f"add ip4:{ADDRESS} to the SPF record at {CUSTOMER}.",)),
        (f"v=spf1 ip4:{ADDRESS} include:_spf.example.net -all", ()),
    ],
)
def test_an_spf_record_is_only_asked_to_hold_our_terms_too(spf: str, asked: tuple[str, ...]) -> None:
    """Whoever else sends for the domain goes on doing so."""
    record = next(r for r in ALL if r.name == CUSTOMER)

    found = _lines(record, at={NS1: [RecordSet(CUSTOMER, "TXT", 300, (f'"{spf}"',))]})

    assert tuple(line.partition(" (")[0] for line in found) == asked


def test_a_policy_of_the_owner_is_left_alone() -> None:
    """Which one is theirs to decide."""
    record = next(r for r in ALL if r.name.startswith("_dmarc."))

    assert _lines(record, at={NS1: [RecordSet(record.name, "TXT", 300, ('"v=DMARC1; p=reject"',))]}) == ()


def test_an_alias_that_leads_elsewhere_is_in_the_way() -> None:
    """Only its owner can take it away."""
    record = next(r for r in ALL if r.type == "CNAME")

    (line,) = _lines(record, at={NS1: [RecordSet(record.name, "CNAME", 300, ("elsewhere.example.",))]})

    assert "elsewhere.example." in line


def test_nobody_but_the_owners_servers_is_asked_about_what_may_not_be_there_yet() -> None:
    """A resolver would remember that it is not."""
    asked: list[Question] = []
    apex = {
        (CUSTOMER, "SOA"): f"ns1.{CUSTOMER}. h.{CUSTOMER}. 1 3600 600 86400 300",
        (CUSTOMER, "NS"): f"{NS1.name}.",
        (NS1.name, "A"): NS1.address,
    }

    def ask(question: Question) -> dns.message.Message:
        asked.append(question)
        answer = dns.message.make_response(dns.message.make_query(question.name, question.type))
        answer.flags |= dns.flags.AA
        if text := apex.get((question.name, question.type)):
            answer.answer = [dns.rrset.from_text(f"{question.name}.", 60, "IN", question.type, text)]
        return answer

    found = owners.needed(STACK, KEYS, ask, RESOLVER)

    assert len(found) == len(ALL)
    assert all(line.startswith(f"{CUSTOMER}: publish ") for line in found)
    assert {q.name for q in asked if q.server == RESOLVER} <= {CUSTOMER, "example", NS1.name}
    assert any("_domainkey" in q.name for q in asked if q.server == NS1.address)


def test_a_stack_that_writes_all_its_zones_asks_nobody() -> None:
    """Most inventories are like that, and a plan costs them no question."""

    def ask(question: Question) -> dns.message.Message:
        raise AssertionError(question)

    assert owners.needed(_stack(dns="main"), KEYS, ask, RESOLVER) == ()
