"""APIs that answer by the octet, without end, or from elsewhere: both clients give them up, and show no key."""

import contextlib
import gzip
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pytest

from sendwright.dns.providers.cloudflare import CloudflareDns
from sendwright.dns.providers.cloudflare_api import Api as CloudflareApi
from sendwright.dns.providers.cloudflare_batches import batches
from sendwright.dns.providers.cloudflare_refusals import Refused
from sendwright.dns.providers.limiter import Allowance, Limiter, Policy
from sendwright.dns.providers.powerdns import PowerDnsServer
from sendwright.dns.providers.powerdns_api import Api as PowerDnsApi
from sendwright.errors import DnsError, ServerUnreachable
from tests.dns.cloudflare_http import Answer
from tests.dns.cloudflare_standin import TOKEN, StandIn
from tests.dns.cloudflare_world import ZONE, many, opened, zone_id

KEY = "correct-horse"
HEADERS = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


@contextmanager
def _raw(parts: Callable[[], Iterable[bytes]], pause: float = 0.0) -> Iterator[tuple[int, list[bytes]]]:
    """Answer each request by those octets, with a pause before each part; yield the port, and what was asked."""
    asked: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            while request := connection.recv(65536):
                asked.append(request)
                for part in parts():
                    time.sleep(pause)
                    connection.sendall(part)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1], asked
        listener.shutdown(socket.SHUT_RDWR)


def _cloudflare(port: int, seconds: float) -> CloudflareDns:
    limiter = Limiter("Cloudflare", Allowance(Policy(10**6, 1)), sleep=lambda _: None, report=lambda _: None)
    return CloudflareDns.by(CloudflareApi(TOKEN, limiter, f"http://127.0.0.1:{port}/client/v4", seconds), 0)


def _powerdns(port: int, seconds: float) -> PowerDnsServer:
    return PowerDnsServer(PowerDnsApi(f"http://127.0.0.1:{port}", "localhost", KEY, seconds), 0)


@pytest.mark.parametrize("make", [_cloudflare, _powerdns])
@pytest.mark.parametrize("start", [HEADERS + b"x-slow: ", HEADERS + b"content-length: 100000\r\n\r\n["])
def test_an_answer_that_comes_by_the_octet_is_given_up(
    make: Callable[[int, float], CloudflareDns | PowerDnsServer], start: bytes
) -> None:
    """It is never silent for long, in its headers or in its body; it has to be whole in time all the same."""
    started = time.monotonic()

    with (
        _raw(lambda: [start, *[b" "] * 400], 0.025) as (port, _),
        pytest.raises(ServerUnreachable, match="answer"),
    ):
        make(port, 0.1).zones([ZONE])

    assert time.monotonic() - started < 8


def test_of_a_change_whose_answer_comes_by_the_octet_the_outcome_is_unknown(standin: StandIn) -> None:
    """It may have been carried out, so it is not sent again."""
    zone = opened(standin).directory.zone(ZONE)
    (batch,) = batches(many(1), {})

    with (
        _raw(lambda: [HEADERS + b"x-slow: ", *[b" "] * 400], 0.025) as (port, asked),
        pytest.raises(ServerUnreachable, match="took the changes and gave no answer") as caught,
    ):
        _cloudflare(port, 0.1).api.change(zone, batch)

    assert "unknown" in caught.value.hint
    assert len(asked) == 1


def test_a_packed_answer_is_not_unpacked() -> None:
    """A few octets would become more than there is room for; nobody asked for that."""
    body = gzip.compress(b"[" * 1_000_000)
    answer = HEADERS + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body) + body

    with _raw(lambda: [answer]) as (port, asked), pytest.raises(ServerUnreachable, match="DecodingError"):
        _cloudflare(port, 5).zones([ZONE])

    assert b"accept-encoding: identity" in asked[0].lower()


