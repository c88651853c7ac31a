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
from tests.lab.tls.world import ONE, TWO, Tls, leaf

pytestmark = pytest.mark.lab

Trouble = Callable[[Authority], AbstractContextManager[None]]


def failed(tls: Tls, *argv: str) -> str:
    """Try to renew in vain; return the one sentence about it, by which nothing else was said to have failed."""
    done = tls.certs("renew", *argv)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        pytest.param(Authority.refusing, r"will not issue certificates for the identifier", id="refusing"),
        pytest.param(Authority.limiting, r"too many certificates already issued", id="limiting"),
        pytest.param(Authority.stopped, r"acme\.sendwright-lab\.example", id="stopped"),
    ],
)
def test_an_authority_in_trouble_breaks_nothing(tls: Tls, trouble: Trouble, said: str) -> None:
    """Both hosts keep what they show; once it issues again, the next run renews."""
    for host in (ONE, TWO):
        tls.aged(host)
        # One that a killed run began would go on, and needs no new one.
        tls.folder.forget_order(host, 0)
    old = {host: tls.certificate(host).chain for host in (ONE, TWO)}
    shown = {host: tls.shown(host) for host in (ONE, TWO)}
    with tls.mail():
        with trouble(tls.world.lab.authority):
            told = failed(tls)
            assert re.search(said, told), told
            print(told)
            assert {host: tls.certificate(host).chain for host in old} == old
        tls.renew()

    for host in (ONE, TWO):
        assert tls.certificate(host).chain != old[host]
        assert tls.shown(host) == leaf(tls.certificate(host).chain) != shown[host]


def test_a_name_that_does_not_lead_here_is_told_before_the_authority_is_asked(tls: Tls) -> None:
    """The other host's certificate is renewed all the same, and what was there stays."""
    lab, name = tls.world.lab, TWO
    for host in (ONE, TWO):
        tls.aged(host)
    old = {host: tls.certificate(host).chain for host in (ONE, TWO)}
    before = tls.at(name, "A")
    with tls.mail():
        lab.primary.replace("both.example", [RRset(f"mta-sts.{'both.example'}", "A", 60, ("203.0.113.99",))])
        try:
            wait(tls.caught_up, "the secondary does not have what the primary has")
            told = failed(tls)
        finally:
            lab.primary.replace("both.example", [RRset("mta-sts.both.example", "A", 60, before)])
        print(told)
        assert "203.0.113.99" in told
        assert tls.certificate(ONE).chain != old[ONE]
    tls.at_rest()
