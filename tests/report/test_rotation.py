"""What a rotation tells: what needs a person first, what is alike together, and nothing where there is nothing."""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import click
from hypothesis import given
from hypothesis import strategies as st

from sendwright.errors import Unreachable
from sendwright.lines import Act, Held, HostSeen, Line, Policy, Record, Seen, Step
from sendwright.provision import Result
from sendwright.report.rotation import failed, quiet, rotation_document, rotation_lines, status_lines
from sendwright.rotating import Rotation
from sendwright.stack import DkimAlgorithm
from sendwright.state.model import DkimKey, KeyStage

NOW = datetime(2026, 11, 22, 14, 0, 30, tzinfo=UTC)
DAY = timedelta(days=1)
HOSTS = ("mx1.example.com", "mx2.example.com")
QUEUES = "queues may hold mail that it signed"


def _key(selector: str, stage: KeyStage, domain: str = "example.com", algorithm: str = "rsa") -> DkimKey:
    """A key whose story goes on as it usually does."""
    key = DkimKey(domain, selector, DkimAlgorithm(algorithm), "AAAA", "0" * 64, NOW - 100 * DAY, stage)
    if stage in {KeyStage.SIGNING, KeyStage.RETIRING, KeyStage.REVOKED}:
        key = replace(key, signing_since=NOW - 10 * DAY)
    if stage in {KeyStage.RETIRING, KeyStage.REVOKED}:
        key = replace(key, last_signed=NOW - 2 * DAY, lifetime=3 * 86_400)
    return replace(key, revoked=NOW - DAY) if stage is KeyStage.REVOKED else key


def _line(*keys: DkimKey, policy: Policy | None = None) -> Line:
    return Line(keys[0].domain, keys[0].algorithm, keys, HOSTS, policy or Policy())


def _switched(domain: str = "example.com") -> Line:
    """A line whose new key signs, and whose old one waits to be revoked."""
    return _line(_key("r202608", KeyStage.RETIRING, domain), _key("r202611", KeyStage.SIGNING, domain))


def _wait(line: Line, why: str = QUEUES, until: datetime | None = None) -> Step:
    return Step(Act.WAIT, line, line.keys[0], why, until=until)


def _text(rotation: Rotation) -> str:
    return click.unstyle(rotation_lines(rotation))


def _status(lines: Iterable[Line], pending: Iterable[Step] = ()) -> list[str]:
    rotation = Rotation(Result.UNCHANGED, pending=tuple(pending), lines=tuple(lines))
    return click.unstyle(status_lines(rotation)).splitlines()


def test_a_rotation_reads_from_what_needs_a_person_to_what_needs_time() -> None:
    """Blocked, then done, then waited for, then due; each in a table of its own, times in UTC."""
    line, other = _switched(), _line(_key("r202607", KeyStage.SIGNING, "example.net"))
    blocked = _line(_key("r202611", KeyStage.PUBLISHED, "example.org"))
    rotation = Rotation(
        Result.FAILED,
        done=(Step(Act.CONFIRM, line, line.keys[0], "no host signs with it any more"),),
        pending=(
            Step(Act.DUE, other, None, "r202607 signs for more than 90 days"),
            _wait(line, until=NOW + 10 * DAY),
            Step(Act.BLOCKED, blocked, blocked.keys[0], "another key stands there: nothing was changed"),
        ),
        lines=(line, other, blocked),
    )

    assert _text(rotation) == (
        "failed or blocked in part; what worked stays, and running again goes on\n"
        "\n"
        "Blocked\n"
        "  keys  of                              why\n"
        "  1     r202611._domainkey.example.org  another key stands there: nothing was changed\n"
        "\n"
        "Done\n"
        "  what           keys  of                              why\n"
        "  clock started  1     r202608._domainkey.example.com  no host signs with it any more\n"
        "\n"
        "Waiting\n"
        "  until (UTC)       keys  of                              for\n"
        "  2026-12-02 14:01  1     r202608._domainkey.example.com  queues may hold mail that it signed\n"
        "\n"
        "Due (begin with --start)\n"
        "  keys  of               why\n"
        "  1     example.net rsa  r202607 signs for more than 90 days"
    )


def test_hundreds_of_keys_with_one_reason_and_deadline_are_one_line() -> None:
    """With their number and the first names: nobody reads hundreds of lines that say the same."""
    lines = [_switched(f"c{i:03}.example") for i in range(300)]
    pending = tuple(_wait(line, until=NOW + DAY) for line in lines)

    (row,) = (line for line in _text(Rotation(Result.WAITING, pending=pending)).splitlines() if QUEUES in line)

    assert row == f"  2026-11-23 14:01  300   c000.example, c001.example, c002.example, …  {QUEUES}"


