"""A host's key changes while strangers that enforce DANE and MTA-STS write all the time: nothing is deferred."""

from collections.abc import Callable

import pytest

from sendwright.deploys.challenges import WELL_KNOWN
from tests.lab.killing import killed_at
from tests.lab.tls.world import CACHES, FOUR, FOURTH, ONE, TWO, Tls, spki

pytestmark = pytest.mark.lab

HOSTS = (ONE, TWO)
Moment = Callable[[], bool]
# Some moments pass within one step of what is looked at from here.
FEWEST = 6


def keys(tls: Tls) -> dict[str, str]:
    """Return the keys that both hosts have."""
    return {host: tls.key(host) for host in HOSTS}


def following(tls: Tls) -> dict[str, str]:
    """Return the keys that both hosts are to have next."""
    return {host: tls.following(host) for host in HOSTS}


def changed(tls: Tls, old: dict[str, str], new: dict[str, str]) -> None:
    """Assert that both hosts have the keys that were announced, and show them; DNS tells of them and of no older."""
    assert keys(tls) == new != old
    for host in HOSTS:
        assert spki(tls.shown(host)) == spki(tls.shown(host, 443)) == new[host]
        assert tls.published(host) == {new[host], tls.following(host)}
        assert tls.following(host) not in {old[host], new[host]}


def rest(tls: Tls) -> None:
    """Let the clocks of old and next keys run out."""
    tls.settle()
    tls.pass_time(CACHES)
    tls.at_rest()


def test_a_key_changes_and_nobody_notices(tls: Tls) -> None:
    """The next key is known to everybody already; after the change the old one's record stays until caches forgot."""
    old, new = keys(tls), following(tls)
    with tls.mail():
        tls.renew("--new-key")
        assert keys(tls) == new
        for host in HOSTS:
            assert {old[host], new[host]} <= tls.published(host)
        # Whoever asked just before the change knows the next key, and whoever asks now the old one.
        tls.world.lab.forget()
        tls.senders.forget()
        rest(tls)

    changed(tls, old, new)


def test_a_key_that_a_server_does_not_tell_of_yet_is_not_used(tls: Tls) -> None:
    """With the secondary held back a second change has to wait, whoever asks for it; the host renews by itself else."""
    lab, old, new = tls.world.lab, tls.key(FOUR), tls.following(FOUR)
    with tls.mail([f"postmaster@{FOURTH}"]):
        lab.hold_secondary()
        try:
            tls.renew("--new-key", "--no-wait", "--limit", FOUR)
            assert tls.key(FOUR) == new != old
            tls.pass_time(CACHES)
            after = tls.following(FOUR)
            said = tls.renew("--new-key", "--no-wait", "--limit", FOUR)
            assert tls.key(FOUR) == new
            assert "ns2.sendwright-lab.example" in said
        finally:
            lab.release_secondary()
        rest(tls)

    assert tls.key(FOUR) == spki(tls.shown(FOUR)) == new
    assert tls.published(FOUR) == {new, after}


def test_a_change_of_keys_that_is_killed_at_each_step_goes_on(tls: Tls) -> None:
    """Whatever was written last, the old pair or the new one is shown, and DNS tells of it; nothing is deferred."""
    old, new = keys(tls), following(tls)
    kills: list[str] = []

    def kill(name: str, moment: Moment, verb: str, *argv: str) -> None:
        if not moment() and killed_at(tls.world, lambda _: moment(), verb, *argv, may_end=True).killed:
            kills.append(name)
        for host in HOSTS:
            assert spki(tls.shown(host)) in tls.published(host), name

    tls.pass_time(CACHES)
    with tls.mail():
        for host, name, proof in (
            (ONE, "an answer is in DNS", lambda: bool(challenges(tls))),
            (TWO, "an answer lies on a host", lambda: tokens(tls, TWO)),
        ):
            # The second one's names are proven on both. The first one's next key is not known by then, so it waits.
            change = ("certs renew", "--new-key", "--no-wait", *(("--limit", host) if host == ONE else ()))
            ordered: tuple[tuple[str, Moment], ...] = (
                ("an order is remembered", lambda: any((tls.folder.path / "orders").glob("*.json"))),
                (name, proof),
                ("a certificate is stored", lambda host=host: tls.key(host) == new[host]),  # type: ignore[misc]
            )
            for said, moment in ordered:
                if tls.key(host) != new[host]:
                    kill(said, moment, *change)
            if tls.key(host) != new[host]:
                tls.renew(*change[1:])
        for said, moment in (
            ("a host has the new key", lambda: any(installed(tls, host) for host in HOSTS)),
            ("a host is told of it", lambda: any(configured(tls, host) for host in HOSTS)),
            # Postfix takes 120 connections a minute from here, and this is looked at more often.
            ("a host shows it", lambda: any(spki(tls.shown(host, 443)) == new[host] for host in HOSTS)),
            ("all do", lambda: all(spki(tls.shown(host, 443)) == new[host] for host in HOSTS)),
            ("another next key is published", lambda: any(len(tls.published(host)) > 2 for host in HOSTS)),
            ("an old record's clock runs", lambda: any(c.left for c in tls.folder.claims() if c.type == "TLSA")),
        ):
            kill(said, moment, "certs renew", "--no-wait")
        tls.renew("--no-wait")
        rest(tls)

    print(f"killed {len(kills)} times: {', '.join(kills)}")
    assert len(kills) >= FEWEST
    assert not challenges(tls)
    assert not any(tokens(tls, host) for host in HOSTS)
    changed(tls, old, new)


def installed(tls: Tls, host: str) -> bool:
    """Whether the folder of the key that is remembered lies on a host."""
    return (tls.world.lab.host(host).root / "etc/sendwright/tls" / tag(tls, host)).exists()


def configured(tls: Tls, host: str) -> bool:
    """Whether Postfix is configured with it."""
    return tag(tls, host) in (tls.world.lab.host(host).root / "etc/postfix/main.cf").read_text()


def tag(tls: Tls, host: str) -> str:
    """Return the name of the folder of the key that a host's certificate has."""
    return tls.certificate(host).key.sha256[:16]


def challenges(tls: Tls) -> set[str]:
    """Return what stands at names where an authority looks."""
    return {r.name for zone in tls.zones for r in tls.world.lab.records(zone) if r.name.startswith("_acme-challenge.")}


def tokens(tls: Tls, host: str) -> bool:
    """Whether an answer to an authority lies on a host."""
    return any((tls.world.lab.host(host).root / WELL_KNOWN.lstrip("/")).glob("*"))
