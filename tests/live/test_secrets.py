"""Private files are private, as they were declared."""

from collections.abc import Mapping

import pytest
from testinfra.host import Host as Asked

from sendwright.service import Service


@pytest.mark.parametrize("service", ["opendkim", "dovecot", "postfix"])
def test_private_files_have_their_owner_and_mode(host: Asked, services: Mapping[str, Service], service: str) -> None:
    """DKIM keys are their signer's alone, the certificate's key is root's, password hashes are Dovecot's."""
    private = [f for f in services[service].files if f.private]

    assert private
    for wanted in private:
        found = host.file(wanted.path)
        assert (found.user, found.group, found.mode) == (wanted.owner, wanted.group, wanted.mode), wanted.path
        assert not found.mode & 0o007, wanted.path


def test_nothing_private_can_be_read_by_everybody(host: Asked) -> None:
    """Neither a private key nor a password's hash lies in a world-readable file, whoever put it there."""
    found = host.run(
        "find /etc/opendkim /etc/dovecot /etc/sendwright /etc/postfix /var/lib/sendwright -type f -perm -o=r "
        r"-exec grep -lE 'PRIVATE KEY|\$argon2' {} +"
    )

    assert found.stdout == ""


def test_the_folders_of_keys_admit_nobody_else(host: Asked) -> None:
    """Not even the names of keys are for others."""
    for folder in ("/etc/opendkim/keys", "/etc/sendwright/tls", "/var/lib/sendwright"):
        assert host.file(folder).mode == 0o700, folder


def test_only_declared_keys_lie_on_the_host(host: Asked, services: Mapping[str, Service]) -> None:
    """A key that nobody knows about could sign as us."""
    declared = {f.path for f in services["opendkim"].files if f.private}

    assert set(host.check_output("find /etc/opendkim/keys -type f").splitlines()) == declared
