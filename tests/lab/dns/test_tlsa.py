"""TLSA records at real servers: in signed zones, with a secondary that may be late, as senders see them."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import pytest

from sendwright import certs, inventory, issuing
from sendwright.dns.answers import record_set
from sendwright.dns.providers.base import Edit, Provider, RecordSet
from sendwright.dns.rdata import canonical
from sendwright.dns.tls_records import TTL
from sendwright.dns.transport import Question, query
from sendwright.inventory import Inventory
from sendwright.lab import Lab
from sendwright.lab.primaries import Primary
from sendwright.lab.spec import PRIMARY
from sendwright.pointing import shows
from sendwright.publication import Internet, Publication
from sendwright.rehearse import World
from sendwright.report.progress import Progress
from sendwright.state.folder import StateFolder
from sendwright.tlsa import spki_of_chain, value

pytestmark = pytest.mark.lab

_SECONDS = 20
SIGNED = pytest.mark.parametrize("primary", ["powerdns by api", "powerdns by updates"], indirect=True)


def test_tlsa_records_are_created_changed_and_withdrawn(primary: Primary, provider: Provider) -> None:
    """Servers write digests in the case that they like: what is read is compared by its octets."""
    zone, name = primary.zone, f"_25._tcp.read.{primary.zone}"
    one, two = value("ab" * 32), value("CD" * 32)

    def swap(after: RecordSet | None) -> tuple[RecordSet, ...]:
        before = next(iter(provider.read(zone, [(name, "TLSA")])), None)
        provider.apply(zone, [Edit(name, "TLSA", before, after)])
        return provider.read(zone, [(name, "TLSA")])

    (created,) = swap(RecordSet(name, "TLSA", TTL, (one,)))
    (changed,) = swap(replace(created, values=(*created.values, two)))
    gone = swap(None)

    assert created.ttl == TTL
    assert {canonical("TLSA", v) for v in created.values} == {one}
    assert {canonical("TLSA", v) for v in changed.values} == {one, two.lower()}
    assert gone == ()


@dataclass
class Told:
    """A host whose key senders are told of, in a zone at a real server."""

    declared: Inventory
    host: str
    resolver: str

    @property
    def folder(self) -> StateFolder:
        """What is remembered."""
        return StateFolder.of(self.declared)

    def certify(self, key: bytes | None = None) -> str:
        """Have a certificate; return the digest of its key."""
        made, pem = certs.issue(self.declared.stack.host(self.host), datetime.now(UTC), None, key)
        self.folder.save_certificate(made, pem)
        return spki_of_chain(made.chain)

    def make_next(self) -> str:
        """Make a key ahead; return its digest."""
        return issuing.make_next(self.declared.stack.host(self.host), self.folder, datetime.now(UTC)).spki

    def promote(self) -> None:
        """Have a certificate of the next key."""
        (coming,) = self.folder.next_keys()
        self.certify(self.folder.open(coming.key))
        self.folder.forget_next_key(self.host)

    def publication(self, later: timedelta = timedelta()) -> Publication:
        """Return a run that has looked at the zone."""
        internet = Internet(query, lambda: self.resolver)
        run = Publication(self.declared, self.folder, Progress(), datetime.now(UTC) + later, internet=internet)
        run.look(())
        return run

    def run(self, *shown: str, later: timedelta = timedelta(), stay: bool = True) -> Publication:
        """Go through all stages, having seen these hosts."""
        run = self.publication(later)
        run.expand(self.folder.load(), {}, ())
        run.switch((), partial(shows, hosts=shown, policies=()), stay=stay)
        run.withdraw((), clocks=True, addresses=(), shown=shown)
        assert run.zones.errors == {}
        return run

    def keys(self) -> set[str]:
        """Return the digests that a sender finds whose resolver validates, if the answer is secure."""
        name = f"_25._tcp.{self.host}"
        answer = query(Question(self.resolver, name, "TLSA", recurse=True))
        found = record_set(answer, name, "TLSA")
        assert answer.flags & dns.flags.AD
        return {v.rpartition(" ")[2] for v in map(partial(canonical, "TLSA"), found.values)} if found else set()


@pytest.fixture
def told(
    dns_lab: Lab,
    primary: Primary,
    declare: Callable[..., World],
    tmp_path: Path,
    provider: Provider,
    inside: None,  # noqa: ARG001 - requested for its place
) -> Iterator[Told]:
    """A host at each server, with a name of its own for each test; what is at the zone's own names goes at the end."""
    shared = [(f"{label}{primary.zone}", kind) for label in ("", "_dmarc.", "_smtp._tls.") for kind in ("TXT", "MX")]
    before = {(found.name, found.type) for found in provider.read(primary.zone, shared)}
    declare(tmp_path, primary)
    host = f"mx{time.time_ns()}.{primary.zone}"
    hosts = tmp_path / "inventory.py"
    hosts.write_text(hosts.read_text().replace(f"'mx.{primary.zone}', {{", f"'{host}', {{'dane': [25], "))
    yield Told(inventory.load(tmp_path), host, dns_lab.resolver)
    left = [found for found in provider.read(primary.zone, shared) if (found.name, found.type) not in before]
    provider.apply(primary.zone, [Edit(found.name, found.type, found, None) for found in left])


