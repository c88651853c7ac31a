"""When a rotation changes nothing at all, though something would be due."""

from dataclasses import replace

from benchmarks.fleet import Machines
from benchmarks.rotation import Domains, domains
from sendwright.provision import Result
from sendwright.report.progress import Progress
from sendwright.rotating import Asked, Rotation, rotate
from sendwright.stack import DkimAlgorithm, Domain


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
