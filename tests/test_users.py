"""Submission credentials."""

import math

import pytest
from argon2 import extract_parameters
from argon2.low_level import Type

from sendwright import inventory, users
from sendwright.errors import UsageError
from sendwright.stack import Stack
from sendwright.state.model import User

HASH = "$argon2id$v=19$m=65536,t=3,p=1$c2FsdHNhbHQ$aGFzaA"
APP = User("app", HASH, ("example.com",))


def stack() -> Stack:
    """Return a stack that sends for example.com and example.org."""
    provider = {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "k", "secret": {"env": "K"}}}
    domains = {"example.com": {"dns": "main"}, "example.org": {"dns": "main"}}
    hosts = [("mx1.example.com", {"egress": [{"public": "203.0.113.10"}]})]
    return inventory.parse(hosts, {"dns": {"main": provider}, "domains": domains}, "test")


def test_a_password_holds_more_than_a_hundred_bits_and_can_be_read_aloud() -> None:
    """Five groups of five characters, none of which looks like another."""
    password = users.new_password()

    characters = password.replace("-", "")
    assert [len(group) for group in password.split("-")] == [5, 5, 5, 5, 5]
    assert len(characters) * math.log2(32) >= 100
    assert not set(characters) & set("lo01")
    assert len({users.new_password() for _ in range(100)}) == 100


def test_a_hash_is_argon2id_in_the_form_that_dovecot_takes() -> None:
    """PHC text of Argon2id with one lane, as libsodium (through which Dovecot verifies) makes it."""
    text = users.hash_password("secret")

    parameters = extract_parameters(text)
    assert parameters.type is Type.ID
    assert parameters.parallelism == 1
    assert len(text) < 128
    assert users.matches(User("app", text, ()), "secret")
    assert not users.matches(User("app", text, ()), "Secret")


def test_a_login_sends_as_declared_domains_and_addresses_in_them() -> None:
    """Both forms are kept in lower case, each once."""
    found = users.add((APP,), "shop", lambda: HASH, ["Example.com", "Shop@Example.org", "example.com"], stack())

    assert found == (APP, User("shop", HASH, ("example.com", "shop@example.org")))


@pytest.mark.parametrize(
    ("login", "send_as", "words"),
    [
        ("app", ["example.com"], "exists already"),
        ("shop", ["example.net"], "lies in no declared domain"),
        ("shop", ["a@mail.example.com"], "lies in no declared domain"),
        ("shop", [], "nobody"),
        ("shop", ["@example.com"], "nothing to send as"),
        ("shop", ["$(id)@example.com"], "nothing to send as"),
        ("shop:x", ["example.com"], "is no login"),
        ("shop\nroot", ["example.com"], "is no login"),
        ("Shop", ["example.com"], "is no login"),
        ("", ["example.com"], "is no login"),
    ],
)
def test_a_credential_that_cannot_be_is_refused(login: str, send_as: list[str], words: str) -> None:
    """Nothing reaches a passwd file or a login map that could end a field or a line; no password is hashed for it."""

    def never() -> str:
        raise AssertionError

    with pytest.raises(UsageError, match=words) as refused:
        users.add((APP,), login, never, send_as, stack())

    assert str(refused.value).isprintable()


def test_removing_a_login_that_is_not_there_names_those_that_are() -> None:
    """A typing error is mended without another command."""
    assert users.remove((APP,), "app") == ()

    with pytest.raises(UsageError, match="Did you mean app"):
        users.remove((APP,), "ap")
