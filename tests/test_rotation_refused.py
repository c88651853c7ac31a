"""When a rotation changes nothing at all, though something would be due."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.fleet import Machines
from benchmarks.rotation import Domains, domains
from sendwright import planning
from sendwright.dkim import selector
from sendwright.dns.providers.base import RecordSet
from sendwright.errors import PassphraseError, StateError
from sendwright.provision import Result
from sendwright.report.progress import Progress
from sendwright.rotating import Asked, Rotation, rotate
from sendwright.service import Release
from sendwright.stack import DkimAlgorithm, Domain
from sendwright.state.model import KeyStage


def rotated(due: Domains, asked: Asked, **means: object) -> Rotation:
    """Rotate with some other means than the world offers."""
    changed = replace(due.means, **means)  # type: ignore[arg-type]
    return rotate(due.declared, asked, Progress(), sleep=lambda _: None, means=changed)


def rsa_alone(domain: Domain) -> Domain:
    """Return a domain that signs with RSA only."""
    dkim = domain.dkim.model_copy(update={"algorithms": (DkimAlgorithm.RSA,)})
    return domain.model_copy(update={"dkim": dkim})


def test_where_no_host_answers_nothing_is_written() -> None:
    """A newer state folder may have gone further, and hosts are who knows: not even a leak is acted upon."""
    with domains(1) as due:
        before = due.folder.load()
        leaked = frozenset(key.record_name for key in before.keys)

        for asked in (Asked(), Asked(leaked=leaked)):
            rotated(due, asked, fleet=lambda *_, **__: Machines(()))

        assert due.folder.load() == before
        assert due.folder.lineage() is None
        assert due.provider.requests["apply"] == 0


def test_the_signers_of_a_host_stay_while_it_takes_mail_by_an_older_inventory() -> None:
    """An algorithm was switched off and nobody provisioned: Postfix asks that signer about all mail yet."""
    with domains(1) as due:
        domains_now = tuple(rsa_alone(domain) for domain in due.declared.stack.domains)
        stack = due.declared.stack.model_copy(update={"domains": domains_now})
        changed = replace(due, declared=replace(due.declared, stack=stack))
        before = due.folder.load().keys

        found = rotated(changed, Asked())

        assert found.result is Result.FAILED
        assert all("Run `sendwright provision`" in str(error.hint) for error in found.errors)
        assert {machine.commands["converge"] for machine in due.machines} == {0}
        assert {k.stage for k in due.folder.load().keys if k.algorithm is DkimAlgorithm.ED25519} == {
            k.stage for k in before
        }


@pytest.mark.parametrize("leak", [False, True])
def test_a_wrong_passphrase_changes_nothing(leak: bool) -> None:
    """Neither a story nor the generation, in DNS or on hosts: it is found before anything is remembered."""
    with domains(1) as due:
        before, applied = due.folder.load(), due.provider.requests["apply"]
        names = frozenset(key.record_name for key in before.keys if leak)
        (due.declared.folder / "passphrase").write_text("another one")

        with pytest.raises(PassphraseError):
            rotated(due, Asked(leaked=names))

        assert due.folder.load() == before
        assert due.folder.lineage() is None
        assert due.provider.requests["apply"] == applied


def test_a_damaged_key_stops_everything_before_it_begins() -> None:
    """A host could not be brought any key while one that it is to hold cannot be read; the sentence names the file."""
    with domains(1) as due:
        before = due.folder.load()
        sealed = due.folder.path / before.keys[0].sealed.name
        sealed.write_bytes(sealed.read_bytes()[:100])

        with pytest.raises(StateError, match=before.keys[0].selector):
            rotated(due, Asked())

        assert due.folder.load() == before


def test_a_new_key_takes_another_selector_where_dns_knows_the_first() -> None:
    """As after a recovery, which cannot know of revoked keys: what stands there stays, and the run goes on."""
    with domains(1) as due:
        old = next(k for k in due.folder.load().keys if k.algorithm is DkimAlgorithm.RSA)
        first = f"{selector(old.algorithm, datetime.now(UTC), {old.selector})}._domainkey.{old.domain}"
        foreign = RecordSet(first, "TXT", 60, ('"v=DKIM1; k=rsa; p="',))
        due.provider.held[old.domain][foreign.key] = foreign

        found = rotated(due, Asked())

        stages = {k.record_name: k.stage for k in due.folder.load().keys if k.algorithm is old.algorithm}
        (signing,) = (name for name, stage in stages.items() if stage is KeyStage.SIGNING)
        assert due.provider.held[old.domain][foreign.key] == foreign
        assert stages == {
            old.record_name: KeyStage.RETIRING,
            first: KeyStage.REMOVED,
            signing: KeyStage.SIGNING,
        }
        assert (signing, "TXT") in due.provider.held[old.domain]
        assert found.errors == ()


def test_a_folder_without_any_key_says_so() -> None:
    """It may be a lost one: from cron, silence would go on for ever."""
    with domains(1) as due:
        shutil.rmtree(due.folder.path)

        with pytest.raises(StateError, match="no DKIM key") as refused:
            rotated(due, Asked())

        assert "sendwright keys recover" in refused.value.hint


def test_a_key_in_dns_that_no_host_signs_with_is_told() -> None:
    """Its story says that it signs, and hosts were seen not to: provision has to bring them there; nothing changes."""
    with domains(1, age=timedelta()) as due:
        state, stack = due.folder.load(), due.declared.stack
        idle = replace(state, keys=tuple(replace(key, proven_on=()) for key in state.keys))
        for machine in due.machines:
            found = planning.services(stack, machine.host, Release.BOOKWORM, idle)
            machine.services = tuple(service for service in found if service.name == "opendkim")

        notes = due.status().notes

        assert len(notes) == len(state.keys)
        for key in state.keys:
            (note,) = (note for note in notes if note.startswith(key.record_name))
            assert all(machine.host.name in note for machine in due.machines)
            assert note.endswith("run `sendwright provision`.")
        assert due.folder.load() == state
