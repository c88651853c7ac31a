"""Certificates are renewed from here while mail arrives all the time: not one message is deferred."""

from datetime import timedelta

import pytest

from tests.lab.tls.world import ONE, TWO, Tls, leaf

pytestmark = pytest.mark.lab


def renewed(tls: Tls, host: str, before: str) -> None:
    """Assert that a host has another certificate of the same key, which it shows."""
    assert tls.certificate(host).chain != before
    assert leaf(tls.certificate(host).chain) == tls.shown(host, 25) == tls.shown(host, 443)


def test_what_has_a_third_of_its_life_left_is_renewed_with_its_key(tls: Tls) -> None:
    """Of six days as of ninety: by DNS-01 and by HTTP-01; DNS is not touched, and nothing is due afterwards."""
    before = {host: (tls.key(host), tls.published(host)) for host in (ONE, TWO)}
    with tls.mail():
        for host, days in {ONE: 6, TWO: 90}.items():
            tls.aged(host, timedelta(days))
        old = {host: tls.certificate(host).chain for host in (ONE, TWO)}
        tls.renew()

    for host in (ONE, TWO):
        renewed(tls, host, old[host])
        assert (tls.key(host), tls.published(host)) == before[host]
    assert tls.provision().stdout == "no changes\n"


def test_a_renewal_waits_for_a_server_that_is_behind_and_mail_does_not(tls: Tls) -> None:
    """Proof by DNS begins once every server has the answer: the one that is held back is told by its name."""
    lab = tls.world.lab
    tls.aged(ONE)
    old = tls.certificate(ONE).chain
    with tls.mail():
        lab.hold_secondary()
        try:
            with tls.renewing() as running:
                running.says(r"ns2\.sendwright-lab\.example .*does not have it yet")
                assert tls.certificate(ONE).chain == old
                lab.release_secondary()
                assert running.ends() == 0, running.lines
        finally:
            lab.release_secondary()

    renewed(tls, ONE, old)
