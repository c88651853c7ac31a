"""One lab for all tests of a session, and what a test does at its controller's place."""

import os
from collections.abc import Iterator

import pytest

from sendwright.lab import HostSpec, Lab, LabSpec, Resolver, RRset, ZoneSpec
from sendwright.lab.requirements import problems

BOOKWORM = HostSpec("mx1.example.com", ("203.0.113.10", "2001:db8::10"))
TRIXIE = HostSpec("mx2.example.com", ("203.0.113.11",), 13, Resolver.SYSTEMD_RESOLVED, admin=True)
# What the domain's owner has published before anybody provisions anything.
DOMAIN = ZoneSpec(
    "example.com",
    (
        RRset("mx1.example.com", "A", 60, ("203.0.113.10",)),
        RRset("mx1.example.com", "AAAA", 60, ("2001:db8::10",)),
        RRset("example.com", "MX", 60, ("10 mx1.example.com.",)),
        RRset("example.com", "TXT", 60, ('"v=spf1 ip4:203.0.113.10 -all"',)),
        RRset("_dmarc.example.com", "TXT", 60, ('"v=DMARC1; p=reject"',)),
    ),
)


@pytest.fixture(scope="session")
def lab_machine() -> None:
    """Skip, with the reason, where no lab can run; in CI that is a failure."""
    if not (missing := problems()):
        return
    reason = f"no lab can run here: {'; '.join(missing)}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def lab(lab_machine: None) -> Iterator[Lab]:  # noqa: ARG001 - requested for its verdict
    """A lab with a Debian 12 and a Debian 13 host and one zone."""
    lab = Lab.up(LabSpec(f"test-{os.getpid()}", (BOOKWORM, TRIXIE), (DOMAIN,)), print)
    try:
        yield lab
    finally:
        lab.down()
