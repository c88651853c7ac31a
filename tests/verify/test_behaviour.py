from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.verify import behaviour, known
from sendwright.verify.finding import Finding, Kind, Status, Subject
from sendwright.verify.speaking.conversation import Conversation, Reply, Silence
from sendwright.verify.target import Server
from tests.verify.certificates import made
from tests.verify.talks import ADDRESS, MX1, UNSIGNED, look_now, replies, server, silent, talk
from tests.verify.worlds import by_check, host, worst

SHOWN = made(MX1)
V6 = "2001:db8::1"
TAKEN = replies({"postmaster@example.com": 250, "abuse@example.com": 250})
REFUSED = replies({"<>": 554, "<postmaster@example.com>": 554})


def judged(*talks: Conversation, of: Server | None = None, world: str = UNSIGNED) -> list[Finding]:
    """What is found; each finding has an identity of its own."""
    found = list(behaviour.check(of or server(), talks, look_now(world)))
    assert len({finding.identity for finding in found}) == len(found)
    return found


def test_a_good_server_passes_everything() -> None:
    """And what is said of its domains is told of them."""
    submitting = talk(587, SHOWN, relay=REFUSED)

    found = judged(talk(shown=SHOWN, recipients=TAKEN, relay=REFUSED), submitting, of=server(587))

    assert set(worst(found)) == {
        *("reachable", "banner", "relay", "auth-25", "auth-tls", "submission", "postmaster", "abuse")
    }
    assert {finding.status for finding in found} == {Status.PASS}
    (postmaster,) = by_check(found)["postmaster"]
    assert postmaster.subject == Subject(Kind.DOMAIN, "example.com")
    assert postmaster.target == f"{MX1} {ADDRESS}:25"


@pytest.mark.parametrize("silence", [Silence.FILTERED, Silence.NO_ROUTE])
def test_a_port_25_that_is_filtered_is_unknown_at_each_address(silence: Silence) -> None:
    """Many clouds block it: nothing is wrong with the server, and everything else about it is silent."""
    both = judged(silent(silence), silent(Silence.NO_ROUTE, address=V6, why="no route"))

    assert {(f.check, f.status) for f in both} == {("smtp.reachable", Status.UNKNOWN)}
    assert [f.target for f in both] == [f"{ADDRESS}:25", f"[{V6}]:25"]
    assert all("--hosts" in f.advice for f in both)


def test_a_baseline_knows_a_silent_address_whichever_others_are_silent() -> None:
    """It is named by itself: who was silent beside it that day is no part of it."""
    two = (silent(Silence.FILTERED), silent(Silence.FILTERED, address=V6))
    one = (talk(shown=SHOWN), silent(Silence.FILTERED, address=V6))

    for before, after in ((two, one), (two, two[::-1])):
        now = judged(*after)
        unknown = {f for f in now if f.check == "smtp.reachable" and f.status is Status.UNKNOWN}
        assert unknown
        assert unknown <= known.accepted(judged(*before), now)


@pytest.mark.parametrize("silence", [Silence.REFUSED, Silence.BROKEN])
def test_a_server_that_refuses_or_breaks_off_is_the_mx_of_nobody(silence: Silence) -> None:
    """It fails at that address; another one that answers is judged by itself."""
    found = by_check(judged(silent(silence), talk(shown=SHOWN, address=V6)))

    assert {(f.status, f.target) for f in found["reachable"]} == {
        (Status.FAIL, f"{ADDRESS}:25"),
        (Status.PASS, f"[{V6}]:25"),
    }
    assert worst(judged(silent(silence), of=server(takes=(), host=host(MX1, ADDRESS))))["reachable"] == "warn"


