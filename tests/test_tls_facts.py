"""What records of TLS rest on: remembered keys, zones that somebody vouches for, and the bytes of policies."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import dns.flags
import dns.message
from hypothesis import given
from hypothesis import strategies as st

from sendwright import certs, sts, tlsa
from sendwright.dns.transport import NoAnswer, Question
from sendwright.stack import Host, Stack
from sendwright.state.model import Certificate, Claim, NextKey, State
from sendwright.tls_facts import asked_zones, ended, facts, signed_zones, told_hosts, unsigned

NOW = datetime(2026, 11, 22, tzinfo=UTC)
COM, MX1, MX2 = "example.com", "mx1.example.com", "mx2.example.com"
NEXT = "b" * 64


def _host(name: str = MX1, mode: str = "acme", **more: Any) -> Host:
    egress = [{"public": f"203.0.113.{1 + (name == MX2)}"}]
    return Host.model_validate({"name": name, "ssh": {"hostname": name}, "egress": egress, "tls": mode, **more})


def _stack(*hosts: Host, **more: Any) -> Stack:
    return Stack.model_validate({"hosts": hosts or (_host(),), "domains": [{"name": COM, "dns": "main", **more}]})


@cache
def _certificate(mode: str = "acme", host: str = MX1) -> Certificate:
    certificate, _ = certs.issue(_host(host, "self-signed"), NOW, None, None)
    return replace(certificate, mode=mode)


def _next(host: str = MX1) -> NextKey:
    return NextKey(host, _certificate().key, NEXT, NOW)


def _claim(rdtype: str, name: str, value: str, **more: Any) -> Claim:
    return Claim(COM, name, rdtype, value, NOW, "main", **more)


TOLD = _claim("TLSA", f"_25._tcp.{MX1}", f"3 1 1 {NEXT}")


def test_the_keys_are_those_that_a_host_has_and_will_have() -> None:
    """In that order."""
    found = facts(_stack(), State(certificates=(_certificate(),), next_keys=(_next(),)), {COM}, NOW)

    assert found.keys == {MX1: (tlsa.spki_of_chain(_certificate().chain), NEXT)}
    assert found.secure == {MX1}


def test_a_host_that_only_begins_tells_of_no_key() -> None:
    """Its self-signed certificate is there until the authority's comes, and nobody has to rely on it."""
    started = State(certificates=(_certificate("self-signed"),))

    assert facts(_stack(), started, {COM}, NOW).keys == {}
    assert MX1 in facts(_stack(_host(mode="self-signed", dane=[25])), started, {COM}, NOW).keys


def test_what_senders_were_told_is_true_whatever_the_certificate_and_the_zone() -> None:
    """A host that goes over to an authority, or whose zone is no longer signed, is known by what was told of it."""
    state = State(certificates=(_certificate("self-signed"),), claims=(TOLD,))

    found = facts(_stack(), state, (), NOW)

    assert found.secure == {MX1}
    assert MX1 in found.keys
    assert told_hosts([replace(TOLD, withdrawn=True)]) == {MX1}


def test_a_zone_counts_as_signed_when_a_validating_resolver_says_so() -> None:
    """One that does not answer, or does not validate, says nothing; and it is asked about what is there."""
    asked: list[Question] = []

    def resolver(question: Question) -> dns.message.Message:
        asked.append(question)
        if question.name == "silent.example":
            raise NoAnswer("no answer")
        answer = dns.message.make_response(dns.message.make_query(question.name, question.type))
        answer.flags |= dns.flags.AD if question.name == COM else 0
        return answer

    assert signed_zones({COM, "plain.example", "silent.example"}, resolver, "192.0.2.1") == {COM}
    assert {(q.type, q.recurse) for q in asked} == {("SOA", True)}
    assert asked_zones(_stack(_host(), _host(MX2, "self-signed"))) == {COM}
    assert asked_zones(_stack(_host(mode="self-signed"))) == frozenset()


def test_who_has_no_signed_zone_hears_what_is_left_out() -> None:
    """And who had one, that senders no longer believe what stays."""
    (new,) = unsigned(_stack(), State(), ())
    (known,) = unsigned(_stack(), State(claims=(TOLD,)), ())

    assert "no TLSA records are written" in new
    assert "sign it with DNSSEC" in new
    assert "senders no longer believe its TLSA records, which stay" in known
    assert unsigned(_stack(), State(), {COM}) == ()


def test_a_policy_names_a_withdrawn_exchange_until_caches_have_forgotten_it() -> None:
    """Then its id is another one, as the bytes that hosts serve are."""
    left = _claim("MX", COM, f"10 {MX2}.", left=NOW, withdrawn=True)

    def policy(now: datetime) -> str:
        return facts(_stack(mta_sts={"mode": "enforce"}), State(claims=(left,)), (), now).policies[COM]

    assert policy(NOW) == policy(NOW + timedelta(hours=1)) != policy(NOW + timedelta(hours=2))


def test_who_ends_a_policy_hears_that_senders_remember_it() -> None:
    """With the mail elsewhere they would not deliver it for as long as the policy said."""
    told = _claim("TXT", f"_mta-sts.{COM}", '"v=STSv1; id=1;"')

    (note,) = ended((), [told, TOLD])

    assert note.startswith(f"{COM}: its policy")
    assert "mode be none" in note
    assert ended({COM}, [told, TOLD]) == ()


_MX = st.lists(st.builds(lambda n: _claim("MX", COM, f"10 mx{n}.example.com."), st.integers(1, 4)), max_size=4)
_SETTINGS = st.fixed_dictionaries(
    {"mode": st.sampled_from(["none", "testing", "enforce"]), "max_age_days": st.integers(1, 3)}
)
_WORLDS = st.tuples(_SETTINGS, _MX, st.sampled_from([(MX1,), (MX2,), (MX1, MX2), (MX2, MX1)]), st.integers(0, 5))


@given(_WORLDS, _WORLDS)
def test_the_id_changes_with_the_bytes_of_the_policy_and_only_then(one: Any, other: Any) -> None:
    """Whatever else changes: senders fetch a policy anew when its id is another, and never otherwise."""

    def told(world: Any) -> tuple[str, str]:
        settings, claims, hosts, days = world
        stack = _stack(*map(_host, hosts), mta_sts=settings)
        text = sts.policy(stack, stack.domain(COM), claims)
        assert text is not None
        return text, facts(stack, State(claims=tuple(claims)), (), NOW + timedelta(days=days)).policies[COM]

    (text, identifier), (other_text, another) = told(one), told(other)

    assert (text == other_text) == (identifier == another)
