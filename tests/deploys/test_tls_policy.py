"""The policy of outbound TLS: DANE first, then MTA-STS, and mail waits only for who may insist on something."""

import asyncio
import importlib.util
import sys
from collections import Counter
from types import ModuleType, SimpleNamespace
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.deploys.outbound import STS_SOCKET, override
from sendwright.deploys.render import TEMPLATES
from sendwright.stack import TlsOverride


def _load() -> ModuleType:
    # The program is installed as a file, and imported here as one; its dataclasses look their module up by name.
    spec = importlib.util.spec_from_file_location("tls_policy", TEMPLATES / "tlspolicy" / "tls_policy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


policy: Any = _load()
NONE, UNKNOWN = policy.Sts(), policy.Sts(known=False)
HASH = "ab" * 32


def enforced(*patterns: str) -> Any:
    """A policy in enforce."""
    return policy.Sts(patterns or ("mx1.example.org", "mx2.example.org"))


def way(*dane: bool, whole: bool = True) -> Any:
    """A route by mx1, mx2 …, of which those are protected by DANE."""
    hosts = (policy.Exchange(f"mx{number}.example.org", each) for number, each in enumerate(dane, 1))
    return policy.Route(tuple(hosts), whole)


def told(route: Any, sts: Any) -> str:
    """What Postfix is told."""
    return str(policy.decide("example.org", route, sts).text)


@pytest.mark.parametrize("sts", [NONE, UNKNOWN, enforced(), enforced("other.example")])
def test_dane_comes_before_any_policy(sts: Any) -> None:
    """RFC 8461 section 2: MTA-STS never overrides DANE, whatever it says, or if it cannot be asked for."""
    assert told(way(True, True), sts) == "OK dane-only"


def test_where_some_hosts_have_tlsa_a_policy_keeps_mail_from_the_others() -> None:
    """A policy must not replace TLSA records, and what it is enforced for must not go to unverified hosts."""
    assert told(way(True, False), NONE) == "OK dane"
    assert told(way(True, False), enforced()) == "OK dane-only"
    assert told(way(True, False), UNKNOWN) == "OK dane-only"


def test_hosts_that_were_not_looked_at_count_as_unprotected() -> None:
    """A destination with more MX hosts than are looked at may have some without TLSA records."""
    assert told(way(True, whole=False), NONE) == "OK dane"


def test_an_enforced_policy_is_held_against_the_names_of_mx() -> None:
    """A server has to have a certificate for a name that is in MX and in the policy (RFC 8461 section 4.1, 4.2)."""
    assert told(way(False, False), enforced()) == "OK secure match=mx1.example.org:mx2.example.org servername=hostname"
    assert told(way(False, False), enforced("mx2.example.org")) == "OK secure match=mx2.example.org servername=hostname"


def test_a_destination_none_of_whose_hosts_is_in_its_policy_gets_no_mail() -> None:
    """RFC 8461 section 5: it is not delivered to such hosts; and the log says why."""
    answer = told(way(False), enforced("mx.example.net"))

    assert answer == "TEMP example.org enforces an MTA-STS policy that none of its MX hosts is in (RFC 8461 section 5)"


@pytest.mark.parametrize(
    ("name", "matches"),
    [
        ("mx1.example.org", True),
        ("example.org", False),
        ("a.mx1.example.org", False),
        ("mx1example.org", False),
        ("mx1.example.org.evil.example", False),
    ],
)
def test_a_wildcard_stands_for_one_label(name: str, matches: bool) -> None:
    """RFC 8461 section 4.1; the resolver writes *.example.org as .example.org."""
    route = policy.Route((policy.Exchange(name, False),))

    assert told(route, enforced(".example.org")).startswith("OK" if matches else "TEMP")


def test_without_tlsa_and_policy_nothing_is_demanded() -> None:
    """It is left to Postfix: opportunistic TLS."""
    assert told(way(False), NONE) == "NOTFOUND "


def test_mail_waits_for_a_policy_that_cannot_be_asked_for() -> None:
    """In doubt it does not go."""
    assert told(way(False), UNKNOWN).startswith("TEMP ")


@given(
    st.lists(st.tuples(st.text("ab.:= ,", max_size=12), st.booleans()), max_size=4),
    st.lists(st.text("ab.:= ,", max_size=12), max_size=3),
    st.booleans(),
)
def test_whatever_strangers_call_their_hosts_postfix_is_told_one_policy(
    hosts: list[tuple[str, bool]], patterns: list[str], known: bool
) -> None:
    """No name out of DNS or a policy adds an attribute, a level or a match strategy."""
    route = policy.Route(tuple(policy.Exchange(*host) for host in hosts))

    answer = told(route, policy.Sts(tuple(patterns), known))

    words = answer.split(" ")
    if words[:2] == ["OK", "secure"]:
        assert words[3:] == ["servername=hostname"]
        names = words[2].removeprefix("match=").split(":")
        assert set(names) <= {name for name, _ in hosts}
        assert all(set(name) <= set("ab.") and "." in name for name in names)
    else:
        assert answer in ("NOTFOUND ", "OK dane", "OK dane-only") or words[0] == "TEMP"
    assert any(dane for _, dane in hosts) == answer.startswith("OK dane")
    if (patterns or not known) and answer.startswith("NOTFOUND"):
        raise AssertionError(answer)


@pytest.mark.parametrize(
    ("reply", "sts"),
    [
        ("NOTFOUND ", NONE),
        (
            "OK secure match=mx1.example.org:.example.net servername=hostname",
            enforced("mx1.example.org", ".example.net"),
        ),
        ("OK secure match=MX1.Example.org.", enforced("mx1.example.org")),
        ("OK secure match=mx1.example.org:hostname policy_type=sts", enforced("mx1.example.org")),
        ("OK secure match=hostname:nexthop", UNKNOWN),
        ("OK secure match=", UNKNOWN),
        ("OK none", UNKNOWN),
        ("OK dane", UNKNOWN),
        ("TEMP it is ill", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_what_the_resolver_says_is_not_passed_on_but_read(reply: str, sts: Any) -> None:
    """Its answers hold words out of others' policies; what is not one of its regular answers tells nothing."""
    assert policy.parse_sts(reply) == sts


# ---- Looking


class World:
    """Answers to DNS questions and of the MTA-STS daemon, and how often each was asked."""

    def __init__(self, *records: str, insecure: tuple[str, ...] = (), broken: tuple[str, ...] = (), ttl: int = 60):
        self.records, self.insecure, self.broken, self.ttl = records, insecure, broken, ttl
        self.policies: dict[str, Any] = {}
        self.asked: Counter[str] = Counter()
        self.said: list[str] = []

    async def ask(self, name: dns.name.Name, kind: str) -> dns.message.QueryMessage:
        """Answer as the host's resolver does; names below those in ``insecure`` are in zones that are not signed."""
        question = f"{name.to_text(omit_final_dot=True)} {kind}"
        self.asked[question] += 1
        await asyncio.sleep(0)
        if question in self.broken:
            raise policy.Unanswered(question)
        response = dns.message.make_response(dns.message.make_query(name, kind))
        assert isinstance(response, dns.message.QueryMessage)
        if not name.to_text(omit_final_dot=True).endswith(self.insecure or ("!",)):
            response.flags |= dns.flags.AD
        at = name
        for line in self.records:
            owner, of, data = line.split(" ", 2)
            if of in (kind, "CNAME") and dns.name.from_text(owner) == at:
                kinds = dns.rdataclass.IN, dns.rdatatype.from_text(of)
                rrset = response.find_rrset(response.answer, at, *kinds, create=True)
                rrset.add(dns.rdata.from_text(*kinds, data), self.ttl)
                at = dns.name.from_text(data) if of == "CNAME" else at
        return response

    async def sts(self, domain: str) -> Any:
        """Answer as the MTA-STS daemon does."""
        self.asked[f"policy of {domain}"] += 1
        return self.policies.get(domain, NONE)

    def destinations(self) -> Any:
        """What Postfix asks."""
        return policy.Destinations(self.ask, self.sts, self.said.append)


def answers(world: World, *domains: str) -> list[str]:
    """What is answered to these questions, one after another."""

    async def ask() -> list[str]:
        destinations = world.destinations()
        return [await policy.reply(f"tlspolicy {domain}".encode(), destinations) for domain in domains]

    return asyncio.run(ask())


SECURE = ("example.org MX 10 mx.example.org.", "mx.example.org A 192.0.2.1")
TLSA = f"_25._tcp.mx.example.org TLSA 3 1 1 {HASH}"


def test_a_secure_host_with_tlsa_records_is_left_to_dane() -> None:
    """MX, address and TLSA are all signed."""
    world = World(*SECURE, TLSA)

    assert answers(world, "example.org") == ["OK dane-only"]
    assert world.said == ["example.org: OK dane-only (every MX host has TLSA records)"]
    assert not world.asked["policy of example.org"]


@pytest.mark.parametrize("broken", ["insecure MX", "insecure host", "insecure TLSA", "no TLSA"])
def test_what_is_not_signed_is_no_dane(broken: str) -> None:
    """Without a signature on each of the three anybody could have written the record (RFC 7672 section 2.2)."""
    domain = {
        "insecure MX": "example.org",
        "insecure host": "mx.example.org",
        "insecure TLSA": "_25._tcp.mx.example.org",
    }
    world = World(*SECURE, *(() if broken == "no TLSA" else (TLSA,)), insecure=(domain.get(broken, "!"),))
    if broken == "insecure host":
        world.broken = ("_25._tcp.mx.example.org TLSA",)  # such zones may never answer, and are not asked

    assert answers(world, "example.org") == ["NOTFOUND "]
    world.policies["example.org"] = enforced("mx.example.org")
    assert answers(world, "example.org") == ["OK secure match=mx.example.org servername=hostname"]


@pytest.mark.parametrize(
    ("data", "usable"),
    [
        (f"3 1 1 {HASH}", True),
        (f"2 0 1 {HASH}", True),
        (f"3 1 2 {HASH * 2}", True),
        ("3 1 0 ab", True),
        (f"0 1 1 {HASH}", False),
        (f"1 1 1 {HASH}", False),
        (f"3 2 1 {HASH}", False),
        (f"3 1 3 {HASH}", False),
    ],
)
def test_records_that_smtp_cannot_use_protect_nothing(data: str, usable: bool) -> None:
    """RFC 7672 section 3.1: a policy applies then, as without them."""
    world = World(*SECURE, f"_25._tcp.mx.example.org TLSA {data}")
    world.policies["example.org"] = enforced("mx.example.org")

    assert answers(world, "example.org")[0].startswith("OK dane-only" if usable else "OK secure")


def test_a_digest_that_is_cut_off_protects_nothing() -> None:
    """It can match no certificate (RFC 6698 section 2.1.3)."""
    record = SimpleNamespace(usage=3, selector=1, mtype=1, cert=b"ab")

    assert not policy._usable(record)
    assert policy._usable(SimpleNamespace(**{**vars(record), "cert": b"a" * 32}))


def test_tlsa_that_cannot_be_looked_up_is_no_reason_to_do_without() -> None:
    """RFC 7672 section 2.1.2: otherwise whoever keeps the answer back would switch DANE off. Postfix defers then."""
    world = World(*SECURE, broken=("_25._tcp.mx.example.org TLSA",))
    world.policies["example.org"] = enforced("mx.example.org")

    assert answers(world, "example.org") == ["OK dane-only"]


def test_an_alias_is_followed_and_its_own_name_is_tried_too() -> None:
    """RFC 7672 section 2.2.2: TLSA at the end of the alias, else at the name in MX."""
    alias = (
        "example.org MX 10 mx.example.org.",
        "mx.example.org CNAME real.example.net.",
        "real.example.net A 192.0.2.1",
    )

    assert answers(World(*alias, TLSA), "example.org") == ["OK dane-only"]
    assert answers(World(*alias, f"_25._tcp.real.example.net TLSA 3 1 1 {HASH}"), "example.org") == ["OK dane-only"]
    assert answers(World(*alias, TLSA, insecure=("real.example.net", "mx.example.org")), "example.org") == ["NOTFOUND "]


def test_a_domain_without_mx_is_its_own_host() -> None:
    """RFC 5321 section 5.1."""
    world = World("example.org AAAA 2001:db8::1", f"_25._tcp.example.org TLSA 3 1 1 {HASH}")

    assert answers(world, "example.org") == ["OK dane-only"]


def test_a_host_without_an_address_counts_for_nothing() -> None:
    """Nobody can deliver there: neither does it weaken DANE, nor is it a reason to wait."""
    world = World(*SECURE, "example.org MX 20 gone.example.org.", TLSA)

    assert answers(world, "example.org") == ["OK dane-only"]


def test_mail_waits_while_mx_cannot_be_looked_up() -> None:
    """Postfix would wait as well; if it can look them up already, it must not take silence for an absence."""
    world = World(broken=("example.org MX",))

    assert answers(world, "example.org") == ["TEMP MX of example.org cannot be looked up: example.org MX"]


@pytest.mark.parametrize(
    "key",
    [".example.org", "[192.0.2.1]", "192.0.2.1", "[mx.example.org]:25", "a b", "ü.example", "-a.example", "x" * 300],
)
def test_what_is_no_destination_domain_has_no_policy(key: str) -> None:
    """Postfix asks for parent domains with a leading dot, too (postconf(5)); a domain's policy is not theirs."""
    world = World()

    assert answers(world, key) == ["NOTFOUND "]
    assert not world.asked


def test_an_answer_holds_as_long_as_its_records() -> None:
    """The second mail asks nobody, in whatever case its recipient is written."""
    world = World(*SECURE)

    assert answers(world, "example.org", "EXAMPLE.org") == ["NOTFOUND ", "NOTFOUND "]
    assert world.asked["example.org MX"] == world.asked["policy of example.org"] == 1


def test_many_who_ask_at_once_ask_once() -> None:
    """A hundred smtp processes with mail for the same destination are one look."""
    world = World(*SECURE, TLSA)

    async def ask() -> list[Any]:
        destinations = world.destinations()
        return await asyncio.gather(*(destinations.answer("example.org") for _ in range(100)))

    assert {answer.text for answer in asyncio.run(ask())} == {"OK dane-only"}
    assert world.asked["example.org MX"] == 1


def test_many_hosts_are_not_all_looked_at() -> None:
    """A hostile domain does not make us ask thousands of questions."""
    many = [f"example.org MX 10 mx{number}.example.org." for number in range(500)]
    world = World(*many, *(f"mx{number}.example.org A 192.0.2.1" for number in range(500)))

    answers(world, "example.org")

    assert 20 <= world.asked.total() <= 100


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many destinations are written to."""
    world = World()

    async def ask() -> int:
        destinations = world.destinations()
        for number in range(policy._DESTINATIONS + 50):
            await destinations.answer(f"d{number}.example")
        return len(destinations._known)

    monkeypatch.setattr(policy, "_DESTINATIONS", 100)
    assert asyncio.run(ask()) == 100


def _dies(world: World, **policies: Any) -> None:
    async def sts(domain: str) -> Any:
        return policies.get(domain, UNKNOWN)

    world.sts = sts  # type: ignore[method-assign]


def test_without_the_mta_sts_daemon_only_those_wait_who_may_have_a_policy() -> None:
    """Who has no record has none: their mail goes. Who has one, or may have one, waits."""
    world = World(*SECURE, "_mta-sts.example.org TXT v=STSv1;id=1;", broken=("_mta-sts.mute.example TXT",))
    _dies(world)

    found = answers(world, "example.org", "plain.example", "mute.example")

    assert found[0].startswith("TEMP example.org may enforce an MTA-STS policy")
    assert found[1] == "NOTFOUND "
    assert found[2].startswith("TEMP mute.example may")


def test_what_was_enforced_is_enforced_while_nobody_can_be_asked() -> None:
    """Neither the daemon's death nor a record that vanished opens a destination up; its mail goes on, verified."""
    world = World(*SECURE, ttl=0)

    async def ask() -> list[str]:
        known = [enforced("mx.example.org"), UNKNOWN]

        async def sts(_: str) -> Any:
            return known.pop(0)

        destinations = policy.Destinations(world.ask, sts, world.said.append)
        first = await destinations.answer("example.org")
        destinations._known["example.org"] = (*destinations._known["example.org"][:2], 0.0)
        return [first.text, (await destinations.answer("example.org")).text]

    assert asyncio.run(ask()) == ["OK secure match=mx.example.org servername=hostname"] * 2


def test_a_mistake_of_ours_lets_no_mail_pass(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is raised, Postfix is told to wait."""

    class Mistaken(World):
        async def ask(self, name: dns.name.Name, kind: str) -> dns.message.QueryMessage:
            raise ZeroDivisionError(name, kind)

    assert answers(Mistaken(), "example.org")[0].startswith("TEMP ")
    assert "ZeroDivisionError" in capsys.readouterr().err


def _read(*parts: bytes) -> bytes:
    async def read() -> bytes:
        reader = asyncio.StreamReader(limit=4096)
        for part in parts:
            reader.feed_data(part)
        reader.feed_eof()
        return bytes(await policy.read_netstring(reader))

    return asyncio.run(read())


def test_requests_travel_as_netstrings() -> None:
    """As socketmap_table(5) has it, in whatever pieces they come."""
    assert _read(b"2", b"1:tlspolicy exampl", b"e.org,") == b"tlspolicy example.org"
    assert policy.netstring("NOTFOUND ") == b"9:NOTFOUND ,"


@given(st.binary(max_size=40))
def test_noise_is_no_request(noise: bytes) -> None:
    """Anything else ends the connection, and nothing more."""
    try:
        _read(noise)
    except (EOFError, ValueError, asyncio.LimitOverrunError):
        return
    assert b":" in noise


# ---- What is installed


def test_both_programs_mean_the_same_socket() -> None:
    """Where the MTA-STS daemon listens is where it is asked."""
    assert policy.STS == STS_SOCKET


@pytest.mark.parametrize(
    ("declared", "to_postfix"),
    [
        ("none", "none"),
        ("dane-only", "dane-only"),
        ("secure", "secure servername=hostname"),
        (
            {"level": "secure", "match": ["mx.example.net", ".Mail.example.net"]},
            "secure match=mx.example.net:.mail.example.net servername=hostname",
        ),
    ],
)
def test_an_override_is_a_level_of_postfix(declared: object, to_postfix: str) -> None:
    """As smtp_tls_policy_maps has them."""
    assert override(TlsOverride.model_validate(declared)) == to_postfix


@pytest.mark.parametrize(
    "declared",
    ["sure", {"level": "encrypt", "match": ["mx.example.net"]}, {"level": "secure", "match": ["a b=c.example"]}],
)
def test_an_override_that_means_nothing_is_a_mistake(declared: object) -> None:
    """It is refused before anything is touched."""
    with pytest.raises(ValueError, match="TlsOverride"):
        TlsOverride.model_validate(declared)