@pytest.mark.parametrize(
    ("record", "status"),
    [('IN TXT "v=spf1 -all"', None), ("IN TXT something", "warn"), (f"IN MX 0 {MX1}.", "fail")],
    ids=["sends nothing", "no MX", "MX is itself"],
)
def test_a_domain_without_mx_may_be_a_web_server_only(record: str, status: str | None) -> None:
    """RFC 5321 section 5.1 has its own address take its mail; nobody misses that of a domain that sends nothing."""
    own = server(takes=(MX1,))

    found = judged(silent(Silence.REFUSED), of=own, world=f"{MX1}. {record}")

    assert worst(found).get("reachable") == status


def test_a_baseline_of_one_address_accepts_nothing_of_another() -> None:
    """Whoever else answers that day: a run without IPv6 knows an open relay at the one, and not that at the other."""
    relaying = {"<>": Reply(250, "Ok")}
    here, there = (talk(shown=SHOWN, address=address, relay=relaying) for address in (ADDRESS, V6))
    mended, closed = (talk(shown=SHOWN, address=address, relay={"<>": Reply(550, "No")}) for address in (ADDRESS, V6))
    baseline = judged(here, silent(Silence.FILTERED, address=V6))

    def new(*talks: Conversation) -> list[str]:
        found = judged(*talks)
        accepted = known.accepted(baseline, found)
        return [f.target for f in found if f.status is Status.FAIL and f not in accepted]

    assert new(here, closed) == []
    assert new(here, there) == [f"[{V6}]:25"]
    assert new(mended, there) == [f"[{V6}]:25"]


@pytest.mark.parametrize(("record", "status"), [('IN TXT "v=spf1 -all"', None), ("IN TXT something", "fail")])
def test_nobody_misses_postmaster_of_a_domain_without_mx_that_sends_nothing(record: str, status: str | None) -> None:
    """Its web server may run a mail server for others, who refuses what is not for them."""
    refusing = talk(shown=SHOWN, recipients=replies({f"postmaster@{MX1}": 550, f"abuse@{MX1}": 550}))

    found = judged(refusing, of=server(takes=(MX1,)), world=f"{MX1}. {record}")

    assert worst(found).get("postmaster") == status


@pytest.mark.parametrize(
    ("greeting", "status"), [("554 5.7.1 Listed", "unknown"), ("421 Busy", "unknown"), ("521 No mail here", "fail")]
)
def test_a_greeting_that_refuses_may_mean_this_machine_only(greeting: str, status: str) -> None:
    """RFC 7504: 521 alone says that nobody's mail is taken."""
    code, _, text = greeting.partition(" ")

    found = judged(talk(greeting=Reply(int(code), text), named="", before={}))

    assert worst(found) == {"reachable": status}


@pytest.mark.parametrize(
    ("greeting", "named", "strange", "ours"),
    [
        (f"{MX1} ESMTP", MX1, "pass", "pass"),
        ("MX1.Example.Com. ready", MX1, "pass", "pass"),
        ("mail.google.example at your service", "mail.google.example", "pass", "warn"),
        (f"{MX1} ESMTP", "localhost.localdomain", "warn", "warn"),
        ("localhost ESMTP", "localhost", "warn", "warn"),
        ("[192.0.2.1] ESMTP", "[192.0.2.1]", "warn", "warn"),
        ("****************", MX1, "warn", "warn"),
        ("", "", "warn", "warn"),
    ],
)
def test_greeting_and_ehlo_name_the_server(greeting: str, named: str, strange: str, ours: str) -> None:
    """A stranger's by some name of its own, ours by the one that the inventory declares."""
    said = talk(shown=SHOWN, greeting=Reply(220, greeting), named=named)

    assert worst(judged(said))["banner"] == strange
    assert worst(judged(said, of=server(host=host(MX1, ADDRESS))))["banner"] == ours


