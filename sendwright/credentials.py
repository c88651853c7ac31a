"""Submission credentials in the state folder: hashes only, each bound to what it may send as."""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from sendwright import inventory, users
from sendwright.errors import UsageError
from sendwright.state.folder import StateFolder
from sendwright.state.model import User

# Dovecot refuses SASL answers above this; nobody types as much.
_LONGEST_LINE = 1024


def add(path: Path, login: str, send_as: Sequence[str], password: str | None) -> str | None:
    """Add a credential and return the password that was made for it, or None if one was given.

    Errors: UsageError for a login that exists, or a domain that the inventory does not declare.
    """
    declared = inventory.load(path)
    chosen = password if password is not None else users.new_password()
    folder = StateFolder.of(declared)
    with folder.lock():
        known = folder.load().users
        folder.save_users(users.add(known, login, lambda: users.hash_password(chosen), send_as, declared.stack))
    return None if password is not None else chosen


def given_password(stream: BinaryIO) -> str:
    """Return the password on the first line of a stream; UsageError when there is none, or none that is text."""
    line = stream.readline(_LONGEST_LINE)
    try:
        password = line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        password = ""  # the exception would carry the password along
    if not password.strip() or not password.isprintable() or len(line) == _LONGEST_LINE:
        raise UsageError(
            "there is no password on standard input; nobody was added.",
            "Give one line of printable text, or leave --password-stdin out to have one made.",
        )
    return password


def list_users(path: Path) -> tuple[User, ...]:
    """Return the credentials of an inventory."""
    declared = inventory.load(path)
    return StateFolder.of(declared).load().users


def remove(path: Path, login: str) -> None:
    """Remove a credential; UsageError if there is no such login."""
    declared = inventory.load(path)
    folder = StateFolder.of(declared)
    with folder.lock():
        folder.save_users(users.remove(folder.load().users, login))
