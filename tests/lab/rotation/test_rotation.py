"""Keys rotate while mail flows, and the receiver verifies both signatures of every single message."""

import pytest

from sendwright.lab.spec import CONTROLLER, PRIMARY, RESOLVER, SECONDARY
from sendwright.lab.tap import Dns, Tap, tapped
from sendwright.lab.traffic import verdicts
from sendwright.state.model import DkimKey, KeyStage
from tests.lab.living import good
from tests.lab.rotation.queued import again, held, made_older, released
from tests.lab.rotation.world import BOTH, CACHES, ONE, QUEUES, REVOKED, SECOND, TWO, Rotating, selectors

pytestmark = pytest.mark.lab


def asked_too_early(tap: Tap, key: DkimKey) -> list[Dns]:
    """Return what others than the controller, or the controller of a resolver, asked before both servers had a key."""
    about = [each for each in tap.heard if isinstance(each, Dns) and each.name == key.record_name]
    seen = {each.source: i for i, each in reversed([*enumerate(about)]) if each.found}
    published = max(seen[server[0]] for server in (PRIMARY, SECONDARY))
    early = (each for each in about[:published] if each.found is None)
    return [each for each in early if each.target in RESOLVER or each.source not in CONTROLLER]


def asked_of_resolvers(tap: Tap, key: DkimKey) -> int:
    """Return how often a resolver was asked about a key."""
    return sum(each.target in RESOLVER for each in tap.asked(key.record_name))


def test_mail_flows_through_a_whole_rotation(rotating: Rotating) -> None:
    """Both algorithms of both domains on both hosts, until the old keys are gone; whatever waited in a queue, too.

    The record does not go while mail that it verifies is on hold for weeks; and no resolver is asked about a new key
    before all servers have it.
    """
    old = rotating.signing()
    with tapped(rotating.world.lab) as tap, rotating.mail() as flow:
        new = rotating.start(BOTH, SECOND)
        waiting = [held(rotating, ONE, BOTH), held(rotating, TWO, SECOND)]
        rotating.switch(new)
        switched = rotating.stages(old), rotating.stages(new)
        rotating.pass_time(QUEUES)
        for each in waiting:
            made_older(rotating, each, QUEUES)
        said = rotating.rotate()
        kept = rotating.stages(old), [rotating.published(k) for k in old]
        late = [released(rotating, each) for each in waiting]
        rotating.rotate_until(lambda: all(k.drained for k in rotating.now(old)))
        rotating.pass_time(QUEUES)
        last = [again(rotating, each) for each in waiting]
        rotating.rotate_until(lambda: all(k.revoked for k in rotating.now(old)))
        revoked = rotating.stages(old), {rotating.published(k) for k in old}
        rotating.world.lab.forget()
        too_late = [again(rotating, each) for each in waiting]
        rotating.pass_time(REVOKED)
        rotating.rotate_until(lambda: rotating.stages(old) == {KeyStage.REMOVED} and rotating.gone(old))

    found = rotating.all_passed(flow)
    for key in new:
        print(f"{key.record_name}: {asked_of_resolvers(tap, key)} questions to the resolver, none before it was there")
    assert switched == ({KeyStage.RETIRING}, {KeyStage.SIGNING})
    assert {ONE in said, TWO in said} == {True}
    assert kept == ({KeyStage.RETIRING}, [k.public for k in old])
    assert [(good(each), each.selectors <= selectors(old)) for each in late] == [(True, True)] * 2
    assert [result for each in last for _, result in each.dkim] == ["pass"] * 4
    assert revoked == ({KeyStage.REVOKED}, {"revoked"})
    # The control: that was the last moment.
    assert {result for each in too_late for _, result in each.dkim}.isdisjoint({"pass"})
    assert {found[0].selectors, found[-1].selectors} <= {selectors(old), selectors(new)}
    for route in {each.route for each in found}:
        signed = [each.selectors for each in found if each.route == route]
        assert (signed[0] <= selectors(old), signed[-1] <= selectors(new)) == (True, True)
    assert [asked_too_early(tap, key) for key in new] == [[]] * 4
    assert all(asked_of_resolvers(tap, key) for key in new)


def test_rotate_is_silent_where_nothing_is_due(rotating: Rotating) -> None:
    """No output, no connection to any host, no question to any name server: not one packet leaves the controller."""
    rotating.finish()
    with tapped(rotating.world.lab) as tap:
        done = rotating.ran()

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [each for each in tap.heard if each.source in CONTROLLER] == []


def test_mail_fails_where_a_key_signs_before_caches_forgot(rotating: Rotating) -> None:
    """The control: a story says that new keys are proven, and nobody waited; so all of this can fail."""
    before = rotating.keys
    for name in rotating.next_names(SECOND):
        rotating.ask(name)
    new = rotating.start(SECOND)
    rotating.claim_proven(new, TWO)
    rotating.rotate_until(lambda: not rotating.overlapping())
    with rotating.mail() as naive:
        pass
    failed = verdicts(rotating.clients, naive)
    rotating.world.lab.forget()
    with rotating.mail() as flow:
        pass

    assert {k.record_name for k in new} == {*rotating.next_names(SECOND, before)}
    assert {each.route.login for each in failed if not good(each)} == {SECOND}
    assert {result for each in failed if not good(each) for _, result in each.results.dkim}.isdisjoint({"pass"})
    rotating.all_passed(flow)


def test_rotate_waits_for_a_secondary_that_lags(rotating: Rotating) -> None:
    """It says for whom, and goes on where it was once that server has the keys; time alone changes nothing."""
    before = rotating.keys
    with rotating.mail() as flow:
        rotating.world.lab.hold_secondary()
        try:
            said = [rotating.rotate("--start", "--domain", BOTH, "--domain", SECOND)]
            new = rotating.new(before)
            rotating.pass_time(CACHES)
            said.append(rotating.rotate())
            stuck = rotating.stages(new), rotating.served(new)
        finally:
            rotating.world.lab.release_secondary()
        rotating.rotate_until(lambda: rotating.served(new))
        rotating.switch(new)

    assert len(new) == 4
    assert all("ns2.sendwright-lab.example" in each for each in said)
    assert stuck == ({KeyStage.PUBLISHED}, False)
    rotating.all_passed(flow)


def test_a_leaked_key_is_replaced_at_once(rotating: Rotating) -> None:
    """Without waiting for any clock; its other algorithm and the other domain go on as they were."""
    before = rotating.keys
    (leaked,) = (k for k in rotating.of(SECOND, KeyStage.SIGNING) if k.algorithm == "rsa")
    others = [k for k in rotating.signing() if k != leaked]
    with rotating.mail() as flow:
        said = rotating.rotate_until(
            lambda: rotating.stages([leaked]) == {KeyStage.REVOKED}, "--force-new", leaked.record_name
        )

    (new,) = rotating.new(before)
    print(said)
    assert (new.domain, new.algorithm, new.stage) == (SECOND, "rsa", KeyStage.SIGNING)
    assert [k for k in rotating.signing() if k != new] == others
    assert rotating.published(leaked) == "revoked"
    assert not rotating.holds(TWO, leaked)
    rotating.all_passed(flow)
