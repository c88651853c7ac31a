from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright import sts
from sendwright.dns.transport import NoAnswer, Question
from sendwright.stack import Domain, Stack
from sendwright.state.model import Claim, State
from sendwright.verify import known, mta_sts
from sendwright.verify.finding import Finding, Status
from sendwright.verify.look import Fetched, Look, Told
from sendwright.verify.rules.mta_sts import CHECKS
from sendwright.verify.target import Declared, Target
from tests.verify.names import Names, zone
from tests.verify.worlds import host

URL = "https://mta-sts.example.com/.well-known/mta-sts.txt"
RECORD = '_mta-sts.example.com. IN TXT "v=STSv1; id=1;"'
WORLD = f"""
example.com. IN MX 10 mx1.example.com.
example.com. IN MX 20 mx.backup.example.net.
{RECORD}
mta-sts.example.com. IN A 192.0.2.80
"""
POLICY = "version: STSv1\nmode: enforce\nmx: mx1.example.com\nmx: *.backup.example.net\nmax_age: 604800\n"
SERVED = Fetched(200, "text/plain", POLICY.encode())


@dataclass
class Web:
    """HTTPS in memory: what each address answers."""

    pages: Mapping[str, Fetched]
    asked: list[str] = field(default_factory=list)

    def __call__(self, url: str, limit: int, /) -> Fetched:
        """Answer, or have no such host."""
        self.asked.append(url)
        assert limit == 65536
        return self.pages.get(url, Fetched(failure="no such host"))


def _nobody(question: Question) -> dns.message.Message:
    raise NoAnswer(question.server)


def _found(names: Names, fetched: Fetched | None = SERVED) -> list[Finding]:
    web = Web({URL: fetched} if fetched else {})
    look = Look(names, _nobody, "192.0.2.53", web, datetime(2026, 11, 22, 7, tzinfo=UTC))
    found = list(mta_sts.check(Target("example.com"), look))
    assert len({f.identity for f in found}) == len(found)
    assert all(f.seen and len(f.seen) < 1500 and bool(f.advice) is (f.status in {"fail", "warn"}) for f in found)
    return found


def _check(names: Names, fetched: Fetched | None = SERVED) -> dict[str, Finding]:
    found = _found(names, fetched)
    assert len({f.check for f in found}) == len(found)
    return {f.check.removeprefix("mta-sts."): f for f in found}


def _policy(text: str) -> dict[str, Finding]:
    return _check(Names(zone(WORLD)), Fetched(200, "text/plain", text.encode()))


def test_a_domain_whose_policy_is_enforced_passes_every_check() -> None:
    """Record, policy, syntax, mode, mx and age."""
    found = _check(Names(zone(WORLD)))

    assert [f"mta-sts.{name}" for name in found] == [check.name for check in CHECKS if not check.needs.startswith("an")]
    assert {f.status for f in found.values()} == {Status.PASS}
    assert "2 of 2 MX" in found["mx"].seen


def test_a_domain_without_it_is_told_once_and_how_to_begin() -> None:
    """The lines of the policy, with the domain's own servers, and the record."""
    found = _check(Names(zone("example.com. IN MX 10 mx1.example.com.")), None)

    assert list(found) == ["present"]
    assert found["present"].status is Status.WARN
    assert "mode: testing / mx: mx1.example.com / max_age: 604800" in found["present"].advice
    assert '"v=STSv1; id=20261122070000"' in found["present"].advice


def test_a_domain_that_takes_no_mail_needs_none() -> None:
    """With a null MX nothing is delivered that could be read (RFC 7505)."""
    found = _check(Names(zone("example.com. IN MX 0 .")), None)

    assert [f.status for f in found.values()] == [Status.PASS]


def test_a_domain_that_sends_nothing_and_has_no_mx_needs_none() -> None:
    """It is a name for other things: nobody has mail for it."""
    found = _check(Names(zone('example.com. IN TXT "v=spf1 -all"\nexample.com. IN A 192.0.2.80')), None)

    assert [f.status for f in found.values()] == [Status.PASS]


def test_a_domain_that_nothing_takes_mail_of_needs_an_mx_first() -> None:
    """A policy that names no server protects nobody; ``mx.present`` says what is missing."""
    found = _check(Names(zone('example.com. IN TXT "v=spf1 ip4:192.0.2.1 -all"')), None)

    assert [f.status for f in found.values()] == [Status.PASS]


def test_a_policy_without_a_record_is_named() -> None:
    """No sender asks for it."""
    found = _check(Names(zone(WORLD.replace(RECORD, ""))))

    assert list(found) == ["present"]
    assert "no record announces it" in found["present"].seen


