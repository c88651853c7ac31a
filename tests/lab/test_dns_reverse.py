"""Pointers of the lab's hosts, as a hosting provider sets them."""

import pytest

from sendwright.dns.reverse import needed, reverses
from sendwright.dns.transport import query
from sendwright.lab import Lab
from sendwright.stack import Host

pytestmark = pytest.mark.lab


def test_the_pointers_of_the_labs_hosts_need_nothing(lab: Lab) -> None:
    """The lab's hosting provider has set them."""
    data = {"name": "mx1.example.com", "ssh": {"hostname": "mx1"}, "egress": [{"public": "203.0.113.10"}]}
    hosts = [Host.model_validate(data)]

    with lab.inside():
        found = needed(hosts, reverses(hosts, query, lab.resolver))

    assert found == ()
