"""What counts mail would see it if something were wrong: strangers defer what they should, and say why."""

from collections.abc import Iterator

import pytest

from sendwright import tlsa
from sendwright.lab import RRset
from sendwright.lab.clients import wait
from sendwright.lab.senders import streaming
from tests.lab.tls.world import ADDRESSES, FOURTH, THREE, Tls

pytestmark = pytest.mark.lab

WRONG = f"wrong.{FOURTH}"


@pytest.fixture
def astray(tls: Tls) -> Iterator[Tls]:
    """The best exchange of a domain is a host that its policy does not name, with the TLSA record of nobody."""
    lab, before = tls.world.lab, tls.at(FOURTH, "MX")
    more = (
        RRset(WRONG, "A", 60, (ADDRESSES[THREE],)),
        RRset(f"_25._tcp.{WRONG}", "TLSA", 60, (tlsa.value("00" * 32),)),
    )
    try:
        lab.primary.replace(FOURTH, [RRset(FOURTH, "MX", 60, (f"1 {WRONG}.",)), *more])
        known(tls)
        yield tls
    finally:
        lab.primary.replace(FOURTH, [RRset(FOURTH, "MX", 300, before), *(RRset(r.name, r.type, 60, ()) for r in more)])
        known(tls)
        for sender in tls.senders:
            sender.discard()


def known(tls: Tls) -> None:
    """Wait until both name servers have what was changed, and nobody remembers what was before."""
    wait(tls.caught_up, "the secondary does not have what the primary has")
    tls.world.lab.forget()
    tls.senders.forget()


def test_a_wrong_tlsa_record_and_an_exchange_that_no_policy_names_defer_mail(astray: Tls) -> None:
    """Each message of both, and the log says that it is for the certificate."""
    with streaming(astray.senders, [f"postmaster@{FOURTH}"]) as streams:
        pass

    for stream in streams:
        assert stream.told.deferred == len(stream.submitted)
        assert stream.told.delivered == stream.told.verified == 0
        assert {why for why in stream.told.why if "Server certificate not verified" not in why} == set()
