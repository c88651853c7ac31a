"""What no undo may do: each gate by the record that it protects, and that it lets pass what harms nobody."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sendwright.dkim import record_text
from sendwright.dns import undo
from sendwright.dns.providers.base import RecordSet
from sendwright.dns.rdata import txt
from sendwright.dns.spf_merge import terms_of
from sendwright.dns.undo_gates import World, refusals
from sendwright.stack import DkimAlgorithm, Domain, Host, Stack
from sendwright.state.journal import Apply, Content, Edited, Outcome
from sendwright.state.model import Claim, DkimKey, KeyStage
from sendwright.tlsa import NO_TLS, TlsFacts

NOTHING: Mapping[str, object] = {}
NOW = datetime(2026, 11, 22, tzinfo=UTC)
COM, LOCKED = "example.com", "locked.example.com"
MX1, MX2 = "mx1.example.com", "mx2.example.com"


def _host(name: str, last: int, state: str = "active", **more: object) -> Host:
    egress = [{"public": f"203.0.113.{last}"}]
    return Host.model_validate({"name": name, "ssh": {"hostname": name}, "egress": egress, "state": state, **more})


def _stack(
    *, states: tuple[str, str] = ("active", "active"), host: Mapping[str, object] = NOTHING, **more: object
) -> Stack:
    domain = Domain.model_validate({"name": COM, "dns": "main", "dkim": {"algorithms": ["rsa"]}, **more})
    locked = Domain.model_validate({"name": LOCKED, "dns": "main", "sends": False})
    hosts = (_host(MX1, 10, states[0], **host), _host(MX2, 11, states[1], **host))
    return Stack(hosts=hosts, domains=(domain, locked))


def _key(stage: KeyStage = KeyStage.SIGNING, proven_on: tuple[str, ...] = (MX1,)) -> DkimKey:
    return DkimKey(COM, "r202611", DkimAlgorithm.RSA, "AAAA", "0" * 64, NOW, stage, None, proven_on)


BOTH = (MX1, MX2)
KEY = txt(record_text(_key()))
EMPTY = '"v=DKIM1; p="'
SELECTOR = _key().record_name
SPF = '"v=spf1 ip4:203.0.113.10 ip4:203.0.113.11 ~all"'
NONE, REJECT = '"v=DMARC1; p=none"', '"v=DMARC1; p=reject"'


def _records(rdtype: str, name: str, values: Iterable[str]) -> RecordSet | None:
    values = tuple(values)
    return RecordSet(name, rdtype, 3600, values) if values else None


def _claims(rdtype: str, name: str, values: Iterable[str]) -> list[Claim]:
    found = []
    for value in values:
        spf = value.startswith('"v=spf1')
        terms = terms_of(value.strip('"')) if spf else (value,)
        found += [Claim(COM, name, rdtype, term, NOW, "main", mechanism=spf) for term in terms]
    return found


def _refused(
    rdtype: str,
    name: str,
    before: tuple[str, ...],
    after: tuple[str, ...],
    *,
    keys: tuple[DkimKey, ...] = (),
    stack: Stack | None = None,
    now: tuple[str, ...] | None = None,
    ours: bool = True,
    due: bool = False,
    alias: bool = False,
    tls: TlsFacts = NO_TLS,
) -> str:
    """Undo an apply that changed one record set; return what speaks against it. ``ours``: what stood before was."""

    def content(values: tuple[str, ...]) -> Content | None:
        return Content(3600, values) if values else None

    edited = Edited(name, rdtype, content(before), content(after))
    had, has = _claims(rdtype, name, before), _claims(rdtype, name, after)
    struck = [c for c in had if c not in has] if ours else []
    apply = Apply(f"{COM}/x", COM, "main", NOW, Outcome.APPLIED, (edited,), (), tuple(struck))
    served = _records(rdtype, name, after if now is None else now)
    found = undo.reverses(apply, (served,) if served else (), has)
    assert found
    world = World(stack or _stack(), keys, lambda _: due, tls)
    return "; ".join(map(str, refusals(found, {name} if alias else (), world)))


@pytest.mark.parametrize("stage", [KeyStage.PROVEN, KeyStage.SIGNING, KeyStage.RETIRING])
def test_the_record_of_a_key_in_use_stays(stage: KeyStage) -> None:
    """Mail that it signed is on its way."""
    assert f"TXT {SELECTOR}: its key is {stage}" in _refused("TXT", SELECTOR, (), (KEY,), keys=(_key(stage),))


@pytest.mark.parametrize("stage", KeyStage)
def test_the_alias_that_leads_to_a_key_stays_until_nobody_needs_it(stage: KeyStage) -> None:
    """Without it verifiers find no key, although its record stands where it did."""
    key = replace(_key(stage), selector="s1", target="s1.example.com._domainkey.ours.example")
    refused = _refused("CNAME", key.record_name, (), (f"{key.target}.",), keys=(key,))

    assert bool(refused) == (stage not in {KeyStage.REVOKED, KeyStage.REMOVED})


def test_the_record_of_a_key_that_has_proven_nothing_yet_goes() -> None:
    """It signs nowhere: a first apply can be undone."""
    assert _refused("TXT", SELECTOR, (), (KEY,), keys=(_key(KeyStage.PUBLISHED, ()),)) == ""


@pytest.mark.parametrize("stage", [KeyStage.REVOKED, KeyStage.REMOVED])
def test_a_revoked_key_never_comes_back(stage: KeyStage) -> None:
    """Neither from its revocation nor from its removal; nor one whose story is lost."""
    for keys in ((_key(stage),), ()):
        assert "never comes back" in _refused("TXT", SELECTOR, (KEY,), (EMPTY,), keys=keys)
    assert "only ever written by a revocation" in _refused("TXT", SELECTOR, (EMPTY,), (), keys=(_key(stage),))


def test_another_key_does_not_come_back_under_the_same_selector() -> None:
    """What the hosts hold is what the record has to say."""
    assert "another one by now" in _refused("TXT", SELECTOR, (KEY.replace("AAAA", "BBBB"),), (), keys=(_key(),))


def test_the_address_that_a_host_sends_from_stays() -> None:
    """At its name, in SPF for its HELO name, and in SPF of the domain, whether it is active or draining."""
    for states in (("active", "active"), ("draining", "active")):
        stack, keys = _stack(states=states), (_key(),)
        assert f"{MX1} sends from" in _refused("A", MX1, (), ("203.0.113.10",), keys=keys, stack=stack)
        helo = '"v=spf1 ip4:203.0.113.10 -all"'
        assert f"{MX1} sends from" in _refused("TXT", MX1, (), (helo,), keys=keys, stack=stack)
        assert f"{MX1} sends from" in _refused("TXT", COM, (), (SPF,), keys=keys, stack=stack)


def test_what_a_host_that_never_sent_would_need_may_go() -> None:
    """Nothing leaves it before a key is proven there."""
    assert _refused("A", MX2, (), ("203.0.113.11",), keys=(_key(),)) == ""
    before = '"v=spf1 ip4:203.0.113.10 ~all"'
    assert _refused("TXT", COM, (before,), (SPF,), keys=(_key(),)) == ""


def test_an_address_that_passes_otherwise_may_leave_spf() -> None:
    """Judged by meaning: somebody else's network covers it."""
    before = '"v=spf1 ip4:203.0.113.0/24 ~all"'
    after = '"v=spf1 ip4:203.0.113.10 ip4:203.0.113.0/24 ~all"'
    assert _refused("TXT", COM, (before,), (after,), keys=(_key(),), ours=False) == ""


