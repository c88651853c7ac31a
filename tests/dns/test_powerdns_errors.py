import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from sendwright.dns.providers.base import Edit, RecordSet
from sendwright.dns.providers.powerdns import PowerDnsServer
from sendwright.dns.providers.powerdns_api import Api
from sendwright.errors import DnsError, NotAllowed, SecretError, ServerUnreachable
from sendwright.providers import PowerDns

ZONE = "example.com"
KEY = "correct-horse"
EMPTY = 200, b'{"rrsets": []}'
EDIT = Edit(ZONE, "A", None, RecordSet(ZONE, "A", 60, ("192.0.2.1",)))
Respond = Callable[[str, str, bytes], tuple[int, bytes]]
Serving = Callable[[Respond], AbstractContextManager[str]]


def _provider(url: str, key: str = KEY, patience: float = 5.0) -> PowerDnsServer:
    return PowerDnsServer(Api(url, "localhost", key, patience), 0)


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (404, b"Not Found", NotAllowed, "no such zone, or no server called localhost"),
        (403, b"", NotAllowed, "does not accept the API key"),
        (
            422,
            b'{"error": "Conflicts with pre-existing RRset"}',
            DnsError,
            "Conflicts with pre-existing RRset; nothing",
        ),
        (422, b'{"error": "a\\u001b[2Jb' + b"c" * 5000 + b'"}', DnsError, "a\\x1b[2Jbccc"),
        (422, b"rubbish", DnsError, r"refused the change (422); nothing was applied"),
        (500, b'{"error": "database is locked"}', ServerUnreachable, "database is locked"),
        (302, b"", DnsError, "answered 302"),
    ],
)
def test_each_refusal_of_a_change_is_explained(
    http_serving: Serving, status: int, body: bytes, kind: type[DnsError], said: str
) -> None:
    """Zone and server are named, the key never; what the API says is printable and cut."""

    def respond(method: str, _path: str, _body: bytes) -> tuple[int, bytes]:
        return (status, body) if method == "PATCH" else EMPTY

    with http_serving(respond) as url, pytest.raises(kind) as caught:
        _provider(url).apply(ZONE, [EDIT])

    assert said in caught.value.what
    assert f"zone {ZONE}: the PowerDNS API at http://127.0.0.1:" in caught.value.what
    assert ("unknown" in caught.value.hint) == (status == 500)
    assert KEY not in str(caught.value) + repr(_provider("https://ns1.example"))
    assert len(caught.value.what) < 500


def test_a_wrong_key_is_told_as_such(http_serving: Serving) -> None:
    """By reading already."""
    with http_serving(lambda *_: EMPTY) as url:
        wrong = _provider(url, "wrong-key")
        for act in (lambda: wrong.zones([ZONE]), lambda: wrong.read(ZONE, [(ZONE, "A")])):
            with pytest.raises(NotAllowed, match="does not accept the API key") as caught:
                act()
            assert "wrong-key" not in str(caught.value)
            assert caught.value.zone == ZONE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"[]",
        b'{"rrsets": 5}',
        b'{"rrsets": [{"name": "example.com."}]}',
        b'{"rrsets": [{"name": "example.com.", "type": "A", "ttl": -1, "records": []}]}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_rubbish_is_told_as_such(http_serving: Serving, body: bytes) -> None:
    """And not quoted."""
    with http_serving(lambda *_: (200, body)) as url, pytest.raises(DnsError, match="something else than") as caught:
        _provider(url).read(ZONE, [(ZONE, "A")])

    assert caught.value.__cause__ is None
    assert caught.value.zone == ZONE


def test_a_server_that_hangs_is_given_up(http_serving: Serving) -> None:
    """A question may be asked again; of a change the outcome is unknown."""

    def respond(method: str, path: str, _body: bytes) -> tuple[int, bytes]:
        if method == "PATCH" or not path.endswith("/example.com."):
            time.sleep(1)
        return EMPTY

    with http_serving(respond) as url:
        provider = _provider(url, patience=0.2)
        with pytest.raises(ServerUnreachable, match="again is safe"):
            provider.zones([ZONE])
        with pytest.raises(ServerUnreachable, match="unknown"):
            provider.apply(ZONE, [EDIT])


def test_nobody_there_is_told_as_such(http_serving: Serving) -> None:
    """Nothing was sent."""
    with http_serving(lambda *_: EMPTY) as url:
        provider = _provider(url)

    with pytest.raises(ServerUnreachable, match="takes no connection"):
        provider.read(ZONE, [(ZONE, "A")])


@pytest.mark.parametrize("key", ["line\nbreak", "nul\0", "clé"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(tmp_path: Path, key: str) -> None:
    """No error of a library gets the chance to quote it."""
    (tmp_path / "key").write_text(key)
    config = PowerDns.model_validate({"provider": "powerdns", "url": "https://ns1.example", "key": {"file": "key"}})

    with pytest.raises(SecretError) as caught:
        PowerDnsServer.of(config, tmp_path)

    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://192.0.2.999:8081", "http://ns1.example.com:8081", "http://8.8.8.8", "http://[2606::1]"]
)
def test_a_key_does_not_travel_readable_over_networks_of_others(url: str) -> None:
    """Plain HTTP is for this machine and for private networks."""
    with pytest.raises(ValueError, match="https"):
        PowerDns.model_validate({"provider": "powerdns", "url": url, "key": {"env": "KEY"}})


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8081", "http://localhost:8081", "http://[::1]:8081", "http://10.0.0.1", "https://8.8.8.8/pdns/"],
)
def test_plain_http_may_be_used_at_home(url: str) -> None:
    """Where it stays on the machine, or in a network of one's own."""
    assert PowerDns.model_validate({"provider": "powerdns", "url": url, "key": {"env": "KEY"}}).url == url


def test_a_port_that_is_none_is_refused() -> None:
    """With the inventory's other mistakes, before anything is tried."""
    with pytest.raises(ValueError, match="Port out of range"):
        PowerDns.model_validate({"provider": "powerdns", "url": "https://ns1.example:99999", "key": {"env": "KEY"}})
