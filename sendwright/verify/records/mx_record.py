"""An MX record as it is read (RFC 5321, 5.1)."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Exchange:
    """One MX record. ``name`` is empty in a null MX (RFC 7505)."""

    preference: int
    name: str

    def __str__(self) -> str:
        return f"{self.preference} {self.name or '.'}"

    @property
    def null(self) -> bool:
        """Whether it says that no mail is taken."""
        return not self.name


def exchange(value: str) -> Exchange:
    """Return an MX record from its text, as in ``10 mx1.example.com``."""
    number, _, name = value.partition(" ")
    return Exchange(int(number) if number.isdecimal() and len(number) <= 5 else 0, name.removesuffix(".").lower())
