"""During a first provision no message can leave before a key is proven on the host."""

import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from sendwright import submission
from sendwright.lab import LabHost, Received
from sendwright.lab.clients import wait
from sendwright.rehearse import World

pytestmark = pytest.mark.lab


def provisioned(world: World, *argv: str) -> dict[str, object]:
    """Provision once more; return what it says of itself. Its exit code is 0."""
    done = world.provision("--format", "json", *argv)
    assert done.returncode == 0, done.stdout + done.stderr
    said: dict[str, object] = json.loads(done.stdout)
    return said


def mailed_out(host: LabHost, author: str) -> str:
    """Hand a message for the inbox to the host's own sendmail, as a cron job of root's would; return its subject."""
    subject = f"{author} {host.name}"
    mail = submission.message(author, "somebody@inbox.example", subject, datetime.now(UTC))
    host.run(["sendmail", "-f", author, "somebody@inbox.example"], given=mail.as_string())
    return subject


def tried(host: LabHost) -> str:
    """Try to send all that waits, and return what Postfix did about it."""
    host.run(["postqueue", "-f"])
    return host.run(["journalctl", "--output=cat", "--identifier=postfix/cleanup", "--identifier=postfix/error"]).stdout


def arrival(world: World, host: LabHost, subject: str) -> Received:
    """Wait for the message of that subject to reach the inbox, however often the host has to try."""
    return world.lab.inbox.wait_for(lambda each: each.message["Subject"] == subject, nudge=lambda: tried(host))


def answers(world: World, host: LabHost, port: int) -> bool:
    """Tell whether somebody listens at a port of a host."""
    with world.lab.inside(), socket.socket() as client:
        client.settimeout(5)
        return client.connect_ex((host.addresses[0], port)) == 0


def test_nothing_leaves_before_the_key_is_proven(bare: Callable[..., World]) -> None:
    """A name server is behind: submission is closed and local mail waits; when it has caught up, all leaves signed."""
    world = bare()
    declared = world.declared.stack
    lab, host, domain = world.lab, world.lab.host(declared.hosts[0].name), declared.domains[0].name
    lab.hold_secondary()
    try:
        first = provisioned(world, "--no-wait")
        ours = {mailed_out(host, author) for author in (f"news@{domain}", f"root@{host.name}")}
        theirs = mailed_out(host, "stranger@inbox.example")
        # What has to be signed waits for the signers, and all the rest for the way out.
        wait(lambda: tried(host).count("milter-reject") >= len(ours), "the host does not try to sign")
        wait(lambda: tried(host).count("No key is proven") >= 3, "the host does not try to send")
        second = provisioned(world, "--no-wait")
        closed = [answers(world, host, port) for port in (587, 465)]
        early = {*ours, theirs} & {each.message["Subject"] for each in lab.inbox.messages()}
    finally:
        lab.release_secondary()

    third = provisioned(world)
    host.run(["postqueue", "-f"])
    late = [arrival(world, host, subject) for subject in ours]

    assert [first["outcome"], second["outcome"], third["outcome"]] == ["waiting", "waiting", "done"]
    assert "ns2" in str(first["waiting"])
    assert closed == [False, False]
    assert not early
    assert [" ".join(each.authentication_results).count("dkim=pass") for each in late] == [2, 2]
    assert [answers(world, host, port) for port in (587, 465)] == [True, True]