@pytest.mark.parametrize(
    ("codes", "own", "status"),
    [
        ({"<>": 554, "<postmaster@example.com>": 554}, False, "pass"),
        ({"<>": 554, "<postmaster@example.com>": 250}, False, "fail"),
        ({"<>": 251, "<postmaster@example.com>": 554}, False, "fail"),
        ({"<>": 451, "<postmaster@example.com>": 554}, False, "unknown"),
        ({"<>": 250}, True, "unknown"),
        ({"<>": 554}, True, "pass"),
    ],
)
def test_strangers_cannot_relay(codes: Mapping[str, int], own: bool, status: str) -> None:
    """From whatever envelope sender; a machine may trust itself."""
    assert worst(judged(talk(shown=SHOWN, relay=replies(codes), own=own)))["relay"] == status


def test_a_conversation_that_broke_off_says_nothing_of_what_was_not_reached() -> None:
    """Nothing is passed that nobody asked."""
    found = worst(judged(talk(shown=SHOWN, inside={}, why="it closed the connection")))

    assert {name: found[name] for name in ("relay", "auth-25", "postmaster")} == dict.fromkeys(
        ("relay", "auth-25", "postmaster"), "unknown"
    )


def test_an_open_relay_on_submission_is_one_too() -> None:
    """No port takes mail for others from strangers."""
    at_587 = talk(587, SHOWN, relay=replies({"<>": 250}))

    (_, found) = by_check(judged(talk(shown=SHOWN, relay=REFUSED), at_587, of=server(587)))["relay"]

    assert (found.status, found.target) == (Status.FAIL, f"{ADDRESS}:587")


@pytest.mark.parametrize("where", ["before", "inside"])
def test_port_25_offers_no_authentication(where: str) -> None:
    """Others' servers are warned; ours never do."""
    keywords = {"STARTTLS": "", "AUTH": "PLAIN LOGIN"}
    said = replace(talk(shown=SHOWN), **{where: keywords})  # type: ignore[arg-type]  # one of two fields of that type

    assert worst(judged(said))["auth-25"] == "warn"
    assert worst(judged(said, of=server(host=host(MX1, ADDRESS))))["auth-25"] == "fail"
    assert worst(judged(talk(shown=SHOWN)))["auth-25"] == "pass"


@pytest.mark.parametrize(
    ("offered", "status"), [("PLAIN LOGIN", "fail"), ("", "fail"), ("SCRAM-SHA-256 CRAM-MD5", "warn"), (None, "pass")]
)
def test_passwords_are_asked_for_inside_tls_only(offered: str | None, status: str) -> None:
    """RFC 4954 section 4; what shows no password is still nothing for an open line."""
    before = {"STARTTLS": ""} | ({} if offered is None else {"AUTH": offered})

    assert worst(judged(talk(587, SHOWN, before=before), of=server(587)))["auth-tls"] == status


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (talk(587, SHOWN), "pass"),
        (talk(587, SHOWN, inside={"PIPELINING": ""}), "fail"),
        (talk(587, SHOWN, inside={}, why="it closed the connection"), "unknown"),
        (talk(587, greeting=Reply(421, "Busy")), "unknown"),
        (talk(587), None),
        (silent(Silence.REFUSED, 587), "fail"),
        (silent(Silence.BROKEN, 587), "fail"),
        (silent(Silence.FILTERED, 587), "unknown"),
        (silent(Silence.NO_ROUTE, 587), "unknown"),
    ],
    ids=["good", "no AUTH", "broke off", "busy", "no TLS", "refused", "broken", "filtered", "no route"],
)
def test_submission_is_open_and_offers_authentication(said: Conversation, status: str | None) -> None:
    """What cannot be told from here is not held against it; that there is no TLS is told by ``tls.offered``."""
    assert worst(judged(said, of=server(587))).get("submission") == status


def test_a_port_that_alone_is_filtered_is_closed_by_the_servers_own_firewall() -> None:
    """Another port of it answers to the same machine."""
    found = by_check(judged(silent(Silence.FILTERED, 587), talk(465, SHOWN), of=server(587, 465)))["submission"]

    assert {(f.status, f.target) for f in found} == {(Status.FAIL, f"{ADDRESS}:587"), (Status.PASS, f"{ADDRESS}:465")}


