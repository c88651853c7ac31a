"""An authority that refuses, limits or is gone, a name that cannot be proven: one sentence, and mail flows.

What was there stays: each time strangers that enforce DANE and MTA-STS write all the time, and nothing is deferred.
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from sendwright.lab import RRset
from sendwright.lab.authority import Authority
from sendwright.lab.clients import wait
from tests.lab.tls.world import BOTH, ONE, TWO, Tls, leaf

pytestmark = pytest.mark.lab

Trouble = Callable[[Authority], AbstractContextManager[None]]


def failed(tls: Tls, *argv: str) -> str:
    """Try to renew in vain; return the one sentence about it, by which nothing else was said to have failed."""
    done = tls.certs("renew", *argv)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout + done.stderr


TROUBLES: dict[Trouble, str] = {
    Authority.refusing: r"error: (\S+): .*The server will not issue certificates for the identifier",
    Authority.limiting: r"error: (\S+): .*too many certificates already issued",
    Authority.stopped: r"error: (\S+): .*acme\.sendwright-lab\.example.* cannot be reached",
}


def test_an_authority_in_trouble_breaks_nothing(tls: Tls) -> None:
    """It refuses, wants no orders for a while, is gone: each host keeps what it shows, and is renewed afterwards."""
    for host in (ONE, TWO):
        tls.aged(host)
        # One that a killed run began would go on, and needs no new one.
        tls.folder.forget_order(host, 0)
    old = {host: tls.certificate(host).chain for host in (ONE, TWO)}
    with tls.mail():
        for trouble, said in TROUBLES.items():
            with trouble(tls.world.lab.authority):
                told = failed(tls)
            errors = [line for line in told.splitlines() if line.startswith("error: ")]
            print("\n".join(errors))
            assert [found[1] for line in errors if (found := re.match(said, line))] == [ONE, TWO], told
            assert {host: tls.certificate(host).chain for host in old} == old
        tls.renew()

    for host in (ONE, TWO):
        assert tls.certificate(host).chain != old[host]
        assert tls.shown(host) == leaf(tls.certificate(host).chain)


def test_a_name_that_does_not_lead_here_is_told_before_the_authority_is_asked(tls: Tls) -> None:
    """The other host's certificate is renewed all the same, and what was there stays."""
    lab, name = tls.world.lab, f"mta-sts.{BOTH}"
    for host in (ONE, TWO):
        tls.aged(host)
    old = {host: tls.certificate(host).chain for host in (ONE, TWO)}
    before = tls.at(name, "A")
    with tls.mail():
        lab.primary.replace(BOTH, [RRset(name, "A", 300, ("203.0.113.99",))])
        try:
            wait(tls.caught_up, "the secondary does not have what the primary has")
            told = failed(tls)
        finally:
            lab.primary.replace(BOTH, [RRset(name, "A", 300, before)])
        assert "203.0.113.99" in told
        assert tls.certificate(ONE).chain != old[ONE]
    tls.settle()
    tls.renew()
