"""Submission credentials: passwords, their hashes, and who may send as whom. Pure but for the library's randomness."""

import secrets
import string
from collections.abc import Callable, Sequence

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from sendwright.errors import UsageError
from sendwright.escape import plain
from sendwright.mistakes import nearest
from sendwright.names import LOGIN
from sendwright.stack import Stack
from sendwright.state.model import User, sender

# Without l, o, 0 and 1, which people take for each other: 32 characters, so 5 bits each; 25 of them are 125 bits.
_ALPHABET = "".join(c for c in string.ascii_lowercase + string.digits if c not in "lo01")
_GROUPS, _GROUP = 5, 5

# RFC 9106 section 4, the choice for 64 MiB, but one lane: Dovecot verifies through libsodium, which makes only such.
_HASHER = PasswordHasher(time_cost=3, memory_cost=65536, parallelism=1, hash_len=32, salt_len=16)


def new_password() -> str:
    """Return a password of 125 bits that can be read aloud, as in ``k3fhq-…``."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))


def hash_password(password: str) -> str:
    """Return a password's Argon2id hash in PHC form: what Dovecot's ``{ARGON2ID}`` scheme takes behind its name."""
    return _HASHER.hash(password)


def matches(user: User, password: str) -> bool:
    """Tell whether this is a user's password."""
    try:
        return _HASHER.verify(user.password_hash, password)
    except VerificationError:
        return False


def add(
    users: Sequence[User], login: str, hashed: Callable[[], str], send_as: Sequence[str], stack: Stack
) -> tuple[User, ...]:
    """Return the users with a new one, who may send as the given domains and addresses.

    Arguments: ``hashed`` makes the password's hash, which takes time and memory, for a credential that can be.
    Raises UsageError for a login that exists or is none, and when anything in ``send_as`` lies in no declared domain.
    """
    if not LOGIN.fullmatch(login):
        raise UsageError(
            f"“{plain(login)}” is no login.",
            "Take lower-case letters, digits and . _ @ -, starting with a letter or digit.",
        )
    if any(user.login == login for user in users):
        raise UsageError(
            f"{login} exists already.", f"To give a new password: sendwright users remove {login}, then add."
        )
    if not send_as:
        raise UsageError(f"{login} could send as nobody.", "Give a declared domain, or addresses in one.")
    names = tuple(dict.fromkeys(_declared(text, stack) for text in send_as))
    return (*users, User(login, hashed(), names))


def remove(users: Sequence[User], login: str) -> tuple[User, ...]:
    """Return the users without one; UsageError naming those that are known when there is none of that login."""
    left = tuple(user for user in users if user.login != login)
    if len(left) == len(users):
        known = nearest(login, [user.login for user in users], "known logins")
        raise UsageError(f"there is no login “{plain(login)}”.", f"{known[0].upper()}{known[1:]}.")
    return left


def _declared(text: str, stack: Stack) -> str:
    try:
        name = sender(text)
    except ValueError as error:
        raise UsageError(f"“{plain(text)}” is nothing to send as: {error}.") from None
    domains = {domain.name: domain for domain in stack.domains}
    found = domains.get(name.rpartition("@")[2])
    if found is None:
        raise UsageError(f"{name} lies in no declared domain.", f"Declared: {', '.join(domains)}.")
    if not found.sends:
        raise UsageError(f"{found.name} sends no mail: nobody can send as it.", "Its sends is False in the inventory.")
    return name
