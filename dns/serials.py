"""Serial numbers of zones: always onward, by the arithmetic of RFC 1982, and in the style that is there already."""

from datetime import date

_DAY = 100
_MODULUS = 2**32


def following(serial: int, today: date) -> int:
    """Return the serial number after one; a date (YYYYMMDDnn, RFC 1912 section 2.2) becomes today's where it can."""
    then = _as_date(serial)
    if then is not None and then < today:
        return int(f"{today:%Y%m%d}") * _DAY + 1
    # Zero is skipped: programs that hold a serial number in a variable take it for "none yet".
    return (serial + 1) % _MODULUS or 1


def _as_date(serial: int) -> date | None:
    digits = str(serial // _DAY)
    try:
        found = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
    # Long before DNS, or long after us, it is a plain number that looks like a date.
    return found if len(digits) == 8 and 1987 <= found.year < 2100 else None
