"""Checks of keys and policies against answers that mean ill: they end, soon, and say something bounded."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendwright.state.model import KeyStage
from sendwright.verify import bimi, dkim, dmarc, tls_rpt
from sendwright.verify.finding import Finding
from sendwright.verify.look import Answer, Fetched, Told
from sendwright.verify.target import Target
from tests.verify.keys_world import declared, key, look

CHECKS = (dkim.check, dmarc.check, tls_rpt.check, bimi.check)
TARGETS = (
    Target("example.com"),
    Target("a.b.c.d.e.f.g.h.i.j.example.com", ("r1", "no such\nname")),
    declared(key(), key("r0", KeyStage.REMOVED), key("r2", KeyStage.REVOKED)),
    declared(sends=False),
)
_BEGINNINGS = ("", "v=DKIM1; p=", "v=DMARC1; p=reject; rua=", "v=TLSRPTv1; rua=", "v=BIMI1; l=https://", "v=spf1 ")


@dataclass(frozen=True)
class Same:
    """A resolver that answers every question alike."""

    told: Told
    values: tuple[str, ...]
    aliases: tuple[str, ...] = ()

    def ask(self, name: str, rdtype: str, /) -> Answer:
        """Answer as always."""
        found = self.values if self.told is Told.FOUND else ()
        return Answer(name, rdtype, self.told, found, 1, False, self.aliases, tuple((len(v),) for v in found), "why")

    def ask_all(self, questions: Sequence[tuple[str, str]], /) -> tuple[Answer, ...]:
        """Answer several."""
        return tuple(self.ask(*question) for question in questions)


def _found(target: Target, answers: Same, page: bytes = b"") -> list[Finding]:
    world = replace(look(""), dns=answers, fetch=lambda _url, limit: Fetched(200, "", page[:limit]))
    found = [finding for check in CHECKS for finding in check(target, world)]
    assert all(len(f.seen) + len(f.advice) + len(f.target) < 3000 for f in found)
    return found


_text = st.text(alphabet=st.characters(max_codepoint=255), max_size=60)


@settings(max_examples=60)
@given(
    st.sampled_from(TARGETS),
    st.sampled_from(Told),
    st.lists(st.builds(str.__add__, st.sampled_from(_BEGINNINGS), _text), min_size=1, max_size=3),
    st.lists(st.sampled_from(["x.example", "example.com"]), max_size=2),
    st.binary(max_size=60),
)
def test_any_answers_come_to_findings(
    target: Target, told: Told, values: list[str], aliases: list[str], page: bytes
) -> None:
    """Whatever every question is answered with, nothing breaks and something is said."""
    assert _found(target, Same(told, tuple(sorted(values)), tuple(aliases)), page)


@pytest.mark.parametrize("target", TARGETS, ids=["guessed", "named", "declared", "locked"])
@pytest.mark.parametrize(
    "values",
    [
        ("v=DKIM1; p=" + " " * 65_000 + "\x00",),
        ("v=DKIM1; n=" + "=" * 65_000,),
        ("v=DMARC1; p=" + " " * 65_000 + "\x00",),
        ("v=DMARC1; p=reject; rua=" + "mailto:a@x.example," * 3_000,),
        ("v=DMARC1; p=reject; rua=" + ",".join(f"mailto:a@{n}.example" for n in range(2_500)),),
        ("v=DMARC1; p=none;" + ";".join(f"{chr(97 + n % 26) * (n // 26 + 1)}=1" for n in range(800)),),
        ("v=TLSRPTv1; rua=" + "mailto:a@x.example!" * 3_000,),
        ("v=BIMI1; l=" + " " * 65_000 + "\x00",),
        tuple(f"v=DMARC1; p=none; n={n}" for n in range(3_000)),
        tuple(f"v=DKIM1; p={n}" for n in range(3_000)),
        (";" * 65_000,),
        ("p=" * 32_000,),
    ],
    ids=lambda values: f"{values[0][:12]} {len(values)}",
)
def test_the_largest_answers_take_no_time(target: Target, values: tuple[str, ...]) -> None:
    """As much as DNS can hold, of the kind that makes readers go back and forth."""
    began = time.process_time()

    _found(target, Same(Told.FOUND, values))

    assert time.process_time() - began < 2


def test_a_logo_that_grows_is_not_read_to_its_end() -> None:
    """Entities of entities, and depth without end."""
    entities = b"".join(b'<!ENTITY a%d "&a%d;&a%d;">' % (n + 1, n, n) for n in range(60))
    bomb = b'<!DOCTYPE svg [<!ENTITY a0 "aaaaaaaa">' + entities + b"]><svg>&a60;</svg>"
    deep = b"<svg>" * 13_000

    for page in (bomb, deep):
        world = Same(Told.FOUND, ("v=BIMI1; l=https://example.com/logo.svg",))
        (record,) = (f for f in _found(Target("example.com"), world, page) if f.check == "bimi.record")
        assert record.status == "warn"
