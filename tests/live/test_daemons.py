"""The daemons are really up: their processes are there, not just their units."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from testinfra.host import Host as Asked

from sendwright.observe import STAMPS
from sendwright.service import Running, Sealed, Service


def running(host: Asked, **what: str) -> int:
    """Count the processes of a user, by their command."""
    return len(host.process.filter(**what))


def test_the_master_process_of_postfix_runs(host: Asked) -> None:
    """Debian 12's postfix.service is "active" without a daemon behind it."""
    assert running(host, user="root", comm="master") == 1


def test_one_signer_runs_for_each_algorithm(host: Asked, services: Mapping[str, Service]) -> None:
    """Each kind of signature has its own OpenDKIM, and Debian's runs beside them nowhere."""
    assert running(host, user="opendkim", comm="opendkim") == len(services["opendkim"].reload_units)


def test_debians_own_signer_cannot_start(host: Asked) -> None:
    """It would sign with package defaults."""
    assert host.run("systemctl is-enabled opendkim.service").stdout.strip() == "masked"


def test_the_sender_guard_runs(host: Asked) -> None:
    """Without it a login could send as another domain."""
    assert running(host, user="sendwright-guard") == 1


def test_dovecot_answers_for_credentials(host: Asked) -> None:
    """Its master runs, and its socket lies where Postfix looks for it."""
    assert running(host, user="root", comm="dovecot") == 1
    assert host.file("/var/spool/postfix/sendwright-sasl/auth").is_socket


def test_the_resolver_runs(host: Asked) -> None:
    """DANE needs a resolver on the host itself."""
    assert running(host, user="unbound", comm="unbound") == 1


def test_every_unit_is_in_its_state_and_stays_there(host: Asked, services: Mapping[str, Service]) -> None:
    """What should be up is up now and after a reboot; nothing of ours has failed."""
    for unit in (u for s in services.values() for u in s.units):
        up = unit.state is Running.UP
        assert host.service(unit.name).is_running is up, unit.name
        if up:
            assert host.run("systemctl is-enabled %s", unit.name).stdout.strip() not in {"disabled", "masked"}


@pytest.mark.parametrize("service", ["unbound", "opendkim", "guard", "dovecot", "postfix"])
def test_the_loaded_configuration_is_the_one_on_disk(
    host: Asked, services: Mapping[str, Service], service: str
) -> None:
    """What the daemon noted when it loaded is what its files would give now."""
    declared = services[service]
    listed = host.check_output("sha256sum -- " + " ".join(f.path for f in declared.files))
    on_disk = {path: digest for digest, path in (line.split("  ", 1) for line in listed.splitlines())}
    found = replace(declared, files=tuple(replace(f, content=Sealed("", on_disk[f.path])) for f in declared.files))

    assert host.file(f"{STAMPS}/{service}").content_string.strip() == found.digest


def test_no_daemon_start_is_held_back(host: Asked) -> None:
    """A run that died while it installed packages would leave Debian's policy-rc.d behind."""
    assert not host.run("grep -qs sendwright /usr/sbin/policy-rc.d").succeeded
    assert not host.file("/usr/sbin/policy-rc.d.before-sendwright").exists
