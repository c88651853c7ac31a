"""A first provision from a plan that was saved; and once mail leaves signed, none of its applies can be undone."""

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from sendwright.lab import RRset
from sendwright.rehearse import World

pytestmark = pytest.mark.lab


@dataclass(frozen=True)
class Planned:
    """A bare world, the plan that was saved for it, and what came of carrying it out, three times.

    ``refused``: while a record was another, and while a host was; ``untouched``: the zone was as before after both.
    """

    world: World
    saved: Mapping[str, Any]
    refused: Mapping[str, "subprocess.CompletedProcess[str]"]
    untouched: bool
    carried_out: "subprocess.CompletedProcess[str]"


@pytest.fixture(scope="module")
def planned(bare: Callable[[], World]) -> Planned:
    """A world that was provisioned by a saved plan, after a record and then a host had been changed under it."""
    world = bare()
    file, domain = world.folder / "plan.json", world.declared.stack.domains[0].name
    host = world.lab.host(world.declared.stack.hosts[0].name)
    assert world.sendwright("plan", str(world.folder), "--out", str(file)).returncode == 0
    saved = json.loads(file.read_text())
    before = world.lab.records(domain)
    refused = {}

    world.lab.primary.replace(domain, [RRset(domain, "TXT", 60, ('"v=spf1 ip4:198.51.100.1 -all"',))])
    refused["record"] = world.provision("--plan", str(file))
    world.lab.primary.replace(domain, [RRset(domain, "TXT", 60, ())])
    (host.root / "etc/mailname").write_text("somebody.example\n")
    refused["host"] = world.provision("--plan", str(file))
    (host.root / "etc/mailname").unlink()
    untouched = [r for r in world.lab.records(domain) if r.type != "SOA"] == [r for r in before if r.type != "SOA"]
    return Planned(world, saved, refused, untouched, world.provision("--plan", str(file), "--format", "json"))


def test_a_saved_plan_is_refused_when_a_record_or_a_host_was_changed(planned: Planned) -> None:
    """Exit code 1; what differs is named, and nothing at all is done."""
    stack = planned.world.declared.stack
    domain, host = stack.domains[0].name, stack.hosts[0].name

    assert {why: done.returncode for why, done in planned.refused.items()} == {"record": 1, "host": 1}
    assert planned.untouched
    for done in planned.refused.values():
        assert "the world is not as the saved plan has it, so nothing was changed." in done.stderr
    assert f"+ {domain}: TXT {domain} SPF with ip4:" in planned.refused["record"].stderr
    assert f"+ {host}: file /etc/mailname: content differs" in planned.refused["host"].stderr


def test_a_saved_plan_is_carried_out_exactly(planned: Planned) -> None:
    """What was done is what was saved, and then there is nothing left to do."""
    done = json.loads(planned.carried_out.stdout)

    assert (planned.carried_out.returncode, done["outcome"]) == (0, "done")
    assert done["changes"] == planned.saved["changes"]
    assert planned.world.provision().stdout == "no changes\n"


def test_no_apply_is_undone_that_mail_relies_on(planned: Planned) -> None:
    """Each reason is named with its record, the exit code is 1, and the zone stays as it is."""
    world, folder = planned.world, str(planned.world.folder)
    domain, host = world.declared.stack.domains[0].name, world.declared.stack.hosts[0].name
    before = world.lab.records(domain)
    applies = json.loads(world.sendwright("dns", "undo", folder, "--list", "--format", "json").stdout)["applies"]

    # Nobody's mail is lost when programs do not find their server by SRV.
    guarded = [a["id"] for a in applies if {s["type"] for s in a["record_sets"]} != {"SRV"}]

    undone = [world.sendwright("dns", "undo", folder, name, "--yes", "--format", "json") for name in guarded]

    assert [done.returncode for done in undone] == [1, 1]
    assert world.lab.records(domain) == before
    refusals = {(r["name"], r["type"], r["why"]) for done in undone for r in json.loads(done.stdout)["refusals"]}
    address = str(world.declared.stack.hosts[0].addresses[0])
    signing = "its key is signing: mail that it signed, or may sign, is verified by this record"
    assert {(name, why) for name, _, why in refusals if "._domainkey." in name} == {
        (r.name, signing) for r in before if "._domainkey." in r.name
    }
    assert refusals >= {
        (host, "A", f"{host} sends from {address}"),
        (host, "TXT", f"{host} sends from {address}, which would no longer pass"),
        (domain, "TXT", f"{host} sends from {address}, which would no longer pass"),
        (domain, "MX", f"{host} takes its mail, and no other MX would stand there"),
    }
