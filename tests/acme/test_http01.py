"""Proof by HTTP: every host that may be asked has the answer before anybody asks, and none keeps it."""

from collections.abc import Callable, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from sendwright.acme.http01 import Address, HttpProof, fetch
from sendwright.acme.proof import Challenge, both
from sendwright.connections import Fleet
from sendwright.deploys import challenges as answers
from sendwright.errors import AuthorityRefused, NotShown, SendwrightError, Unreachable
from sendwright.report.progress import Progress
from sendwright.ssh import Result
from sendwright.stack import Host
from tests.acme.proving_world import COM, MX1, MX2, challenge, stack

POLICY = f"mta-sts.{COM}"
OWN = challenge(MX1, "own", "http-01")
SHARED = challenge(POLICY, "shared", "http-01")


@dataclass
class There:
    """A host at the other end: what it has, and what it answers commands with. Plays a `Connection`."""

    host: Host
    has: dict[str, str] = field(default_factory=dict)
    fails: Result | None = None
    commands: int = 0

    def run(self, script: str, stdin: bytes = b"", timeout: float = 120.0) -> Result:
        """Do what the two scripts do."""
        del timeout
        if self.fails:
            return self.fails
        lines = stdin.decode().splitlines()
        if script == answers.put_command():
            self.has |= dict(line.split(" ") for line in lines)
        elif script == answers.remove_command():
            for token in lines:
                self.has.pop(token, None)
        return Result(b"", b"", 0)


class Hosts(Fleet):
    """A fleet whose hosts are in memory."""

    def __init__(self, hosts: Iterable[Host]) -> None:
        super().__init__(hosts, Path())
        self.there = {name: There(host) for name, host in self.hosts.items()}

    def _connection(self, name: str) -> Any:
        return self.there[name]

    def get(self, address: Address, _name: str, path: str) -> bytes:
        """Answer by HTTP."""
        host = next(h for h in self.there.values() if address in h.host.addresses)
        return host.has.get(path.rpartition("/")[2], "404 Not Found").encode()

    @property
    def shown(self) -> dict[str, set[str]]:
        """The tokens that each host has."""
        return {name: {*there.has} for name, there in self.there.items()}


@pytest.fixture
def hosts() -> Hosts:
    """Return both hosts of the stack."""
    return Hosts(stack().hosts)


@pytest.fixture
def proof(hosts: Hosts) -> HttpProof:
    """Return a proof by them."""
    return HttpProof(hosts, stack(), Progress(held=True), hosts.get)


def test_every_host_that_a_name_leads_to_has_its_answer_while_the_authority_looks(
    hosts: Hosts, proof: HttpProof
) -> None:
    """A host's own name leads to it alone, that of a policy to all that serve it; afterwards nobody has it."""
    with proof((OWN, SHARED)):
        shown = hosts.shown

    assert shown == {MX1: {"own", "shared"}, MX2: {"shared"}}
    assert hosts.shown == {MX1: set(), MX2: set()}


def test_answers_go_whatever_happened_to_the_order(hosts: Hosts, proof: HttpProof) -> None:
    """The authority may refuse it, and a person may break it off."""
    with pytest.raises(KeyboardInterrupt), proof((OWN,)):
        raise KeyboardInterrupt

    assert hosts.shown[MX1] == set()


def test_a_host_that_is_given_up_ends_the_proof_of_the_names_that_lead_to_it(hosts: Hosts, proof: HttpProof) -> None:
    """The authority might ask it; names of others go on."""
    hosts.give_up(MX2, Unreachable(MX2, "no answer."))

    with pytest.raises(NotShown, match=MX2) as caught, proof((OWN, SHARED)):
        raise AssertionError
    with proof((OWN,)):
        shown = hosts.shown

    assert caught.value.names == {POLICY}
    assert shown == {MX1: {"own"}, MX2: set()}


