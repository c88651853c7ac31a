"""What is told of certificates: what needs a person first, the same for machines, and no text that moves a cursor."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.errors import RateLimited
from sendwright.provision import Result
from sendwright.renewing import Done, Listed, Outcome
from sendwright.report.certs import (
    Condition,
    certs_document,
    certs_lines,
    condition,
    outcome_document,
    outcome_lines,
    quiet,
)

NOW = datetime(2026, 11, 22, 14, 0, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def listed(host: str = "mx1.example.com", left: float = 60, life: float = 90, **more: object) -> Listed:
    """A certificate of the authority's with so many days left; renewal begins where a third of its life is left."""
    end = NOW + left * DAY
    found = Listed(
        host=host,
        number=0,
        mode="acme",
        wanted="acme",
        names=(host, "mta-sts.example.com"),
        issuer="Let's Encrypt E7",
        kind="ecdsa",
        spki="0f" * 32,
        not_before=end - life * DAY,
        not_after=end,
        renew_from=end - life * DAY / 3,
        renewed_by="controller",
        used=(f"smtp {host}", "https mta-sts.example.com"),
    )
    return replace(found, **more)  # type: ignore[arg-type]  # fields by name, of any type


def text(*found: Listed) -> list[str]:
    """What people read."""
    return click.unstyle(certs_lines(found, NOW)).splitlines()


@pytest.mark.parametrize(
    ("left", "life", "expected"),
    [
        (60, 90, Condition.VALID),
        (29, 90, Condition.DUE),
        (19, 90, Condition.OVERDUE),
        (0, 90, Condition.ENDED),
        (3, 6, Condition.VALID),
        (1.9, 6, Condition.DUE),
        (1.3, 6, Condition.OVERDUE),
        (-1, 6, Condition.ENDED),
    ],
)
def test_six_days_or_ninety_the_rule_is_the_same(left: float, life: float, expected: Condition) -> None:
    """A certificate is judged by its own life, never by a number of days."""
    assert condition(listed(left=left, life=life), NOW) is expected


def test_what_needs_a_person_comes_first_with_what_to_do() -> None:
    """Before the table, and the table begins with the same."""
    lines = text(
        listed("mx3.example.com"),
        listed("mx2.example.com", left=10),
        listed("mx4.example.com", mode="self-signed", renew_from=None),
        listed("mx1.example.com", left=-2, renewed_by="host"),
    )

    assert lines[0] == "Needs you"
    assert [line.split()[1] for line in lines[1:4]] == ["mx1.example.com:", "mx4.example.com:", "mx2.example.com:"]
    assert "ended on 2026-11-20 14:00 UTC; `sendwright certs renew` takes over what the host has" in lines[1]
    assert "is self-signed, and the inventory says acme" in lines[2]
    assert "since 2026-11-02 14:00 UTC, and ends in 10 days; `sendwright certs renew` renews it" in lines[3]
    assert [line.split()[0] for line in lines[5:]] == ["left", "ended", "60", "10", "60"]


def test_columns_stand_below_their_headings() -> None:
    """Whatever the names are long."""
    heading, *rows = text(listed("mx1.example.com"), listed("a-much-longer-name.example.com"))

    for title, cell in (("host", "mx1.example.com"), ("issuer", "Let's Encrypt E7"), ("key", "ecdsa 0f0f0f0f")):
        assert {row.find(cell) for row in rows if cell in row} == {heading.index(f"  {title}") + 2}


def test_a_hundred_policies_are_one_cell() -> None:
    """Their names are in the JSON."""
    used = ("smtp mx1.example.com", *(f"https mta-sts.d{i}.example" for i in range(100)))

    (_, row) = text(listed(used=used))

    assert row.endswith("smtp mx1.example.com, https of 100")
    assert json.loads(certs_document([listed(used=used)], NOW))["certificates"][0]["used"] == list(used)


@pytest.mark.parametrize(
    ("fresh", "words"),
    [(None, "aaaaaaaa, not served yet"), (NOW + DAY, "aaaaaaaa, from 2026-11-23 14:01"), (NOW, "aaaaaaaa, known")],
)
def test_the_next_key_says_from_when_it_may_be_used(fresh: datetime | None, words: str) -> None:
    """Rounded up: who comes back then is not too early."""
    assert words in text(listed(next_spki="aa" * 32, next_fresh_at=fresh))[1]


def test_no_certificate_says_what_makes_one() -> None:
    """An empty table helps nobody."""
    assert "`sendwright provision` makes the first ones" in text()[0]


def test_the_document_has_every_moment_with_its_zone_and_its_version() -> None:
    """What machines compare are moments in UTC, and days left are not rounded for them."""
    found = json.loads(certs_document([listed(left=1.5, life=6, next_spki="aa" * 32)], NOW))

    assert (found["version"], found["kind"]) == (1, "certs")
    (one,) = found["certificates"]
    assert one["condition"] == "due"
    assert one["seconds_left"] == 1.5 * 86400
    assert one["not_after"] == "2026-11-24T02:00:30+00:00"
    assert one["key"] == {"kind": "ecdsa", "spki_sha256": "0f" * 32}
    assert one["next_key"] == {"spki_sha256": "aa" * 32, "usable_from": None}


def test_an_outcome_tells_what_moved_and_counts_what_stayed() -> None:
    """What stayed as it was has no line of its own."""
    done = (
        Done("mx1.example.com", 0, "kept"),
        Done("mx2.example.com", 0, "renewed", "it ends on 2026-12-01 10:00 UTC", NOW + 1.5 * DAY),
        Done("mx3.example.com", 1, "waiting", "caches may hold TLSA records without its next key", NOW + DAY),
    )
    lines = click.unstyle(outcome_lines(Outcome(Result.WAITING, done, waiting=("TLSA of mx3",)))).splitlines()

    assert lines[0] == "waiting; run it again later"
    assert lines[2].split()[:2] == ["renewed", "mx2.example.com"]
    assert "mx2.example.com      2026-11-24 02:00" in lines[2]  # as the list of certificates says it
    assert "mx3.example.com (1)  2026-11-23 14:01" in lines[3]
    assert lines[4:] == ["  1 kept", "  TLSA of mx3"]


def test_a_run_with_nothing_due_is_quiet_and_one_that_failed_is_not() -> None:
    """Cron mails what a run prints."""
    refused = RateLimited("mx1.example.com", "the authority wants no more orders.", "Come back at 15:00 UTC.")

    assert quiet(Outcome(Result.UNCHANGED, (Done("mx1.example.com", 0, "kept"),)))
    assert not quiet(Outcome(Result.UNCHANGED, errors=(refused,)))
    failed = json.loads(outcome_document(Outcome(Result.FAILED, errors=(refused,)), "certs-renew", NOW))
    assert failed["errors"] == [
        {
            "error": "RateLimited",
            "what": "mx1.example.com: the authority wants no more orders.",
            "hint": "Come back at 15:00 UTC.",
        }
    ]


@given(st.text(max_size=30), st.text(max_size=30))
def test_text_of_an_authority_never_reaches_a_terminal_raw(issuer: str, why: str) -> None:
    """A name in a certificate may be anything; only line ends of our own stay."""
    shown = certs_lines([listed(issuer=issuer)], NOW) + outcome_lines(
        Outcome(Result.DONE, (Done("mx1.example.com", 0, "issued", why),))
    )

    assert all(c.isprintable() or c == "\n" for c in click.unstyle(shown))