def test_a_web_server_for_everything_is_no_policy() -> None:
    """A wildcard leads mta-sts.* to a site that answers whatever is asked."""
    found = _check(Names(zone(WORLD.replace(RECORD, ""))), Fetched(200, "text/html", b"<html>"))

    assert "no MTA-STS record" in found["present"].seen


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (RECORD + "\n" + RECORD.replace("id=1", "id=2"), "2 records"),
        (RECORD.replace("v=STSv1;", "v=STSv1 ;"), "discard"),
        (RECORD.replace("v=", "V="), "discard"),
        (RECORD.replace("id=1", "id=2026-01-01"), "1 to 32"),
    ],
)
def test_a_record_that_senders_ignore_fails(record: str, said: str) -> None:
    """Two, a wrong beginning, or a syntax error; the policy is judged all the same."""
    found = _check(Names(zone(WORLD.replace(RECORD, record))))

    assert found["record"].status is Status.FAIL
    assert said in found["record"].seen
    assert found["policy"].status is Status.PASS


def test_a_record_that_begins_otherwise_does_not_hide_the_right_one() -> None:
    """Others' TXT records are discarded before they are counted."""
    found = _check(Names(zone(WORLD + '_mta-sts.example.com. IN TXT "V=STSv1; id=2"\n')))

    assert found["record"].status is Status.PASS


@pytest.mark.parametrize(
    ("fetched", "status", "said"),
    [
        (Fetched(failure="the certificate has expired"), Status.FAIL, "certificate has expired"),
        (Fetched(failure="nothing came back", unreachable=True), Status.UNKNOWN, "could not be reached from here"),
        (Fetched(404, "text/html", b"no"), Status.FAIL, "status 404"),
        (Fetched(301, "text/html", b""), Status.FAIL, "follow no redirects"),
        (Fetched(200, "text/plain", b"x" * 65536, cut=True), Status.FAIL, "more than 65536"),
        (Fetched(200, "text/html", POLICY.encode()), Status.WARN, "text/html"),
        (Fetched(200, "", POLICY.encode()), Status.WARN, "no media type"),
    ],
)
def test_a_policy_has_to_be_served_as_senders_fetch_it(fetched: Fetched, status: Status, said: str) -> None:
    """RFC 8461, 3.3; without a policy nothing is said about what is in it."""
    found = _check(Names(zone(WORLD)), fetched)

    assert found["policy"].status is status
    assert said in found["policy"].seen
    assert ("syntax" in found) is (status is Status.WARN)


def test_a_policy_that_cannot_be_parsed_fails_and_ends_it() -> None:
    """Senders ignore all of it."""
    found = _policy(POLICY.replace("enforce", "Enforce"))

    assert found["syntax"].status is Status.FAIL
    assert "'Enforce'" in found["syntax"].seen
    assert "mode" not in found


def test_a_repeated_line_is_a_warning() -> None:
    """It has no effect, and somebody thinks that it has."""
    found = _policy(POLICY + "mode: none\n")

    assert found["syntax"].status is Status.WARN
    assert found["mode"].status is Status.PASS


@pytest.mark.parametrize("mode", ["testing", "none"])
def test_only_a_policy_that_is_enforced_protects(mode: str) -> None:
    """And one that is switched off is not judged further."""
    found = _policy(POLICY.replace("enforce", mode))

    assert found["mode"].status is Status.WARN
    assert ("mx" in found) is ("max-age" in found) is (mode == "testing")


@pytest.mark.parametrize(("mode", "status"), [("enforce", Status.FAIL), ("testing", Status.WARN)])
def test_an_mx_that_no_pattern_matches_loses_mail_where_the_policy_is_enforced(mode: str, status: Status) -> None:
    """RFC 8461, 5: senders must not deliver there."""
    found = _policy(POLICY.replace("*.backup", "backup").replace("enforce", mode))

    assert found["mx"].status is status
    assert "no pattern matches mx.backup.example.net" in found["mx"].seen
    assert "mx: mx.backup.example.net" in found["mx"].advice


def test_a_baseline_that_accepts_one_stray_mx_accepts_no_other() -> None:
    """Each is a finding of its own, named by the MX; what the policy says otherwise may change."""

    def strays(world: str, policy: str) -> list[Finding]:
        found = _found(Names(zone(world)), Fetched(200, "text/plain", policy.encode()))
        return [finding for finding in found if finding.check == "mta-sts.mx"]

    before = strays(WORLD, POLICY.replace("*.backup", "backup"))
    after = strays(WORLD + "\nexample.com. IN MX 5 a.example.net.", POLICY.replace("*.backup", "third"))

    assert [finding.target for finding in before] == ["mx.backup.example.net"]
    assert [finding.target for finding in after] == ["a.example.net", "mx.backup.example.net"]
    assert known.accepted(before, after) == {after[1]}


def test_without_an_mx_the_domain_itself_has_to_match() -> None:
    """It is its own server (RFC 5321, 5.1)."""
    found = _check(Names(zone(f"{RECORD}\nexample.com. IN A 192.0.2.1")))

    assert "no pattern matches example.com" in found["mx"].seen