def test_a_host_that_cannot_take_an_answer_is_not_given_up_for_that(hosts: Hosts, proof: HttpProof) -> None:
    """Mail does not hang on a certificate."""
    hosts.there[MX1].fails = Result(b"", b"mkdir: No space left\x1b[2J on device\n", 1)

    with pytest.raises(NotShown, match="No space left") as caught, proof((OWN,)):
        raise AssertionError

    assert "\x1b" not in str(caught.value)
    assert not hosts.errors


def test_a_host_that_is_out_of_this_run_is_named(hosts: Hosts) -> None:
    """It may be asked all the same."""
    del hosts.hosts[MX2]

    with (
        pytest.raises(NotShown, match=f"{MX2}: it may be asked"),
        HttpProof(hosts, stack(), Progress(held=True), hosts.get)((SHARED,)),
    ):
        raise AssertionError


def test_whatever_else_answers_at_the_address_is_said_before_the_authority_asks(hosts: Hosts) -> None:
    """Another web server, or something in front of the host; its words are shown harmlessly."""
    said = HttpProof(hosts, stack(), Progress(held=True), lambda *_: b"\x1b[31mIt works!" + b"x" * 500)

    with pytest.raises(NotShown, match=r"at port 80 of 203\.0\.113\.10 is .*It works!") as caught, said((OWN,)):
        raise AssertionError

    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert hosts.shown[MX1] == set()


def test_what_cannot_be_looked_at_from_here_is_left_to_the_authority(hosts: Hosts) -> None:
    """A controller may have no way to port 80 where all the world has."""

    def refused(*_: object) -> bytes:
        raise ConnectionRefusedError(111, "Connection refused")

    with HttpProof(hosts, stack(), Progress(held=True), refused)((OWN,)):
        assert hosts.shown[MX1] == {"own"}


def test_a_name_that_nobody_answers_for_is_refused(proof: HttpProof) -> None:
    """Nothing of the inventory is behind it."""
    with (
        pytest.raises(NotShown, match="no host of the inventory"),
        proof((challenge(f"www.{COM}", "t", "http-01"),)),
    ):
        raise AssertionError


@pytest.mark.parametrize("token", ["../../etc/passwd", "", "a b", "a\nb", "a" * 200, "a/b", "$(id)", "é"])
def test_an_authority_s_token_never_becomes_another_file_s_name(hosts: Hosts, proof: HttpProof, token: str) -> None:
    """It is base64url, or nothing is shown (RFC 8555 section 8.3)."""
    hostile = Challenge(MX1, "http-01", token, f"{token}.thumbprint")

    with pytest.raises(AuthorityRefused, match="base64url"), proof((hostile,)):
        raise AssertionError

    assert hosts.shown[MX1] == set()


def test_each_challenge_is_shown_in_the_way_that_it_asks_for() -> None:
    """By both at once where an order needs both; neither is entered for nothing, both are left."""
    seen: list[str] = []

    def prove(word: str) -> Callable[[tuple[Challenge, ...]], Any]:
        @contextmanager
        def shown(challenges: tuple[Challenge, ...]) -> Any:
            seen.append(f"{word} {' '.join(c.token for c in challenges)}")
            try:
                yield
            finally:
                seen.append(f"no {word}")

        return shown

    dispatch = both(prove("dns"), prove("http"))
    with suppress(SendwrightError), dispatch((OWN, challenge(POLICY, "p"), challenge(MX1, "m"))):
        raise SendwrightError("refused.")
    with dispatch((OWN,)):
        pass

    assert seen == ["http own", "dns p m", "no dns", "no http", "http own", "no http"]


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        good = self.path == "/good" and self.headers["Host"] == MX1
        body = b"answer\n" if good else b"x" * 100_000
        self.send_response(200 if good or self.path == "/long" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_look_by_http_is_bounded_and_asks_as_the_authority_does() -> None:
    """By the name, at the address; what is too long or refused is no answer."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        here, port = ip_address("127.0.0.1"), server.server_port

        assert fetch(here, MX1, "/good", port) == b"answer\n"
        assert fetch(here, MX1, "/bad", port) == b"404 Not Found"
        assert len(fetch(here, MX1, "/long", port)) == 1024
        server.shutdown()