def test_the_last_address_of_a_host_that_works_stays() -> None:
    """Even one that is no longer declared, until another stands there."""
    keys = (_key(),)
    assert "no other address" in _refused("A", MX1, (), ("203.0.113.9",), keys=keys, due=True)
    assert _refused("A", MX1, ("203.0.113.10",), ("203.0.113.10", "203.0.113.9"), keys=keys, due=True) == ""


def test_an_address_that_is_not_the_hosts_does_not_come_back() -> None:
    """Its name is its PTR and what it greets with."""
    assert "its own addresses only" in _refused("A", MX1, ("203.0.113.9",), ("203.0.113.10",))


def test_mail_on_its_way_is_still_judged_by_what_is_no_longer_declared() -> None:
    """Undo is no way around the clock of withdrawal; when that has run out, it is none to wait for."""
    old, now = '"v=spf1 ip4:203.0.113.10 ~all"', '"v=spf1 ip4:203.0.113.9 ip4:203.0.113.10 ~all"'
    keys = (_key(),)

    assert "ip4:203.0.113.9 is no longer declared" in _refused("TXT", COM, (old,), (now,), keys=keys)
    assert _refused("TXT", COM, (old,), (now,), keys=keys, due=True) == ""
    assert _refused("TXT", COM, (old,), (now,), keys=(_key(KeyStage.PUBLISHED, ()),)) == ""


