"""Whether a name is one that a provider makes up from an address: receivers take it for a home connection. Pure."""

import re
from ipaddress import IPv4Address

from sendwright.stack import Address

# Whole words between dots, hyphens and digits: "static" is no such word, as it is also said of servers.
_WORDS = re.compile(r"(?:^|[^a-z])(?:dyn|dynamic|dynip|dhcp|dialup|dial|dsl|adsl|vdsl|ppp|pppoe|dip|ftth)(?:[^a-z]|$)")
_HEX = re.compile(r"[0-9a-f]+")
_PARTS = re.compile(r"[^0-9a-z]+")
_NUMBERS = re.compile(r"\d+")
_NIBBLES = 12


def generic(name: str, address: Address) -> str:
    """Return what makes a PTR name look made up, as a phrase, or nothing."""
    name = name.lower()
    if _spelled(name, address):
        return "it spells the address"
    found = _WORDS.search(name)
    return f"it says {found[0].strip('.-_0123456789')}" if found else ""


def _spelled(name: str, address: Address) -> bool:
    return _spelled4(name, address) if isinstance(address, IPv4Address) else _spelled6(name, f"{int(address):032x}")


def _spelled4(name: str, address: IPv4Address) -> bool:
    octets = list(address.packed)
    numbers = [int(text) for text in _NUMBERS.findall(name) if len(text) <= 3]
    # All four, or three in a row: 203-0-113-10, 10.113.0, either way round.
    wanted = [run for row in (octets, octets[::-1]) for run in (row[:3], row[1:])]
    rows = [numbers[i : i + 3] for i in range(len(numbers) - 2)]
    packed = {f"{int(address):08x}", "".join(f"{octet:03d}" for octet in octets)}
    return any(row in wanted for row in rows) or any(text in name for text in packed)


def _spelled6(name: str, digits: str) -> bool:
    groups = [f"{int(digits[i : i + 4], 16):x}" for i in range(0, 32, 4)]
    words = [word for word in _PARTS.split(name) if _HEX.fullmatch(word)]
    joined = "".join(words)
    nibbles = [word for word in words if len(word) == 1]
    run = "".join(nibbles)
    spelled = digits in joined or (len(run) >= _NIBBLES and (run in digits or run[::-1] in digits))
    # Four groups in a row, and not just zeros: 2001-db8-0-1.
    rows = [words[i : i + 4] for i in range(len(words) - 3)]
    return spelled or any(row in [groups[i : i + 4] for i in range(5)] and set(row) != {"0"} for row in rows)
