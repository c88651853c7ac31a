"""Edits in batches: whole, few, in an order without a gap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendwright.dns.providers.base import Edit, Key, RecordSet
from sendwright.dns.providers.cloudflare_batches import Batch, batches
from sendwright.dns.providers.cloudflare_records import Remote, by_key

KEY, REVOKED = '"v=DKIM1; p=AAAA"', '"v=DKIM1; p="'


def _set(name: str, rdtype: str, *values: str) -> RecordSet:
    return RecordSet(name, rdtype, 300, values)


def _coming(index: int, name: str = "a{}.example.com", value: str = '"x"') -> Edit:
    return Edit(name.format(index), "TXT", None, _set(name.format(index), "TXT", value))


def _going(index: int, name: str = "d{}.example.com", value: str = '"x"') -> Edit:
    return Edit(name.format(index), "TXT", _set(name.format(index), "TXT", value), None)


def _revoking(index: int, name: str = "old{}._domainkey.example.com") -> Edit:
    found = name.format(index)
    return Edit(found, "TXT", _set(found, "TXT", KEY), _set(found, "TXT", REVOKED))


def _signing(index: int) -> Edit:
    return _coming(index, "new{}._domainkey.example.com", KEY)


def _have(edits: list[Edit]) -> dict[Key, list[Remote]]:
    texts = [(e.name, e.type, text) for e in edits if e.before for text in e.before.values]
    return by_key(
        Remote(id=f"{index:032x}", name=name, type=rdtype, content=text.rstrip("."), ttl=300)
        for index, (name, rdtype, text) in enumerate(texts)
    )


def _planned(edits: list[Edit]) -> tuple[Batch, ...]:
    return batches(edits, _have(edits))


LIMIT = 5
COUNTS = st.integers(0, 2 * LIMIT + 1)


@given(coming=COUNTS, going=COUNTS, signing=COUNTS, revoking=COUNTS)
def test_batches_are_whole_few_and_in_an_order_without_a_gap(
    coming: int, going: int, signing: int, revoking: int
) -> None:
    """What only goes comes last; no batch takes a key away that another of the same batch succeeds."""
    edits = [
        *map(_going, range(going)),
        *map(_revoking, range(revoking)),
        *map(_coming, range(coming)),
        *map(_signing, range(signing)),
    ]

    planned = batches(edits, _have(edits), LIMIT)

    kept = [edit for batch in planned for edit in batch.edits]
    assert sorted(map(repr, kept)) == sorted(map(repr, edits))
    assert all(0 < batch.size <= LIMIT for batch in planned)
    assert not any(batch.signs and batch.unsigns for batch in planned)
    withdrawn = [edit.after is None or edit in map(_revoking, range(revoking)) for edit in kept]
    assert withdrawn == sorted(withdrawn)
    assert len(planned) <= -(-len(edits) // LIMIT) + bool(signing and revoking)


def test_an_old_key_is_never_revoked_in_the_batch_that_publishes_its_successor() -> None:
    """Propagation is not atomic: a resolver could see the one without the other."""
    first, second = _planned([_revoking(1), _signing(1), _coming(1)])

    assert [edit.name for edit in first.edits] == ["a1.example.com", "new1._domainkey.example.com"]
    assert [edit.name for edit in second.edits] == ["old1._domainkey.example.com"]


def test_an_alias_and_what_takes_its_place_are_never_parted() -> None:
    """In between nothing would stand at the name, or both, which no server takes (RFC 1034 section 3.6.2)."""
    alias = Edit("z.example.com", "CNAME", _set("z.example.com", "CNAME", "other.example."), None)
    address = Edit("z.example.com", "A", None, _set("z.example.com", "A", "192.0.2.1"))

    planned = _planned([alias, address, *map(_coming, range(199))])

    assert [{alias, address} <= set(batch.edits) for batch in planned] == [False, True]


def test_an_edit_that_is_done_already_needs_nothing() -> None:
    """Running again is free."""
    done = Edit("a.example.com", "TXT", None, _set("a.example.com", "TXT", '"x" "y"'))
    have = {("a.example.com", "TXT"): [Remote(id="1", name="a.example.com", type="TXT", content='"xy"', ttl=300)]}

    assert batches([done], have) == ()


def test_an_edit_that_no_batch_can_hold_is_refused() -> None:
    """It could not be whole."""
    edit = Edit("a.example.com", "A", None, _set("a.example.com", "A", *(f"192.0.2.{i}" for i in range(201))))

    with pytest.raises(ValueError, match="needs 201 operations"):
        _planned([edit])
