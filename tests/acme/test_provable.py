"""Which names can be proven, and how: known before the authority is asked, and without teaching any resolver."""

from typing import Any

from sendwright.acme.provable import answering, kind_of, unprovable
from sendwright.dns.transport import NoAnswer
from sendwright.stack import AcmeTls, Stack
from tests.acme.proving_world import COM, MX1, MX2, NS1, NS2, ORG, RESOLVER, THEIRS, Nets, stack

POLICY = f"mta-sts.{COM}"
BY_HTTP = {"mode": "acme", "challenge": "http-01"}
BY_DNS = {"mode": "acme", "challenge": "dns-01"}


def _mixed(tls: dict[str, Any] | None = None, theirs: object = None) -> Stack:
    """Return a stack with a domain whose zone is not ours to write, or is a file that somebody else publishes."""
    dns: dict[str, Any] = {"file": {"provider": "zonefile", "folder": "zones"}} if theirs else {}
    tsig = {"name": "k", "secret": {"env": "UNSET"}}
    dns["main"] = {"provider": "rfc2136", "server": "192.0.2.1", "tsig": tsig}
    led = {} if theirs else {"dkim": {"delegate_to": f"keys.{COM}"}}
    domains = {COM: {"dns": "main"}, THEIRS: {"dns": theirs, **led}}
    found = stack(dns=dns, domains=domains)
    # An inventory that says so of a zone that nobody writes is refused; a stack is what it is made of.
    wanted = AcmeTls.model_validate(tls or {"mode": "acme"})
    return found.model_copy(update={"hosts": tuple(h.model_copy(update={"tls": wanted}) for h in found.hosts)})


def _why(found: Stack, nets: Nets, *names: str) -> dict[str, str]:
    return {n: str(e) for n, e in unprovable(found, found.host(MX1), names, nets.internet).items()}


def test_a_name_is_proven_by_dns_where_its_zone_is_ours_to_write() -> None:
    """Each name for itself, unless the inventory says how; a file that somebody else publishes is no way."""
    for theirs in (None, "file"):
        found = _mixed(theirs=theirs)
        host = found.host(MX1)
        assert kind_of(found, host, MX1) == "dns-01"
        assert kind_of(found, host, POLICY) == "dns-01"
        assert kind_of(found, host, f"mta-sts.{THEIRS}") == "http-01"


def test_the_inventory_may_say_how() -> None:
    """For every name of that host."""
    for tls, kind in ((BY_HTTP, "http-01"), (BY_DNS, "dns-01")):
        found = _mixed(tls, "file")
        assert {kind_of(found, found.host(MX1), name) for name in (MX1, f"mta-sts.{THEIRS}")} == {kind}


def test_a_name_is_answered_for_by_the_hosts_that_it_leads_to() -> None:
    """A host's by that host, a policy's by all that serve it; others by nobody."""
    found = stack()

    assert [h.name for h in answering(found, MX1)] == [MX1]
    assert [h.name for h in answering(found, POLICY)] == [MX1, MX2]
    assert [h.name for h in answering(found, f"mta-sts.{ORG}")] == [MX1]
    assert answering(found, f"www.{COM}") == ()


def test_a_name_whose_zone_is_ours_is_provable_by_dns_unasked() -> None:
    """What is written there is waited for."""
    nets = Nets()

    assert not _why(stack(BY_DNS), nets, MX1, POLICY)
    assert not nets.asked


def test_a_zone_without_an_api_is_said_before_the_authority_is_asked() -> None:
    """A file may be ours to write: who serves it is not asked to."""
    found, nets = _mixed(BY_DNS, "file"), Nets()

    said = _why(found, nets, MX1, f"mta-sts.{THEIRS}")

    assert list(said) == [f"mta-sts.{THEIRS}"]
    assert f"mta-sts.{THEIRS} cannot be proven by dns-01: its zone is not ours to write." in said[f"mta-sts.{THEIRS}"]
    assert not nets.asked