def test_a_reason_with_many_deadlines_is_one_line_from_the_first_to_the_last() -> None:
    """Where every domain began on a day of its own, the days are in the JSON and the status."""
    lines = [_switched(f"c{i:03}.example") for i in range(300)]
    pending = tuple(_wait(line, until=NOW + i * DAY) for i, line in enumerate(lines))

    (row,) = (line for line in _text(Rotation(Result.WAITING, pending=pending)).splitlines() if QUEUES in line)

    assert row.split()[:6] == ["2026-11-22", "14:01", "to", "2027-09-17", "14:01", "300"]


def test_reasons_that_differ_in_the_key_s_own_name_alone_are_one_reason() -> None:
    """What they share is told once; a host keeps its name, and so does a word that is a selector by chance."""
    keys = [_key("r202611", KeyStage.PUBLISHED, f"c{i}.example") for i in range(9)]
    words = _line(_key("mail", KeyStage.RETIRING, "example.com"))
    blocked = [Step(Act.BLOCKED, _line(k), k, f"another key, or several, stand at {k.txt_name}: no") for k in keys]
    away = [_wait(_line(k), "mx1.c1.example cannot be reached") for k in keys]

    text = _text(Rotation(Result.FAILED, pending=(*blocked, *away, _wait(words), _wait(words))))

    assert "  9     c0.example, c1.example, c2.example, …  another key, or several, stand at its own name: no" in text
    assert re.search(r"  9  .*mx1\.c1\.example cannot be reached", text)
    assert QUEUES in text


def test_reasons_that_differ_in_selectors_are_told_with_the_first_of_them() -> None:
    """A sentence has no empty place, and where they are the same that one is all it names."""
    lines = [
        _line(_key(f"r{n}", KeyStage.SIGNING, f"c{i}.example"), _key("r0", KeyStage.SIGNING, f"c{i}.example"))
        for i, n in enumerate((1, 1, 2, 3, 4))
    ]
    steps = [Step(Act.CONVERGE, line, line.keys[1], f"they are to sign with {line.keys[0].selector}") for line in lines]

    assert "they are to sign with r1 or r2 or r3, …" in _text(Rotation(Result.DONE, done=tuple(steps)))
    assert _text(Rotation(Result.DONE, done=tuple(steps[:2]))).endswith("they are to sign with r1")


def test_what_waits_for_no_clock_comes_before_what_does() -> None:
    """A host that is away may need a person; a clock needs nobody, and the first to run out is the next news."""
    line = _switched()
    pending = (
        _wait(line, "second", until=NOW + 2 * DAY),
        _wait(line, "first", until=NOW + DAY),
        _wait(line, "mx2.example.com cannot be reached"),
    )

    rows = _text(Rotation(Result.WAITING, pending=pending)).splitlines()[4:]

    assert [row.split()[-1] for row in rows] == ["reached", "first", "second"]
    assert rows[0].startswith("  - ")


def test_a_deadline_is_never_told_too_early() -> None:
    """Seconds are left out, and who comes back at the minute that was said finds the clock run out."""
    text = _text(Rotation(Result.WAITING, pending=(_wait(_switched(), until=NOW.replace(second=1)),)))

    assert "2026-11-22 14:01" in text


def test_what_was_done_on_hosts_names_them() -> None:
    """The same step on the hosts of many domains is one line."""
    line = _switched()
    done = (
        Step(Act.CONVERGE, line, line.keys[1], "every host holds it before any signs with it", HOSTS),
        Step(Act.GENERATE, line, None, "somebody asked for it"),
    )

    text = _text(Rotation(Result.DONE, done=done))

    assert "every host holds it before any signs with it: mx1.example.com, mx2.example.com" in text
    assert "generated a successor  1     example.com rsa" in text


def test_nothing_is_said_where_nothing_was_done_and_only_clocks_run() -> None:
    """A daily run that cron mails is quiet on all days but those on which a key moves or somebody is needed."""
    line = _switched()
    clock, away = _wait(line, until=NOW + DAY), _wait(line, "mx2.example.com cannot be reached")
    due = Step(Act.DUE, line, None, "r202611 signs for more than 90 days")
    silent = Rotation(Result.WAITING, pending=(clock,), lines=(line,))

    assert quiet(silent)
    assert quiet(Rotation(Result.UNCHANGED, lines=(line,)))
    assert not quiet(replace(silent, done=(clock,)))
    assert not quiet(replace(silent, notes=("a key in DNS signs nothing",)))
    assert not quiet(replace(silent, errors=(Unreachable("mx1.example.com", "no answer."),)))
    assert not any(quiet(replace(silent, pending=(clock, step))) for step in (due, away))