def test_pages_without_end_come_to_an_end() -> None:
    """Each says that there are more."""
    zone = {"id": "a", "name": "example.net"}
    page = json.dumps({"success": True, "result": [zone], "result_info": {"total_pages": 10**9}}).encode()
    answer = HEADERS + b"content-length: %d\r\n\r\n" % len(page) + page

    with _raw(lambda: [answer]) as (port, asked), pytest.raises(DnsError, match="does not come to an end"):
        _cloudflare(port, 5).zones([ZONE])

    assert len(asked) == 2000


def test_a_redirect_is_not_followed(standin: StandIn) -> None:
    """Whoever answers elsewhere is not the API."""
    with _raw(lambda: [HEADERS + b"content-length: 0\r\n\r\n"]) as (port, asked):
        standin.faults["zones", 1] = Answer(307, b"", {"location": f"http://127.0.0.1:{port}/client/v4/zones"})
        with pytest.raises(DnsError, match="HTTP 307"):
            opened(standin).zones([ZONE])

    assert asked == []


def test_a_ttl_that_no_record_can_have_is_not_the_apis(standin: StandIn) -> None:
    """No clock could be set by it."""
    standin.add(zone_id(standin), ZONE, "A", "192.0.2.1", ttl=10**30)

    with pytest.raises(DnsError, match="something that is not its API's"):
        opened(standin).read(ZONE, [(ZONE, "A")])


def test_names_of_servers_that_are_none_are_told_as_such(standin: StandIn) -> None:
    """And not shown."""
    standin.zones[zone_id(standin)]["name_servers"] = ["a b\n", "\x1b[2J"]

    with pytest.raises(DnsError, match="servers of it that are no names") as caught:
        opened(standin).read(ZONE, [(ZONE, "NS")])
    assert "\x1b" not in str(caught.value)


def test_a_token_that_is_quoted_where_its_answer_is_cut_does_not_show() -> None:
    """Not even the first half of it."""
    said = "x" * (200 - len(TOKEN) // 2) + TOKEN

    for body in ({"errors": [{"code": 1, "message": said}]}, said):
        assert TOKEN[:8] not in Refused.of(400, body, TOKEN).said


def test_nothing_that_is_logged_holds_the_token(standin: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    """However much the SDK and its HTTP client are asked to tell."""
    for name in ("cloudflare", "httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, name)
    provider = opened(standin)
    provider.apply(ZONE, many(1))
    standin.faults["records", 2] = Answer.error(403, 9109, f"no: {TOKEN}")
    with pytest.raises(DnsError) as caught:
        provider.read(ZONE, [])

    assert "HTTP Request" in caplog.text
    assert TOKEN not in caplog.text + str(caught.value)


_FROM_ENVIRONMENT = f"""
from tests.dns.test_hostile_http import _cloudflare, _powerdns
import sys
try:
    (_cloudflare if sys.argv[1] == "cloudflare" else _powerdns)(int(sys.argv[2]), 5).zones(["{ZONE}"])
except Exception as error:
    print(error)
"""


@pytest.mark.parametrize(("provider", "key"), [("cloudflare", TOKEN), ("powerdns", KEY)])
def test_the_environment_changes_neither_the_key_nor_where_it_goes(provider: str, key: str) -> None:
    """A proxy for readable HTTP never sees PowerDNS' key, and no variable puts another token into the place of ours."""
    page = b'{"success": true, "result": []}'
    answer = HEADERS + b"content-length: %d\r\n\r\n" % len(page) + page
    with _raw(lambda: [answer]) as (port, asked), _raw(list) as (proxy, seen):
        environment = {
            **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
            "CLOUDFLARE_CUSTOM_HEADERS": "Authorization: Bearer another\nX-Auth-Key: another",
            "CLOUDFLARE_API_KEY": "another",
            "CLOUDFLARE_EMAIL": "another",
            "CLOUDFLARE_LOG": "debug",
            **({"http_proxy": f"http://127.0.0.1:{proxy}", "no_proxy": ""} if provider == "powerdns" else {}),
        }
        done = subprocess.run(
            [sys.executable, "-c", _FROM_ENVIRONMENT, provider, str(port)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )

    assert seen == []
    assert key.encode() in asked[0]
    assert b"another" not in asked[0]
    assert key not in done.stdout + done.stderr
