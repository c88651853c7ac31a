"""Hosts that renew by themselves: nobody's laptop is on, and mail arrives all the time."""

import json
from datetime import timedelta

import pytest

from sendwright.deploys.renewal import STATE, UNIT
from tests.lab.tls.world import FOUR, FOURTH, THIRD, THREE, Tls, leaf, names_of, spki

pytestmark = pytest.mark.lab

DOMAINS = {THREE: THIRD, FOUR: FOURTH}
CASES = [pytest.param(THREE, timedelta(days=6), id="bookworm"), pytest.param(FOUR, timedelta(days=90), id="trixie")]


def old(tls: Tls, host: str, life: timedelta) -> str:
    """Let a host have a certificate of which a twentieth of its life is left, here and there; return it."""
    tls.aged(host, life, left=1 / 20)
    certificate, machine = tls.certificate(host), tls.world.lab.host(host)
    (machine.root / chain(tls, host)).write_text(certificate.chain)
    machine.run(["systemctl", "reload", "postfix", "sendwright-web"])
    return certificate.chain


def chain(tls: Tls, host: str) -> str:
    """Return where the chain of a host lies."""
    return f"etc/sendwright/tls/{tls.certificate(host).key.sha256[:16]}/chain.pem"


@pytest.mark.parametrize(("host", "life"), CASES)
def test_a_host_renews_with_its_key_and_nobody_notices(tls: Tls, host: str, life: timedelta) -> None:
    """Of six days as of ninety; DNS is not touched, and the controller takes over what the host got."""
    before, key = tls.published(host), tls.key(host)
    with tls.mail([f"postmaster@{DOMAINS[host]}"]):
        aged = old(tls, host, life)
        assert tls.shown(host) == leaf(aged)
        tls.world.lab.host(host).run(["systemctl", "start", UNIT], timeout=120)

    came = (tls.world.lab.host(host).root / chain(tls, host)).read_text()
    assert came != aged
    assert set(names_of(came)) == set(names_of(aged))
    assert tls.shown(host) == tls.shown(host, 443) == leaf(came)
    assert spki(tls.shown(host)) == key
    assert tls.published(host) == before
    tls.provision()
    assert tls.certificate(host).chain == came
    assert tls.provision().stdout == "no changes\n"


def test_what_is_not_due_is_left_alone(tls: Tls) -> None:
    """The timer comes every hour."""
    before = tls.shown(THREE)

    tls.world.lab.host(THREE).run(["systemctl", "start", UNIT], timeout=120)

    assert tls.shown(THREE) == before


def test_a_renewal_that_fails_keeps_what_works_and_says_so_loudly(tls: Tls) -> None:
    """The unit fails, ``verify --hosts`` tells of it, mail goes on; the next hour mends it."""
    host = FOUR
    machine = tls.world.lab.host(host)
    aged = old(tls, host, timedelta(days=90))
    with tls.mail([f"postmaster@{DOMAINS[host]}"]):
        with tls.world.lab.authority.refusing():
            done = machine.run(["systemctl", "start", UNIT], check=False, timeout=120)
        assert done.returncode
        assert tls.shown(host) == leaf(aged)
        assert machine.run(["systemctl", "is-failed", UNIT], check=False).stdout.strip() == "failed"
        assert failures(tls, host)
        a_while_later(tls, host)
        machine.run(["systemctl", "start", UNIT], timeout=120)

    assert tls.shown(host) != leaf(aged)
    assert not failures(tls, host)
    tls.provision()


def a_while_later(tls: Tls, host: str) -> None:
    """Let the time pass for which an authority that refused is left alone."""
    memory = tls.world.lab.host(host).root / STATE.lstrip("/") / "memory.json"
    memory.write_text(json.dumps({**json.loads(memory.read_text()), "again": 0}))


def failures(tls: Tls, host: str) -> list[str]:
    """Return what ``verify --hosts`` finds of a host's renewal that did not come."""
    more = ("--hosts", "--format", "json", "--trust", str(tls.world.declared.stack.acme.trust), "--timeout", "5")
    done = tls.world.sendwright("verify", str(tls.world.folder), *more)
    found = json.loads(done.stdout)["findings"]
    said = (f for f in found if f["status"] == "fail" and host in (f["subject"]["name"], f["target"].partition(":")[0]))
    return [f["seen"] for f in said if "its renewal is overdue" in f["seen"]]
