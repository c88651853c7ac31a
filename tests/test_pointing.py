"""What zones say of hosts holds: MX points at hosts that work, and DMARC is strict once all of them sign."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from sendwright.dns.plan import Changes, Create, Delete, Held
from sendwright.plan import Stage
from sendwright.pointing import may_tighten, points_at_working, possible, shows, without_known_keys
from sendwright.signing import by_domain
from sendwright.stack import DkimAlgorithm, Domain, Host, Stack
from sendwright.state.model import Claim, DkimKey, KeyStage

MX1, MX2 = "mx1.example.com", "mx2.example.com"
OURS = Create("example.com", "MX", 3600, f"10 {MX1}.", "why", Stage.HOSTS)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
DMARC = Create("_dmarc.example.com", "TXT", 3600, '"v=DMARC1; p=reject"', "why", Stage.SWITCH)
SRV = Create("_submissions._tcp.example.com", "SRV", 3600, f"0 1 465 {MX1}.", "why", Stage.SWITCH)
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

    assert possible(STACK, Changes("example.com", (spf, OURS)), (), ()).writes == (spf,)


def test_a_new_key_is_published_by_its_copies_and_not_by_which_hosts_work() -> None:
    """A host that takes mail need not hold the key; one that holds it need not take mail."""
    name = "r1._domainkey.example.com"
    key = Create(name, "TXT", 3600, '"v=DKIM1; k=rsa; h=sha256; p=AAAA"', "why", Stage.HOSTS)
    changes = Changes("example.com", (key, OURS))

    assert possible(STACK, changes, {MX1}, ()).writes == (OURS,)
    assert possible(STACK, changes, (), {name}).writes == (key,)


def _keys(*proven_on: str, algorithms: Iterable[DkimAlgorithm] = DkimAlgorithm) -> Mapping[str, tuple[DkimKey, ...]]:
    return by_domain(
        DkimKey("example.com", f"{a}1", a, "AAAA", "0" * 64, NOW, KeyStage.SIGNING, None, proven_on) for a in algorithms
    )


def test_dmarc_is_tightened_only_once_the_domain_is_live_on_every_host() -> None:
    """While one host of the domain could still send without a signature, strictness would cost its mail."""
    assert may_tighten(STACK, DMARC, _keys(MX1, MX2), ())
    assert not may_tighten(STACK, DMARC, _keys(MX1), ())
    assert may_tighten(STACK, DMARC, _keys(MX1, MX2, algorithms=[DkimAlgorithm.RSA]), ())
    assert not may_tighten(STACK, DMARC, _keys(MX1, MX2, algorithms=[DkimAlgorithm.ED25519]), ())


def test_dmarc_is_not_tightened_while_a_host_of_the_domain_is_in_trouble() -> None:
    """Its keys were proven once; whether it signs today, nobody could see."""
    assert not may_tighten(STACK, DMARC, _keys(MX1, MX2), {MX2})


def test_hosts_of_other_domains_have_no_say() -> None:
    """A domain that only mx1 sends for waits for mx1 alone."""
    own = Domain.model_validate({"name": "example.com", "dns": "main", "hosts": [MX1]})

    assert may_tighten(Stack(hosts=STACK.hosts, domains=(own,)), DMARC, _keys(MX1), {MX2})


def test_a_submission_record_waits_for_the_host_that_it_points_at_and_no_other() -> None:
    """Submission opens host by host; a draining one, or one in trouble, keeps nobody from the others."""
    assert may_tighten(STACK, SRV, _keys(MX1), {MX2})
    assert not may_tighten(STACK, SRV, _keys(MX2), ())
    assert not may_tighten(STACK, SRV, _keys(MX1, MX2), {MX1})


def test_the_records_of_a_domain_that_sends_nothing_wait_for_no_host() -> None:
    """No host sends for it."""
    locked = Domain.model_validate({"name": "example.com", "dns": "main", "sends": False})

    assert may_tighten(Stack(hosts=STACK.hosts, domains=(locked,)), DMARC, _keys(), {MX1, MX2})


TLSA = Create(f"_25._tcp.{MX1}", "TLSA", 300, f"3 1 1 {'a' * 64}", "why", Stage.SWITCH)
POLICY = Create("_mta-sts.example.com", "TXT", 300, '"v=STSv1; id=1;"', "why", Stage.SWITCH)


def test_nothing_is_told_of_tls_that_was_not_seen() -> None:
    """Neither a key that a host does not show, nor a policy that it does not serve; of the rest this says nothing."""
    assert not shows(TLSA, (), {"example.com"})
    assert shows(TLSA, {MX1}, ())
    assert not shows(POLICY, {MX1, MX2}, ())
    assert shows(POLICY, (), {"example.com"})
    assert shows(DMARC, (), ())


def test_what_is_told_of_tls_does_not_wait_for_signatures() -> None:
    """A sender asks for it before any mail leaves here."""
    assert may_tighten(STACK, TLSA, _keys(), {MX1})
    assert may_tighten(STACK, POLICY, _keys(), {MX1})


def _claim(name: str, key: str) -> Claim:
    return Claim("example.com", name, "TLSA", f"3 1 1 {key * 64}", NOW, "main")


OLD = Delete(TLSA.name, "TLSA", "why", Stage.CONTRACT, f"3 1 1 {'b' * 64}")


def test_an_old_key_goes_only_where_the_host_shows_one_that_is_told() -> None:
    """Its clock does not start before either."""
    changes = Changes("example.com", (OLD,), leaving=(_claim(TLSA.name, "c"),))

    def kept(changes: Changes, *shown: str) -> Changes:
        return without_known_keys(changes, shown, {TLSA.name})

    assert kept(changes, MX1) == changes
    assert kept(changes) == Changes("example.com")
    assert kept(Changes("example.com", (TLSA, OLD)), MX1).writes == (TLSA,)


def test_where_no_key_is_to_be_told_any_more_all_go_at_once() -> None:
    """One that stays alone might be that of a key that nobody shows."""
    held = Held(_claim(TLSA.name, "c"), None)
    changes = Changes("example.com", (OLD,), leaving=(held.claim,), held=(held,))

    assert without_known_keys(changes, (), ()) == Changes("example.com", leaving=(held.claim,), held=(held,))
    assert without_known_keys(Changes("example.com", (OLD,)), (), ()).writes == (OLD,)
