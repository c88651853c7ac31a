from ipaddress import ip_address

import pytest

from sendwright.lab.spec import INBOX, PRIMARY, RESOLVER, SECONDARY
from sendwright.verify.reserved import reserved


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.5", "169.254.169.254", "192.168.1.1", "::1", "fd00::1", "fe80::1"]
)
def test_what_only_our_own_network_reaches_is_reserved(address: str) -> None:
    """A stranger's records must not lead inside."""
    assert reserved(ip_address(address))


@pytest.mark.parametrize(
    "address", [*PRIMARY, *SECONDARY, *INBOX, *RESOLVER, "203.0.113.10", "2001:db8::10", "8.8.8.8"]
)
def test_labs_are_looked_at_as_the_world_is(address: str) -> None:
    """Their own servers, and the documentation addresses of their hosts."""
    assert not reserved(ip_address(address))
