"""A host that is not there stops the rotation of its domains, and of no other; no key goes that it may sign with."""

import pytest

from sendwright.lab.clients import wait
from sendwright.lab.traffic import Route
from sendwright.state.model import KeyStage
from tests.lab.rotation.world import BOTH, CACHES, ONE, QUEUES, ROUTES, SECOND, TWO, Rotating, of, selectors

pytestmark = pytest.mark.lab

BY_ONE = tuple(route for route in ROUTES if route.host == ONE)
BY_TWO = tuple(route for route in ROUTES if route.host == TWO)


def test_a_host_that_is_stopped_is_brought_up_to_date_before_an_old_key_goes(rotating: Rotating) -> None:
    """Its domain waits for as long as it takes, the other domain goes on; when it comes back, it follows."""
    old_both, old_second = rotating.of(BOTH, KeyStage.SIGNING), rotating.of(SECOND, KeyStage.SIGNING)
    with rotating.mail(BY_TWO) as flow:
        with rotating.mail(BY_ONE) as first:
            new = rotating.start(BOTH, SECOND)
        rotating.all_passed(first)
        rotating.world.lab.stop(ONE)
        try:
            rotating.pass_time(CACHES)
            said = rotating.ran_until(lambda: rotating.stages(old_second) == {KeyStage.RETIRING})
            between = rotating.stages(old_both), rotating.stages(of(new, BOTH))
            rotating.pass_time(QUEUES)
            rotating.ran_until(lambda: all(k.drained for k in rotating.now(old_second)))
            rotating.pass_time(QUEUES)
            rotating.ran_until(lambda: rotating.stages(old_second) == {KeyStage.REVOKED})
            kept = rotating.stages(old_both), [rotating.published(k) for k in old_both]
        finally:
            rotating.world.lab.start(ONE)
        wait(lambda: rotating.takes_mail(ONE), f"{ONE} does not take submission again")
        with rotating.mail(BY_ONE) as back:
            rotating.rotate_until(lambda: rotating.stages(old_both) == {KeyStage.RETIRING})
        with rotating.mail(BY_ONE) as last:
            pass
        still = [rotating.published(k) for k in old_both]

    assert ONE in said
    assert between[0] == {KeyStage.SIGNING}
    assert between[1] <= {KeyStage.PUBLISHED, KeyStage.PROVEN}
    assert kept == ({KeyStage.SIGNING}, [k.public for k in old_both])
    assert still == kept[1]
    rotating.all_passed(flow)
    assert rotating.all_passed(back)[0].selectors == selectors(old_both)
    assert {each.selectors for each in rotating.all_passed(last)} == {selectors(of(new, BOTH))}


def test_a_host_that_is_cut_off_in_the_middle_of_a_switch_keeps_its_key(rotating: Rotating) -> None:
    """It goes on sending and signs with the old key, whose record stays: for weeks, if need be, until it was seen."""
    old = rotating.of(BOTH, KeyStage.SIGNING)
    with rotating.mail() as flow:
        new = rotating.start(BOTH)
        rotating.pass_time(CACHES)
        with rotating.running() as run:
            wait(lambda: KeyStage.SIGNING in rotating.stages(new), "nothing is promoted")
            rotating.cut_off(ONE)
            _, said = run.communicate(timeout=120)
        try:
            rotating.ran_until(lambda: all(rotating.uses(TWO, k) for k in new))
            rotating.pass_time(QUEUES * 3)
            rotating.ran()
            kept = rotating.stages(old), [rotating.published(k) for k in old]
            with rotating.mail((Route(ONE, BOTH), Route(TWO, BOTH))) as split:
                pass
        finally:
            rotating.reconnect(ONE)
        rotating.rotate_until(lambda: rotating.stages(old) == {KeyStage.RETIRING})
        after = [rotating.uses(host, key) for host in (ONE, TWO) for key in new]

    assert kept == ({KeyStage.SIGNING}, [k.public for k in old])
    found = {each.route.host: each.selectors for each in rotating.all_passed(split)}
    assert found == {ONE: selectors(old), TWO: selectors(new)}
    assert ONE in said
    assert after == [True] * 4
    rotating.all_passed(flow)
