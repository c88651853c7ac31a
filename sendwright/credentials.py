"""Submission credentials in the state folder: hashes only, each bound to what it may send as."""

from collections.abc import Sequence
from pathlib import Path

from sendwright import inventory, users
from sendwright.state.folder import StateFolder
from sendwright.state.model import User


def add(path: Path, login: str, send_as: Sequence[str], password: str | None) -> str | None:
    """Add a credential and return the password that was made for it, or None if one was given.

    Errors: UsageError for a login that exists, or a domain that the inventory does not declare.
    """
    declared = inventory.load(path)
    chosen = password if password is not None else users.new_password()
    folder = StateFolder(declared.state_dir, declared.stack.key_store)
    with folder.lock():
        known = folder.load().users
        folder.save_users(users.add(known, login, users.hash_password(chosen), send_as, declared.stack))
    return None if password is not None else chosen


def list_users(path: Path) -> tuple[User, ...]:
    """Return the credentials of an inventory."""
    declared = inventory.load(path)
    return StateFolder(declared.state_dir, declared.stack.key_store).load().users


def remove(path: Path, login: str) -> None:
    """Remove a credential; UsageError if there is no such login."""
    declared = inventory.load(path)
    folder = StateFolder(declared.state_dir, declared.stack.key_store)
    with folder.lock():
        folder.save_users(users.remove(folder.load().users, login))