def test_submission_of_a_draining_host_is_closed() -> None:
    """What is submitted there would keep its queue from emptying."""
    draining = server(587, host=host(MX1, ADDRESS, state="draining"))

    assert worst(judged(silent(Silence.REFUSED, 587), of=draining))["submission"] == "pass"
    assert worst(judged(talk(587, SHOWN), of=draining))["submission"] == "warn"


@pytest.mark.parametrize(
    ("reply", "postmaster", "abuse"),
    [
        (Reply(250, "2.1.5 Ok"), "pass", "pass"),
        (Reply(251, "will forward"), "pass", "pass"),
        (Reply(550, "5.1.1 User unknown, not listed"), "fail", "warn"),
        (Reply(554, "5.7.1 Relay access denied"), "fail", "warn"),
        (Reply(554, "5.7.1 Client host [198.51.100.1] blocked using zen.spamhaus.org"), "unknown", "unknown"),
        (Reply(550, "5.7.25 no PTR record for your address"), "unknown", "unknown"),
        (Reply(450, "4.7.1 Greylisted"), "unknown", "unknown"),
        (None, "unknown", "unknown"),
    ],
)
def test_postmaster_and_abuse_are_taken(reply: Reply | None, postmaster: str, abuse: str) -> None:
    """RFC 5321 section 4.5.1 demands the one; what a server has against this machine is no verdict on either."""
    told = {f"{part}@example.com": reply for part in ("postmaster", "abuse")} if reply else {}

    found = worst(judged(talk(shown=SHOWN, recipients=told, unasked="" if reply else "it was too slow")))

    assert (found["postmaster"], found["abuse"]) == (postmaster, abuse)


def test_one_address_that_refuses_postmaster_is_enough() -> None:
    """Which one takes the mail is chance."""
    refusing = talk(shown=SHOWN, address=V6, recipients=replies({"postmaster@example.com": 550}))

    assert worst(judged(talk(shown=SHOWN, recipients=TAKEN), refusing))["postmaster"] == "fail"


def test_a_baseline_that_accepts_one_address_without_postmaster_accepts_no_other() -> None:
    """Each address of a server is judged by what it said itself."""
    lacks = replies({"postmaster@example.com": 550, "abuse@example.com": 550})
    one, other = talk(shown=SHOWN, recipients=lacks), talk(shown=SHOWN, address=V6, recipients=lacks)

    now = judged(one, other)
    new = set(now) - known.accepted(judged(one, replace(other, recipients=TAKEN)), now)
    assert {(f.check, f.target) for f in new if f.status in {Status.FAIL, Status.WARN}} == {
        ("mx.postmaster", f"{MX1} [{V6}]:25"),
        ("mx.abuse", f"{MX1} [{V6}]:25"),
    }


@given(st.text(max_size=300), st.integers(200, 599), st.dictionaries(st.text(max_size=20), st.text(max_size=30)))
def test_whatever_a_server_says_is_judged_within_bounds(text: str, code: int, words: Mapping[str, str]) -> None:
    """Nothing that is seen grows with what strangers say."""
    reply = Reply(code, text * 10)
    said = talk(
        shown=SHOWN,
        greeting=reply,
        named=text,
        before=words,
        inside={**words, "AUTH": text * 10},
        relay={"<>": reply},
        recipients={"postmaster@example.com": reply, "abuse@example.com": reply},
    )

    assert all(len(finding.seen) <= 600 for finding in judged(said))


def test_a_host_of_the_inventory_that_behaves_otherwise_is_mended_by_provision() -> None:
    """It would put settings back that somebody changes by hand as Postfix's."""
    said = talk(587, shown=SHOWN, greeting=Reply(220, "localhost ESMTP"), before={"AUTH": "PLAIN", "STARTTLS": ""})

    found = by_check(judged(said, of=server(587, host=host(MX1, ADDRESS))))

    for name in ("banner", "auth-tls"):
        assert "sendwright provision" in found[name][0].advice
        assert "Postfix" not in found[name][0].advice
