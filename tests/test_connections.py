"""Several hosts at once, each with its own fate."""

from pathlib import Path

import pytest

from sendwright.connections import Fleet
from sendwright.errors import HostError, PassphraseError, SecretError, Unreachable, UsageError
from sendwright.stack import Host

MX1, MX2 = "mx1.example.com", "mx2.example.com"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """Return a fleet of two hosts that nobody connected to yet."""

    def host(name: str) -> Host:
        return Host.model_validate({"name": name, "ssh": {"hostname": name}, "egress": [{"public": "203.0.113.10"}]})

    return Fleet([host(MX1), host(MX2)], tmp_path)


def test_a_host_that_failed_is_left_alone_and_the_others_are_served(fleet: Fleet) -> None:
    """Whoever is given up is no longer among those that are well."""
    fleet.give_up(MX1, Unreachable(MX1, "no answer."))

    assert fleet.well == (MX2,)


def test_the_first_reason_counts(fleet: Fleet) -> None:
    """What follows from it would only hide it."""
    fleet.give_up(MX1, Unreachable(MX1, "no answer."))
    fleet.give_up(MX1, HostError(MX1, "something else."))

    assert isinstance(fleet.errors[MX1], Unreachable)


@pytest.mark.parametrize("error", [SecretError("UNSET is not set."), UsageError(f"{MX1}: UNSET is not set.")])
def test_whatever_is_a_host_s_own_is_its_error_with_its_name_once(fleet: Fleet, error: SecretError) -> None:
    """A secret or a file of one host does not stop the others, and its name is said once."""
    with fleet.fate_of(MX1):
        raise error

    assert fleet.well == (MX2,)
    assert str(fleet.errors[MX1]) == f"{MX1}: UNSET is not set."


def test_what_is_everybody_s_is_raised(fleet: Fleet) -> None:
    """Without the passphrase no host can be served: that is said once, not once a host."""
    with pytest.raises(PassphraseError), fleet.fate_of(MX1):
        raise PassphraseError("no passphrase.")

    assert fleet.well == (MX1, MX2)
