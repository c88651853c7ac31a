"""Tools that share no code with ``verify`` agree with it about what hosts show: posttls-finger and testssl.sh."""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from sendwright import tlsa
from sendwright.lab import RRset
from sendwright.lab.clients import wait
from tests.lab.tls.world import FOUR, FOURTH, ONE, TWO, Tls

pytestmark = pytest.mark.lab

_ROOT = "/usr/local/share/ca-certificates/sendwright-lab.crt"
_REPORTS = "var/tmp"


Findings = list[dict[str, Any]]


def statuses(found: Findings, check: str, host: str) -> set[str]:
    """Return how a check was judged at all ports of a host."""
    of = {f["status"] for f in found if f["check"] == check and f["subject"]["name"] == host}
    assert of, (check, host)
    return of


@pytest.fixture(scope="module")
def judged(world_of_certificates: Tls) -> Findings:
    """What ``verify`` finds of the world as it is."""
    return verified(world_of_certificates)


def verified(tls: Tls) -> Findings:
    """Return what ``verify`` finds now; nothing fails but what it is asked about."""
    trust = str(tls.world.declared.stack.acme.trust)
    done = tls.world.sendwright("verify", str(tls.world.folder), "--format", "json", "--trust", trust, "--timeout", "5")
    assert done.returncode in (0, 1), done.stderr
    found: Findings = json.loads(done.stdout)["findings"]
    return found


def finger(tls: Tls, host: str, *argv: str) -> str:
    """Return how posttls-finger judges port 25 of a host."""
    done = tls.world.lab.world.run(["posttls-finger", "-c", *argv, f"[{host}]"], check=False)
    said = done.stdout + done.stderr
    (line,) = [line for line in said.splitlines() if "TLS connection established" in line]
    return line.split()[1]


_DANE = ("-l", "dane-only", "-o", "smtp_dns_support_level=dnssec", "-o", "smtp_host_lookup=dns")
_TRUSTED = ("-l", "secure", "-P", "/etc/ssl/certs")


@pytest.mark.parametrize("host", [ONE, TWO])
def test_posttls_finger_verifies_what_verify_passes(tls: Tls, judged: Findings, host: str) -> None:
    """By TLSA, and by the authority's chain with the host's name."""
    assert finger(tls, host, *_DANE) == "Verified"
    assert finger(tls, host, *_TRUSTED) == "Verified"
    assert statuses(judged, "dane.matches", host) == {"pass"}
    assert statuses(judged, "tls.chain", host) == statuses(judged, "tls.name", host) == {"pass"}


def test_posttls_finger_refuses_what_verify_fails(tls: Tls) -> None:
    """A TLSA record of somebody else's key."""
    with _wrong_record(tls):
        assert finger(tls, FOUR, *_DANE) == "Untrusted"
        assert statuses(verified(tls), "dane.matches", FOUR) == {"fail"}


def test_testssl_sees_what_verify_sees(tls: Tls, judged: Findings) -> None:
    """Versions, chain, name and key; and the very certificate that is remembered. Debian 12 and 13."""
    with ThreadPoolExecutor() as pool:
        reports = dict(zip((ONE, TWO), pool.map(lambda host: scanned(tls, host), (ONE, TWO)), strict=True))

    for host, said in reports.items():
        versions = {v: said[v].startswith("offered") for v in ("SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3")}
        assert [v for v, offered in versions.items() if offered] == ["TLS1_2", "TLS1_3"]
        assert statuses(judged, "tls.protocols", host) == {"pass"}
        assert said["cert_chain_of_trust"].startswith("passed")
        assert said["cert_trust"].startswith("Ok via SAN")
        assert statuses(judged, "tls.chain", host) == statuses(judged, "tls.name", host) == {"pass"}
        assert said["cert_keySize"].startswith("EC 256 bits")
        assert statuses(judged, "tls.key", host) == {"pass"}
        assert said["cert_fingerprintSHA256"].lower() == hashlib.sha256(tls.shown(host)).hexdigest()
        assert statuses(judged, "tls.as-desired", host) == {"pass"}


def scanned(tls: Tls, host: str) -> dict[str, str]:
    """Return what testssl.sh finds of port 25 of a host, by its own names of its findings."""
    world, file = tls.world.lab.world, f"{_REPORTS}/{host}.json"
    (world.root / file).unlink(missing_ok=True)
    quiet = ["--quiet", "--color", "0", "--warnings", "off", "--add-ca", _ROOT, "--jsonfile", f"/{file}"]
    world.run(["testssl", *quiet, "-t", "smtp", "-p", "-S", f"{host}:25"], check=False, timeout=180)
    return {each["id"]: each["finding"] for each in json.loads((world.root / file).read_text())}


@contextmanager
def _wrong_record(tls: Tls) -> Iterator[None]:
    name, before = f"_25._tcp.{FOUR}", tls.at(f"_25._tcp.{FOUR}", "TLSA")
    try:
        _publish(tls, RRset(name, "TLSA", 300, (tlsa.value("00" * 32),)))
        yield
    finally:
        _publish(tls, RRset(name, "TLSA", 300, before))


def _publish(tls: Tls, record: RRset) -> None:
    tls.world.lab.primary.replace(FOURTH, [record])
    wait(tls.caught_up, "the secondary does not have what the primary has")
    tls.world.lab.forget()
