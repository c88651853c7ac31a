"""What becomes of hosts whose private files cannot be opened; those that do converge are tested in the lab."""

from pathlib import Path

import pytest

from sendwright import converging
from sendwright.connections import Fleet
from sendwright.errors import PassphraseError
from sendwright.service import File, Sealed, Service
from sendwright.stack import Host, KeyStore
from sendwright.state.folder import StateFolder

MX1 = "mx1.example.com"
SERVICE = Service("s", files=(File("/etc/key", Sealed("keys/example.com/s1.pem", "0" * 64)),))


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """Return a fleet of one host that nobody connected to."""
    host = {"name": MX1, "ssh": {"hostname": MX1}, "egress": [{"public": "203.0.113.10"}]}
    return Fleet([Host.model_validate(host)], tmp_path)


def test_a_host_whose_private_file_is_damaged_is_given_up_and_never_touched(fleet: Fleet, tmp_path: Path) -> None:
    """Nobody connects to it; the others would go on."""
    folder = StateFolder(tmp_path / "state", KeyStore(), environ={"SENDWRIGHT_PASSPHRASE": "correct horse"})
    (tmp_path / "state/keys/example.com").mkdir(parents=True)
    (tmp_path / "state/keys/example.com/s1.pem").write_text("no key\n")

    converging.converge(fleet, folder, tmp_path, {MX1: (SERVICE,)}, print)

    assert fleet.well == ()
    assert "Nothing was changed on it." in str(fleet.errors[MX1])
    assert fleet.commands == {}


def test_without_the_passphrase_no_host_is_served(fleet: Fleet, tmp_path: Path) -> None:
    """That is said once, and not of each host."""
    folder = StateFolder(tmp_path / "state", KeyStore(), environ={})
    (tmp_path / "state/keys/example.com").mkdir(parents=True)
    (tmp_path / "state/keys/example.com/s1.pem").write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")

    with pytest.raises(PassphraseError):
        converging.converge(fleet, folder, tmp_path, {MX1: (SERVICE,)}, print)