def test_aliases_without_an_end_are_no_way() -> None:
    """A circle, or a chain that nobody follows."""
    circle = "".join(f"{n}.{COM}. IN CNAME {(n + 1) % 3}.{COM}.\n" for n in range(3))
    chain = "".join(f"{n}.{COM}. IN CNAME {n + 1}.{COM}.\n" for n in range(20))

    for lines, said in ((circle, "it has no address at any of"), (chain, "its aliases (CNAME) do not end")):
        nets = Nets(lines={COM: f"{MX1}. IN CNAME 0.{COM}.\n{lines}"})
        assert said in _why(stack(BY_HTTP), nets, MX1)[MX1]


def _addresses(*pairs: tuple[str, str]) -> Nets:
    return Nets(lines={COM: "".join(f"{name}. IN A {address}\n" for name, address in pairs)})


def test_a_name_that_leads_to_its_hosts_alone_is_provable_by_http() -> None:
    """Directly or by an alias; and no resolver was asked about it."""
    nets = _addresses((MX1, "203.0.113.10"), (MX2, "203.0.113.11"))
    nets.lines[COM] += f"{POLICY}. IN CNAME both.{COM}.\nboth.{COM}. IN A 203.0.113.10\nboth.{COM}. IN A 203.0.113.11\n"

    assert not _why(stack(BY_HTTP), nets, MX1, POLICY)
    assert nets.recursed().isdisjoint({MX1, POLICY, f"both.{COM}"})


def test_a_name_that_leads_elsewhere_is_refused_with_where_it_leads() -> None:
    """Somebody else would be asked, if only now and then; and a host answers for itself alone."""
    nets = _addresses((MX1, "203.0.113.10"), (MX1, "198.51.100.7"))

    said = _why(stack(BY_HTTP), nets, MX1)[MX1]

    assert said == (
        f"{MX1}: {MX1} cannot be proven by http-01: it leads to 198.51.100.7, which is no address of {MX1}. "
        "Let it lead to 203.0.113.10 only."
    )


def test_a_name_of_one_host_that_leads_to_another_of_ours_is_refused() -> None:
    """That one does not have the answer."""
    nets = _addresses((MX1, "203.0.113.11"))

    assert "it leads to 203.0.113.11" in _why(stack(BY_HTTP), nets, MX1)[MX1]


def test_a_name_that_a_server_does_not_have_yet_is_refused_by_that_server_s_name() -> None:
    """The authority might ask that one."""
    nets = Nets()
    nets.hold(NS2)
    nets.lines[COM] = f"{MX1}. IN A 203.0.113.10\n"

    assert f"it has no address at ns2.{COM} ({NS2})." in _why(stack(BY_HTTP), nets, MX1)[MX1]


def test_a_name_that_is_nowhere_is_refused() -> None:
    """It is about to be published, or forgotten."""
    nets = Nets()

    assert "it has no address at" in _why(stack(BY_HTTP), nets, MX1)[MX1]
    assert MX1 not in nets.recursed()


def test_a_server_that_is_silent_keeps_no_name_from_being_proven() -> None:
    """Whoever looks it up asks another; if all are silent, it is said so."""
    nets = _addresses((MX1, "203.0.113.10"))
    nets.silent[NS1] = NoAnswer("no answer within 2 s")

    assert not _why(stack(BY_HTTP), nets, MX1)

    nets.silent[NS2] = NoAnswer("no answer within 2 s")
    assert "none of its name servers answers" in _why(stack(BY_HTTP), nets, MX1)[MX1]


def test_a_resolver_that_is_silent_is_named() -> None:
    """It is this machine's own matter."""
    nets = _addresses((MX1, "203.0.113.10"))
    nets.silent[RESOLVER] = NoAnswer("no answer within 2 s")

    assert f"the resolver {RESOLVER}" in _why(stack(BY_HTTP), nets, MX1)[MX1]


def test_a_name_below_a_delegation_is_asked_of_those_it_is_delegated_to() -> None:
    """From referral to referral."""
    nets = Nets(others={MX1: f"{MX1}. IN A 203.0.113.10\n"})
    nets.lines[COM] = f"{MX1}. IN NS ns1.{MX1}.\nns1.{MX1}. IN A {NS1}\n"

    assert not _why(stack(BY_HTTP), nets, MX1)