def test_an_mx_that_cannot_be_asked_for_is_unknown() -> None:
    """Nobody can say whether it matches."""
    names = Names(zone(WORLD), {("example.com", "MX"): Told.FAILED})

    assert _check(names)["mx"].status is Status.UNKNOWN


@pytest.mark.parametrize(("age", "status"), [(86399, Status.WARN), (86400, Status.PASS)])
def test_a_policy_is_kept_for_a_day_at_least(age: int, status: Status) -> None:
    """Who blocks the policy for so long is rid of it."""
    assert _policy(POLICY.replace("604800", str(age)))["max-age"].status is status


@pytest.mark.parametrize(("told", "status"), [(Told.FAILED, Status.UNKNOWN), (Told.BOGUS, Status.FAIL)])
def test_an_answer_that_nobody_can_use_is_one_finding(told: Told, status: Status) -> None:
    """Whether there is a record is not known, or nobody who validates sees it."""
    found = _check(Names(zone(WORLD), {("_mta-sts.example.com", "TXT"): told}))

    assert [(name, f.status) for name, f in found.items()] == [("present", status)]


@given(
    st.binary(max_size=100) | st.lists(st.sampled_from(POLICY.splitlines())).map(lambda t: "\n".join(t).encode()),
    st.sampled_from([0, 200, 302]),
    st.text(max_size=20),
)
def test_whatever_a_web_server_sends_there_are_findings(body: bytes, status: int, kind: str) -> None:
    """And no exception."""
    assert _check(Names(zone(WORLD)), Fetched(status, kind, body))


def _declared(mode: str = "enforce", *claims: Claim) -> Target:
    stack = Stack(
        hosts=(host("mx1.example.com", "192.0.2.1", tls="acme"),),
        domains=(Domain.model_validate({"name": "example.com", "dns": "main", "mta_sts": {"mode": mode}}),),
    )
    return Target("example.com", (), Declared(stack, State(claims=claims), stack.domains[0]))


def _compared(target: Target, served: str | None = None, identifier: str | None = None) -> Finding | None:
    """What comes of a domain that serves the declared policy under its id, but for what a test says."""
    assert target.declared
    text = sts.policy(target.declared.stack, target.declared.domain, target.declared.state.claims) or ""
    records = (
        "example.com. IN MX 10 mx1.example.com.",
        f'_mta-sts.example.com. IN TXT "v=STSv1; id={identifier or sts.policy_id(text)};"',
        "mta-sts.example.com. IN A 192.0.2.1",
    )
    names = Names(zone("\n".join(records)))
    page = Fetched(200, "text/plain", (text if served is None else served).encode())
    look = Look(names, _nobody, "192.0.2.53", Web({URL: page}), datetime(2026, 11, 22, 7, tzinfo=UTC))
    return next((f for f in mta_sts.check(target, look) if f.check == "mta-sts.as-desired"), None)


def test_record_and_policy_are_those_of_the_inventory_to_the_byte() -> None:
    """By the functions that hosts and records are made with; also with an MX that caches still hold."""
    old = Claim("example.com", "example.com", "MX", "10 mx9.example.com.", datetime(2026, 11, 1, tzinfo=UTC), "main")

    for target in (_declared(), _declared("testing"), _declared("enforce", old)):
        found = _compared(target)
        assert found is not None
        assert found.status is Status.PASS


def test_a_policy_that_nobody_declared_is_told_by_its_lines() -> None:
    """Senders insist on what it says, not on what the inventory says."""
    served = "version: STSv1\r\nmode: testing\r\nmx: mx1.example.com\r\nmax_age: 604800\r\n"

    found = _compared(_declared(), served)
    bytes_only = _compared(_declared("testing"), served.replace("\r\n", "\n"))

    assert found is not None
    assert (found.status, "without mode: enforce, with mode: testing" in found.seen) == (Status.FAIL, True)
    assert bytes_only is not None
    assert "the same lines in other bytes" in bytes_only.seen


def test_an_id_of_another_policy_is_warned_of() -> None:
    """Senders that know the one before do not ask again."""
    found = _compared(_declared(), identifier="20200101000000")

    assert found is not None
    assert (found.status, "it publishes v=STSv1; id=" in found.advice) == (Status.WARN, True)


def test_a_domain_that_wants_no_policy_is_not_compared() -> None:
    """Whoever publishes one for it, it is judged like anybody's."""
    assert _compared(_declared("off"), POLICY, "1") is None


def test_a_declared_policy_without_its_record_is_what_provision_publishes() -> None:
    """Nobody who has an inventory writes the lines by hand."""
    look = Look(
        Names(zone("example.com. IN MX 10 mx1.example.com.")), _nobody, "192.0.2.53", Web({}), datetime.now(UTC)
    )

    (found,) = mta_sts.check(_declared(), look)

    assert (found.check, found.status) == ("mta-sts.present", Status.WARN)
    assert "mode: enforce" in found.seen
    assert "sendwright provision" in found.advice