def test_the_last_mx_of_a_host_that_works_stays_unless_another_stands() -> None:
    """A domain that takes no mail is worse than one whose mail goes elsewhere."""
    keys, mx = (_key(),), f"10 {MX1}."

    assert "no other MX" in _refused("MX", COM, (), (mx,), keys=keys)
    assert _refused("MX", COM, ("5 elsewhere.example.net.",), (mx,), keys=keys, ours=False) == ""
    assert _refused("MX", COM, (), (mx,), keys=()) == ""


@pytest.mark.parametrize("rdtype", ["MX", "SRV"])
def test_nothing_comes_back_that_points_at_a_host_which_is_not_known_to_work(rdtype: str) -> None:
    """Drained, not proven yet, or no longer declared."""
    lead = "10" if rdtype == "MX" else "0 1 465"
    name = COM if rdtype == "MX" else f"_submissions._tcp.{COM}"

    def back(host: str, stack: Stack | None = None) -> str:
        return _refused(rdtype, name, (f"{lead} {host}.",), (), keys=(_key(),), stack=stack)

    assert back(MX1) == ""
    for refused in (back(MX2), back("gone.example.com"), back(MX1, _stack(states=("draining", "active")))):
        assert "is not known to take" in refused


def test_a_domain_that_takes_mail_does_not_say_that_it_takes_none() -> None:
    """Nor does one that takes none get a second record beside the one that says so."""
    assert "RFC 7505" in _refused("MX", COM, ("0 .",), (), keys=(_key(),))
    theirs = ("5 elsewhere.example.net.",)
    assert "RFC 7505" in _refused("MX", LOCKED, theirs, (), now=("0 .",), ours=False)
    assert "RFC 7505" in _refused("MX", LOCKED, ("0 .",), theirs, now=("5 x.example.net.", *theirs), ours=False)


def test_there_is_never_a_second_value_where_one_may_stand() -> None:
    """A later apply, or somebody else, has put another one there."""
    now = ('"v=DMARC1; p=quarantine"',)
    assert "another DMARC record stands" in _refused("TXT", f"_dmarc.{COM}", (NONE,), (REJECT,), now=now)


def test_nothing_comes_back_beside_an_alias() -> None:
    """RFC 1034 section 3.6.2."""
    assert "CNAME" in _refused("A", MX2, ("203.0.113.11",), (), alias=True)


def test_what_tightens_waits_for_signed_mail_from_every_host() -> None:
    """DMARC and the verdict of SPF; the other way round harms no mail."""
    dmarc, strict = f"_dmarc.{COM}", SPF.replace("~all", "-all")
    half, whole = (_key(proven_on=(MX1,)),), (_key(proven_on=BOTH),)

    assert "stricter" in _refused("TXT", dmarc, (REJECT,), (NONE,), keys=half)
    assert "stricter" in _refused("TXT", COM, (strict,), (SPF,), keys=half)
    assert _refused("TXT", dmarc, (REJECT,), (NONE,), keys=whole) == ""
    assert _refused("TXT", COM, (strict,), (SPF,), keys=whole) == ""
    assert _refused("TXT", dmarc, (NONE,), (REJECT,), keys=half, due=True) == ""
    assert _refused("TXT", COM, (SPF,), (strict,), keys=half) == ""