def test_at_rest_one_line_says_when_the_next_key_is_due() -> None:
    """On a terminal somebody looks, and wants to know that it ran."""
    late, soon = _line(_key("r1", KeyStage.SIGNING)), _line(_key("e1", KeyStage.SIGNING, algorithm="ed25519"))
    soon = replace(soon, policy=Policy(period=30 * DAY))

    text = _text(Rotation(Result.UNCHANGED, lines=(late, soon)))

    assert text == "nothing to do: 2 keys sign; the first, example.com ed25519, is due on 2026-12-12 14:01 UTC"


def test_an_inventory_without_keys_is_led_to_provision() -> None:
    """Rotation moves keys that sign; the first ones come with the hosts."""
    assert "`sendwright provision`" in _text(Rotation(Result.UNCHANGED))
    assert "`sendwright provision`" in "\n".join(_status(()))


def test_blocked_and_failed_are_failures_and_waiting_is_none() -> None:
    """By the exit code a machine knows whether a person is needed; a due key is no failure."""
    line = _switched()

    assert failed(Rotation(Result.UNCHANGED, pending=(Step(Act.BLOCKED, line, line.keys[0], "foreign"),)))
    assert failed(Rotation(Result.WAITING, errors=(Unreachable("mx1.example.com", "no answer."),)))
    assert failed(Rotation(Result.FAILED))
    assert not failed(Rotation(Result.WAITING, pending=(_wait(line), Step(Act.DUE, line, None, "old"))))


def test_the_status_shows_each_key_with_its_stage_and_what_comes_next() -> None:
    """First the one that signs and when it is due, then the others; removed ones are history."""
    gone = _key("r202604", KeyStage.REMOVED)
    line = _line(gone, _key("r202606", KeyStage.REVOKED), *_switched().keys, _key("r202612", KeyStage.PUBLISHED))
    pending = (
        _wait(line, "its record is there", until=NOW + 20 * DAY),
        Step(Act.WAIT, line, line.keys[2], "queues may hold it", until=NOW + 9 * DAY),
        Step(Act.PROVE, line, line.keys[4], "not proven yet", HOSTS),
        Step(Act.DUE, line, None, "r202611 is old"),
    )

    assert _status((line,), pending) == [
        "domain       algorithm  selector  stage      since (UTC)       until (UTC)       next",
        "example.com  rsa        r202611   signing    2026-11-12 14:00  2027-02-10 14:01  due: r202611 is old",
        "example.com  rsa        r202604   removed    -                 2026-12-12 14:01  waits: its record is there",
        "example.com  rsa        r202606   revoked    2026-11-21 14:00  2026-12-21 14:01",
        "example.com  rsa        r202608   retiring   2026-11-20 14:00  2026-12-01 14:01  waits: queues may hold it",
        (
            "example.com  rsa        r202612   published  2026-08-14 14:00  -                 "
            "next: will be proven on hosts (not proven yet)"
        ),
    ]


def test_a_removed_key_at_rest_is_not_in_the_status() -> None:
    """Its selector is remembered so that it is never used again, and that is all."""
    rows = _status((_line(_key("r202604", KeyStage.REMOVED), _key("r202611", KeyStage.SIGNING)),))

    assert len(rows) == 2
    assert "r202611" in rows[1]


def test_a_leaked_key_says_what_mail_will_fail() -> None:
    """What waits in queues, ours and others'; what caches still believe; what they do not know yet."""
    line = _line(replace(_key("r202608", KeyStage.SIGNING), leaked=NOW), policy=Policy(ttl=timedelta(minutes=75)))
    hosts = {
        HOSTS[0]: HostSeen(frozenset(), frozenset(), 3 * DAY, NOW - DAY, NOW),
        HOSTS[1]: HostSeen(frozenset(), frozenset(), 3 * DAY, None, NOW),
    }
    step = Step(Act.GENERATE, line, None, "r202608 leaked")

    text = _text(Rotation(Result.WAITING, done=(step,), lines=(line,), seen=Seen(hosts)))

    assert text.split("\n\n")[2] == (
        "Leaked\n"
        "  r202608._domainkey.example.com: revoked as soon as no host signs with it\n"
        "    - mail that it signed and that still waits will fail: in our queues (mx1.example.com holds mail since"
        " 2026-11-21 15:00 UTC), and for up to 7 days in those of smarthosts and forwarders\n"
        "    - a mail program that stays connected signs with it for up to 1 h, and is then refused once\n"
        "    - its successor signs before every cache is fresh: its mail fails where a resolver remembers that the new"
        " name does not exist, for as long as the zone's negative TTL says\n"
        "    - caches may hold its record for up to 1 h 15 min after it is revoked: forgeries verify until then"
    )


