"""What a rotation says that it has done was done: what a provider or a host refused is told as that."""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.fleet import Machine, Machines
from benchmarks.rotation import Counting, Domains, domains
from sendwright.connections import Fleet
from sendwright.converging import Jobs
from sendwright.deploys.probe import send_probes_command
from sendwright.dns.providers.base import Edit
from sendwright.errors import DnsError, PreflightFailed
from sendwright.lines import Act
from sendwright.report.progress import Progress
from sendwright.report.rotation import rotation_lines
from sendwright.rotating import Asked, Rotation, rotate
from sendwright.ssh import Result
from sendwright.state.folder import StateFolder


@dataclass
class Refusing(Counting):
    """A provider that takes nothing for one zone."""

    refused: str = ""

    def apply(self, zone: str, edits: Collection[Edit]) -> None:
        """Apply edits."""
        if zone == self.refused:
            raise DnsError(zone, "it takes no update.")
        super().apply(zone, edits)


def rotated(due: Domains, asked: Asked, **means: object) -> Rotation:
    """Rotate with some other means than the world offers."""
    changed = replace(due.means, **means)  # type: ignore[arg-type]
    return rotate(due.declared, asked, Progress(), sleep=lambda _: None, means=changed)


def test_a_record_that_is_refused_is_not_told_as_written() -> None:
    """It waits, and the reason says so; the record of another zone is written and told."""
    with domains(2) as due:
        provider = Refusing(due.provider.held, refused="domain-0.example")
        due.servers.provider = provider

        found = rotated(due, Asked(), opener=lambda *_: provider)

    assert {step.line.domain for step in found.done if step.act is Act.PUBLISH} == {"domain-1.example"}
    waits = [step.why for step in found.pending if step.line.domain == "domain-0.example" and step.key]
    assert any(why.endswith("it was refused: see above") for why in waits)
    assert all(step.line.domain != "domain-0.example" for step in found.done if step.act is Act.PROVE)


def test_a_record_of_somebody_else_keeps_a_leaked_key_from_being_told_as_revoked() -> None:
    """Without its ledger the record that stands there is not ours to empty, and receivers go on believing it."""
    with domains(1) as due:
        leaked = frozenset(key.record_name for key in due.folder.load().keys)
        due.folder.release(due.folder.load().claims)

        found = rotated(due, Asked(leaked=leaked))

    published = {step.key.record_name for step in found.done if step.act is Act.PUBLISH and step.key}
    waits = [step.why for step in found.pending if step.key and step.key.record_name in leaked]
    assert found.errors
    assert published
    assert not published & leaked
    assert all(why.endswith("it was refused: see above") for why in waits)
    assert "to be revoked: DNS still holds it" in rotation_lines(found)


@dataclass
class Mute(Machine):
    """A host none of whose probes is delivered."""

    def run(self, script: str, stdin: bytes = b"", timeout: float = 120.0) -> Result:
        """Answer a command as such a host does."""
        if script != send_probes_command():
            return super().run(script, stdin, timeout)
        return Result(json.dumps(dict.fromkeys(json.loads(stdin)["probes"])).encode(), b"", 0)


def test_what_a_host_cannot_prove_is_told_once() -> None:
    """It is asked again in the same pass, after the others have proven theirs, and says the same."""
    with domains(1) as due:
        well, mute = due.machines[0], Mute(**vars(due.machines[1]))
        machines = Machines((well, mute))

        found = rotated(due, Asked(), fleet=lambda *_, **__: machines, converge=machines.converge)

    assert [str(error).partition(":")[0] for error in found.errors] == [mute.host.name]


def test_a_host_that_fails_is_not_told_as_converged() -> None:
    """The others are; a step that no host took was not done at all."""
    with domains(1) as due:
        lost = {machine.host.name for machine in due.machines}

        def some(fleet: Fleet, folder: StateFolder, base: Path, jobs: Jobs, report: Callable[[str, str], None]) -> None:
            for name in jobs.keys() & failing:
                fleet.give_up(name, PreflightFailed(name, "a key file is damaged. Nothing was changed on it."))
            Machines(due.machines).converge(
                *(fleet, folder, base, {n: job for n, job in jobs.items() if n not in failing}), report
            )

        for failing in ({min(lost)}, lost):
            found = rotated(due, Asked(), converge=some)
            converged = [step.hosts for step in found.done if step.act is Act.CONVERGE]
            assert found.errors
            assert all(hosts and not failing & {*hosts} for hosts in converged)
            assert bool(converged) is (failing != lost)
