"""The DNS of a lab behaves as the world's: signed, delegated, updated by key, and slow when told so."""

import time
from collections.abc import Callable

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.reversename
import dns.tsigkeyring
import dns.update
import dns.xfr
import dns.zone
import pytest

from sendwright.lab import Lab

pytestmark = pytest.mark.lab


def ask(lab: Lab, server: str, name: str, kind: str) -> dns.message.Message:
    """Ask one server one question, wanting to know whether the answer is authentic."""
    question = dns.message.make_query(name, kind, want_dnssec=True)
    with lab.inside():
        answer, _ = dns.query.udp_with_fallback(question, server, timeout=5)
    return answer


def values(answer: dns.message.Message) -> list[str]:
    """List the values of an answer, without signatures."""
    return [str(item) for rrset in answer.answer for item in rrset if item.rdtype != dns.rdatatype.RRSIG]


def update(lab: Lab, name: str, value: str, *, secret: str = "") -> dns.rcode.Rcode:
    """Add a TXT record in example.com by RFC 2136."""
    keys = dns.tsigkeyring.from_text({lab.tsig_name: (lab.tsig_algorithm, secret or lab.tsig_secret)})
    message = dns.update.UpdateMessage("example.com", keyring=keys)
    message.replace(f"{name}.", 60, "TXT", f'"{value}"')
    with lab.inside():
        return dns.query.tcp(message, lab.primary.address, timeout=5).rcode()


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether something becomes true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize("name", ["example.com", "mx.inbox.example", "no-such-name.example.com", "no-such-tld"])
def test_the_resolver_vouches_for_positive_and_negative_answers(lab: Lab, name: str) -> None:
    """Every zone is signed down from the lab's own root, and the resolver sets AD."""
    answer = ask(lab, lab.resolver, name, "TXT")

    assert answer.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}
    assert answer.flags & dns.flags.AD


@pytest.mark.parametrize("address", ["203.0.113.10", "2001:db8::10", "198.18.0.25"])
def test_reverse_names_are_forward_confirmed(lab: Lab, address: str) -> None:
    """The name behind an address leads back to it."""
    (name,) = values(ask(lab, lab.resolver, str(dns.reversename.from_address(address)), "PTR"))

    forward = values(ask(lab, lab.resolver, name, "AAAA" if ":" in address else "A"))

    assert address in forward


def test_an_update_with_the_key_is_published_and_signed(lab: Lab) -> None:
    """RFC 2136 with the lab's key works, and what it adds is signed at once."""
    assert update(lab, "added.example.com", "hello") == dns.rcode.NOERROR

    answer = ask(lab, lab.primary.address, "added.example.com", "TXT")

    assert '"hello"' in values(answer)
    assert any(rrset.rdtype == dns.rdatatype.RRSIG for rrset in answer.answer)
    assert "added.example.com" in {rrset.name for rrset in lab.records("example.com")}


def test_an_update_with_a_wrong_key_is_refused(lab: Lab) -> None:
    """Who lacks the key's secret changes nothing."""
    # PowerDNS answers without a signature of its own, which dnspython takes for a malformed answer.
    with pytest.raises(dns.exception.FormError, match="TSIG"):
        update(lab, "forged.example.com", "hello", secret="d3Jvbmc=")

    assert ask(lab, lab.primary.address, "forged.example.com", "TXT").rcode() == dns.rcode.NXDOMAIN


def test_a_held_secondary_is_behind_until_it_is_released(lab: Lab) -> None:
    """Slow propagation is rehearsed: the secondary serves the old zone for as long as the test wants."""

    def served() -> bool:
        return '"late"' in values(ask(lab, lab.secondary.address, "late.example.com", "TXT"))

    lab.hold_secondary()
    try:
        update(lab, "late.example.com", "late")
        held = not eventually(served, 3)
    finally:
        lab.release_secondary()

    assert held
    assert eventually(served, 5)


def test_a_zone_is_transferred_to_who_has_the_key(lab: Lab) -> None:
    """AXFR answers the key of the zone's owner, and nobody else but the secondary."""
    keys = dns.tsigkeyring.from_text({lab.tsig_name: (lab.tsig_algorithm, lab.tsig_secret)})
    theirs, ours = dns.zone.Zone("example.com"), dns.zone.Zone("example.com")
    with lab.inside():
        dns.query.inbound_xfr(lab.primary.address, ours, dns.xfr.make_query(ours, keyring=keys)[0], timeout=5)
        with pytest.raises(dns.xfr.TransferError):
            dns.query.inbound_xfr(lab.primary.address, theirs, timeout=5)

    assert ours.get_rdataset("mx1", "A") is not None


def test_the_secondary_learns_of_changes_by_itself(lab: Lab) -> None:
    """It lags a second or two, also after it was held and released: nobody has to push it."""
    lab.hold_secondary()
    lab.release_secondary()

    update(lab, "notified.example.com", "soon")

    assert eventually(
        lambda: '"soon"' in values(ask(lab, lab.secondary.address, "notified.example.com", "TXT")), seconds=8
    )