@SIGNED
def test_keys_are_told_of_and_changed_as_senders_see_them(told: Told) -> None:
    """In a zone that is signed: with the answers that a sender's own resolver vouches for."""
    old = told.certify()
    told.run()
    nothing = told.publication().tlsa_known(told.host)
    new = told.make_next()
    told.run(told.host)
    before = told.publication()
    known, fresh = before.tlsa_known(told.host), before.tlsa_fresh_at(told.host, datetime.now(UTC))

    told.promote()
    told.run(told.host)
    held = told.publication().tlsa_known(told.host)
    told.run(told.host, later=timedelta(minutes=11))

    assert not nothing.told
    assert known.served == held.served == {old, new}
    assert fresh is not None
    assert timedelta(seconds=TTL - 10) < fresh - datetime.now(UTC) <= timedelta(seconds=TTL)
    assert told.publication().tlsa_known(told.host).served == {new}
    assert _until(lambda: told.keys() == {new})


@SIGNED
def test_a_secondary_that_is_late_keeps_the_next_key_from_being_used(told: Told, primary: Primary) -> None:
    """It is named; and when it has caught up, senders may still remember what it said before."""
    old = told.certify()
    told.run(told.host)
    primary.hold()
    try:
        time.sleep(2)  # the secondary may be about to look for changes
        new = told.make_next()
        told.run(told.host, stay=False)
        late = told.publication()
        behind, fresh = late.tlsa_known(told.host), late.tlsa_fresh_at(told.host, datetime.now(UTC))
    finally:
        primary.release()

    assert behind.served == {old}
    assert "ns2." in behind.behind
    assert "not tell of every key" in behind.behind
    assert fresh is None
    assert _until(lambda: told.publication().tlsa_known(told.host).served == {old, new})
    assert told.publication().tlsa_fresh_at(told.host, datetime.now(UTC)) is not None


@pytest.mark.parametrize("primary", ["knot by updates"], indirect=True)
def test_no_key_is_told_of_in_a_zone_that_no_resolver_vouches_for(told: Told) -> None:
    """Senders would not believe it, and the plan says so."""
    told.certify()

    run = told.run(told.host)

    assert not run.tlsa_known(told.host).told
    assert any(f"{told.host}: no TLSA records are written" in note for note in run.zones.notes)


def _until(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + _SECONDS
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


@SIGNED
def test_no_server_denies_a_record_of_which_one_value_was_withdrawn(
    primary: Primary, provider: Provider, dns_lab: Lab
) -> None:
    """A resolver may derive from the NSEC of a neighbour that a name is not there (RFC 8198): no DANE for a while."""
    host = f"deny-{time.monotonic_ns()}.{primary.zone}"
    name, one, two = f"_25._tcp.{host}", value("ab" * 32), value("cd" * 32)
    provider.apply(primary.zone, [Edit(host, "A", None, RecordSet(host, "A", 300, ("192.0.2.1",)))])
    both = RecordSet(name, "TLSA", TTL, (one, two))
    provider.apply(primary.zone, [Edit(name, "TLSA", None, both)])
    (read,) = provider.read(primary.zone, [(name, "TLSA")])
    rest = replace(read, values=read.values[:1])
    provider.apply(primary.zone, [Edit(name, "TLSA", read, rest)])

    with dns_lab.inside():
        question = dns.message.make_query(host, "AAAA", want_dnssec=True)
        answer = dns.query.udp(question, PRIMARY[0], timeout=5)
    (denial,) = (r for r in answer.authority if r.rdtype == dns.rdatatype.NSEC and str(r.name) == f"{host}.")

    assert denial[0].next.to_text() == f"{name}."
