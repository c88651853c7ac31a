"""The ledger of the values that we wrote, and what becomes of it: pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sendwright.state.model import Claim

Ledger = tuple[Claim, ...]


def entered(ledger: Ledger, claims: Iterable[Claim]) -> tuple[Ledger, Ledger]:
    """Return a ledger with values that are about to be written to DNS, and those that were not in it.

    One that is there gets the later date, because what caches hold is counted from it, and keeps its clock of
    withdrawal until the value was written.
    """
    before, new = _by_value(ledger), _by_value(claims)
    again = {value: replace(claim, left=before[value].left) for value, claim in new.items() if value in before}
    return _ordered(before | new | again), tuple(claim for value, claim in new.items() if value not in before)


def marked(ledger: Ledger, claims: Iterable[Claim]) -> Ledger:
    """Return a ledger with claims in the place of those on the same values: their clocks started or stopped."""
    new = _by_value(claims)
    return tuple(new.get(_value(claim), claim) for claim in ledger)


def released(ledger: Ledger, claims: Iterable[Claim]) -> Ledger:
    """Return a ledger without values that were withdrawn from DNS."""
    gone = _by_value(claims)
    return tuple(claim for claim in ledger if _value(claim) not in gone)


_Value = tuple[str, str, str, str, bool]


def _value(claim: Claim) -> _Value:
    return claim.zone, claim.name, claim.type, claim.value, claim.mechanism


def _by_value(claims: Iterable[Claim]) -> dict[_Value, Claim]:
    return {_value(claim): claim for claim in claims}


def _ordered(claims: Mapping[_Value, Claim]) -> Ledger:
    return tuple(claims[value] for value in sorted(claims))
