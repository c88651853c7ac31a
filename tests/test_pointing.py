"""MX points at hosts that work, and a domain is never left without one."""

from sendwright.dns.plan import Changes, Create, Delete
from sendwright.plan import Stage
from sendwright.pointing import points_at_working, possible
from sendwright.stack import Domain, Host, Stack

MX1, MX2 = "mx1.example.com", "mx2.example.com"
OURS = Create("example.com", "MX", 3600, f"10 {MX1}.", "why", Stage.HOSTS)
FOREIGN = Delete("example.com", "MX", "replace_mx", Stage.HOSTS, "5 mail.elsewhere.example.")


def _host(name: str, last: int, state: str = "active") -> Host:
    egress = [{"public": f"203.0.113.{last}"}]
    return Host.model_validate({"name": name, "ssh": {"hostname": name}, "egress": egress, "state": state})


DOMAIN = Domain.model_validate({"name": "example.com", "dns": "main", "replace_mx": True})
STACK = Stack(hosts=(_host(MX1, 10), _host(MX2, 11, "draining")), domains=(DOMAIN,))


def test_mx_is_written_only_for_hosts_that_work() -> None:
    """A host that failed in this run, or was not asked, gets no MX that would point at nothing."""
    assert points_at_working(STACK, OURS, {MX1})
    assert not points_at_working(STACK, OURS, {MX2})


def test_a_foreign_mx_goes_only_when_one_of_ours_takes_its_place() -> None:
    """With the consent of ``replace_mx`` and every host of ours down, the mail still goes where it went."""
    assert points_at_working(STACK, FOREIGN, {MX1})
    assert not points_at_working(STACK, FOREIGN, ())


def test_a_draining_host_is_no_successor() -> None:
    """It is in no MX itself, so a foreign one is not withdrawn for its sake."""
    assert not points_at_working(STACK, FOREIGN, {MX2})


def test_other_records_are_planned_whatever_the_hosts() -> None:
    """Addresses, SPF and DKIM harm nobody before their host works: they come first."""
    spf = Create("example.com", "TXT", 3600, '"v=spf1 -all"', "why", Stage.EXPAND)

    assert possible(STACK, Changes("example.com", (spf, OURS)), ()).writes == (spf,)