def test_a_lock_comes_back_only_where_it_is_declared() -> None:
    """A domain that sends would have all its mail refused."""
    lock, wildcard = '"v=spf1 -all"', "*._domainkey."

    assert "stricter" in _refused("TXT", COM, (lock,), (SPF,))
    assert "not declared to send nothing" in _refused("TXT", wildcard + COM, (EMPTY,), ())
    assert _refused("TXT", LOCKED, (lock,), ('"v=spf1 ip4:203.0.113.9 ~all"',)) == ""
    assert _refused("TXT", wildcard + LOCKED, (EMPTY,), ()) == ""
    assert _refused("TXT", wildcard + LOCKED, (), (EMPTY,)) == ""


NOW_KEY, NEXT_KEY, OLD_KEY = (f"3 1 1 {digit * 64}" for digit in "abc")
TLSA = f"_25._tcp.{MX1}"
TOLD = TlsFacts({MX1: ("a" * 64, "b" * 64)}, frozenset({MX1}), {COM: "1" * 32})
POLICY, OTHER_POLICY = (f'"v=STSv1; id={digit * 32};"' for digit in "12")


def test_no_undo_crosses_an_exchange_of_keys() -> None:
    """A key that a host has or will have goes on being told of; one that it had is not told of again."""
    both = (NOW_KEY, NEXT_KEY)

    assert "has or will have" in _refused("TLSA", TLSA, (), both, tls=TOLD, due=True)
    assert "has or will have" in _refused("TLSA", TLSA, (NOW_KEY,), both, tls=TOLD, due=True)
    assert "another key by now" in _refused("TLSA", TLSA, (OLD_KEY, *both), both, tls=TOLD)
    assert "another key by now" in _refused("TLSA", TLSA, (OLD_KEY,), (), tls=TOLD)


def test_an_old_key_goes_by_undo_only_when_nobody_can_know_the_host_by_it() -> None:
    """Its clock says that, as it does without an undo."""
    assert "it is withdrawn in time" in _refused("TLSA", TLSA, (NOW_KEY,), (NOW_KEY, OLD_KEY), tls=TOLD)
    assert _refused("TLSA", TLSA, (NOW_KEY,), (NOW_KEY, OLD_KEY), tls=TOLD, due=True) == ""


def test_a_key_of_the_host_comes_back_only_beside_another() -> None:
    """That makes senders take more than before; the first one of all asks for a look at the host."""
    assert _refused("TLSA", TLSA, (NOW_KEY, NEXT_KEY), (NOW_KEY,), tls=TOLD) == ""
    assert "seen by sendwright provision" in _refused("TLSA", TLSA, (NOW_KEY,), (), tls=TOLD)


def test_the_id_of_a_policy_stays_that_of_the_policy_that_is_served() -> None:
    """Under an older one senders would take the present policy for one that they know."""
    name = f"_mta-sts.{COM}"

    assert "serve the present one" in _refused("TXT", name, (OTHER_POLICY,), (POLICY,), tls=TOLD)
    assert "serve the present one" in _refused("TXT", name, (), (POLICY,), tls=TOLD)
    assert _refused("TXT", name, (POLICY,), (OTHER_POLICY,), tls=TOLD) == ""
    assert _refused("TXT", name, (OTHER_POLICY,), (POLICY,)) == ""


def test_what_leads_to_a_policy_stays_as_long_as_it_is_declared() -> None:
    """Senders that hold us to it fetch it there."""
    tls = {"tls": {"mode": "acme"}}

    refused = _refused("A", f"mta-sts.{COM}", (), ("203.0.113.10",), stack=_stack(host=tls), tls=TOLD)

    assert f"the policy of {COM}" in refused


def test_a_key_without_its_record_is_not_published_any_more() -> None:
    """And is again when its record returns: an undo can be undone."""
    going = undo.Reverse(SELECTOR, "TXT", None, 60, {KEY: KEY}, {})
    coming = undo.Reverse(SELECTOR, "TXT", None, 60, {}, {KEY: KEY})
    published = replace(_key(KeyStage.PUBLISHED, ()), served_since=NOW)
    generated = replace(published, stage=KeyStage.GENERATED, served_since=None)

    assert undo.stories((going,), (published,)) == (generated,)
    assert undo.stories((coming,), (generated,)) == (replace(published, served_since=None),)