def test_a_leak_is_told_until_its_revocation_was_seen_everywhere() -> None:
    """Then it says until when forgeries verify, and after that no more."""
    key = replace(_key("r202608", KeyStage.REVOKED), leaked=NOW - 3 * DAY, signing_since=NOW - 30 * DAY)
    line = _line(key, _key("r202611", KeyStage.SIGNING))
    dated = Step(Act.DATE, line, key, "every server says that it is revoked")

    seen_now = _text(Rotation(Result.DONE, done=(dated,), lines=(line,)))
    later = _text(Rotation(Result.DONE, done=(replace(dated, key=line.keys[1]),), lines=(line,)))

    assert "r202608._domainkey.example.com: revoked\n" in seen_now
    assert "forgeries verify until 2026-11-21 15:01 UTC" in seen_now
    assert "Leaked" not in later


def test_a_leaked_key_is_not_called_revoked_while_dns_holds_it() -> None:
    """Its story says so before a provider is asked, and a provider may refuse."""
    key = replace(_key("r202608", KeyStage.REVOKED), leaked=NOW, revoked=None)
    rotation = Rotation(Result.FAILED, lines=(_line(key),), pending=(_wait(_line(key)),))
    held, empty = (Seen(records={key.record_name: Record(held)}) for held in (Held.KEY, Held.EMPTY))

    assert "to be revoked: DNS still holds it" in _text(replace(rotation, seen=held))
    assert "mail that it signed and that still waits will fail" in _text(replace(rotation, seen=held))
    assert "r202608._domainkey.example.com: revoked\n" in _text(replace(rotation, seen=empty))
    assert [
        json.loads(rotation_document(replace(rotation, seen=s)))["leaked"][0]["revoked"] for s in (held, empty)
    ] == [
        False,
        True,
    ]


def test_a_leaked_key_that_never_signed_costs_no_mail() -> None:
    """But its record was out: whoever has it can forge until caches have forgotten it."""
    line = _line(_key("r202608", KeyStage.SIGNING), replace(_key("r202611", KeyStage.PUBLISHED), leaked=NOW))

    text = _text(Rotation(Result.WAITING, pending=(_wait(line),), lines=(line,)))

    assert "it has signed nothing, so no mail of yours fails" in text
    assert "forgeries verify until then" in text
    assert "successor" not in text


def test_a_leak_of_many_keys_is_told_once() -> None:
    """A stolen controller leaks all keys at once; what fails is the same for each."""
    lines = tuple(_line(replace(_key("r1", KeyStage.SIGNING, f"c{i}.example"), leaked=NOW)) for i in range(200))

    text = _text(Rotation(Result.WAITING, pending=(_wait(lines[0]),), lines=lines))

    assert text.count("mail that it signed") == 2
    assert "r1._domainkey.c2.example and 197 more: revoked as soon as" in text


@given(st.text(min_size=1))
def test_nothing_from_outside_moves_a_cursor_or_breaks_a_row(text: str) -> None:
    """Name servers and hosts say what they like; a reason stays one printable line."""
    line = _switched()
    pending = (_wait(line, text), Step(Act.BLOCKED, line, line.keys[0], text), Step(Act.DUE, line, None, text))
    rotation = Rotation(Result.FAILED, (replace(pending[0], act=Act.PUBLISH),), pending, (line,), notes=(text,))

    shown = (_text(rotation), "\n".join(_status((line,), pending)), rotation_document(rotation))

    assert all(s.replace("\n", "").isprintable() for s in shown)
    assert len(_text(rotation).splitlines()) == len(_text(replace(rotation, notes=("x",))).splitlines())


def test_the_json_holds_every_step_and_every_key() -> None:
    """Machines get all of it, one by one, with times as ISO 8601 in UTC."""
    line = _switched()
    rotation = Rotation(
        Result.WAITING,
        done=(Step(Act.CONFIRM, line, line.keys[0], "no host signs with it any more"),),
        pending=(_wait(line, until=NOW), Step(Act.DUE, line, None, "old")),
        lines=(line,),
        commands={"mx1.example.com": 2},
    )

    found = json.loads(rotation_document(rotation))

    assert (found["kind"], found["version"], found["outcome"]) == ("rotate", 1, "waiting")
    assert [step["act"] for step in (*found["done"], *found["pending"])] == ["confirm", "wait", "due"]
    assert [step["selector"] for step in found["pending"]] == ["r202608", None]
    assert found["pending"][0]["until"] == "2026-11-22T14:00:30+00:00"
    assert found["lines"][0]["signs"] == "r202611"
    assert found["lines"][0]["keys"][0]["stays_until"] == "2026-11-30T15:00:30+00:00"
    assert found["commands"] == {"mx1.example.com": 2}
    assert json.loads(rotation_document(rotation, "rotate-status"))["kind"] == "rotate-status"


def test_a_blocked_rotation_has_failed_in_the_json_too() -> None:
    """The outcome and the exit code never disagree."""
    line = _switched()
    blocked = Rotation(Result.WAITING, pending=(Step(Act.BLOCKED, line, line.keys[0], "foreign"),))

    assert json.loads(rotation_document(blocked))["outcome"] == "failed"
