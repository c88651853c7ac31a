"""Renew this host's certificates while a third of their life is left, with the key that they have.

Installed and run by sendwright (``sendwright-renewal.timer``). certbot asks the authority and proves the names; what it
brings is put in place only when it is good. Another key never comes from here: TLSA records name this one, and only the
controller knows when another may be used.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

CONFIG = Path("/etc/sendwright/renewal/renewal.json")
_PART = 3
_HOUR = timedelta(hours=1)
# An authority that refused is not asked each hour (many allow five failures in one), but often enough in what is left.
_LONGEST_WAIT = timedelta(hours=12)
_WAITS_IN_WINDOW = 8
_MOST_SAID = 1000
# What certbot says whatever happened.
_IDLE = ("Saving debug log to", "Some challenges have failed", "Ask for help", "Account registered")
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n?")
_DETAIL = re.compile(r'"detail": ("(?:[^"\\]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*")')


class Failed(Exception):
    """A certificate could not be renewed; what lies there stays."""


@dataclass(frozen=True)
class Certificate:
    """Where a certificate and its key lie, and the names that it has to hold."""

    chain: Path
    key: Path
    names: tuple[str, ...]


@dataclass(frozen=True)
class Daemon:
    """Who loads certificates: a service of sendwright's, its unit, and the files that it loads."""

    name: str
    unit: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Config:
    """What ``renewal.json`` says.

    ``server``: the URL of the authority's directory; ``roots``: a file with the roots that a chain has to lead to, None
    where nobody trusts the authority; ``private``: whether the authority's own server is judged by them, too;
    ``state``: where notes of failures lie; ``stamps``: where it is noted what
    daemons have loaded.
    """

    server: str
    contact: tuple[str, ...]
    webroot: str
    state: Path
    stamps: Path
    roots: str | None
    private: bool
    certificates: tuple[Certificate, ...]
    daemons: tuple[Daemon, ...]


@dataclass(frozen=True)
class Memory:
    """What is remembered from run to run.

    ``failures``: how many there were in a row; ``since``, ``said``: when they began and what the last one was;
    ``again``: when to try again, in epoch seconds. ``loading``: the services that are to load a new certificate;
    ``noting``: those of them whose stamp is ours to renew then.
    """

    failures: int = 0
    since: str = ""
    said: str = ""
    again: float = 0.0
    loading: tuple[str, ...] = ()
    noting: tuple[str, ...] = ()


def read_config(text: str) -> Config:
    """Return what the configuration says; ValueError, KeyError or TypeError when it says nothing that is meant."""
    data = json.loads(text)
    certificates = tuple(Certificate(Path(c["chain"]), Path(c["key"]), tuple(c["names"])) for c in data["certificates"])
    daemons = tuple(Daemon(d["name"], d["unit"], tuple(d["paths"])) for d in data["daemons"])
    return Config(
        data["server"],
        tuple(data["contact"]),
        data["webroot"],
        Path(data["state"]),
        Path(data["stamps"]),
        data["roots"],
        data["private"],
        certificates,
        daemons,
    )


def leaf_of(chain: str) -> x509.Certificate:
    """Return the first certificate of a chain; ValueError when there is none."""
    blocks = _BLOCK.findall(chain)
    if not blocks:
        raise ValueError("it holds no certificate")
    return x509.load_pem_x509_certificate(blocks[0].encode())


def ends(leaf: x509.Certificate) -> datetime:
    """Return when a certificate ends."""
    return _aware(leaf, "not_valid_after")


def window(leaf: x509.Certificate) -> timedelta:
    """Return how long before its end a certificate's renewal begins."""
    return (ends(leaf) - _aware(leaf, "not_valid_before")) / _PART


def due(leaf: x509.Certificate, now: datetime) -> bool:
    """Whether a third of a certificate's life is left, or less."""
    return now >= ends(leaf) - window(leaf)


def _aware(leaf: x509.Certificate, name: str) -> datetime:
    # Debian 12 has cryptography 38, which knows these without a time zone only.
    found: datetime | None = getattr(leaf, f"{name}_utc", None)
    without: datetime = found or getattr(leaf, name)
    return without.replace(tzinfo=UTC)


def names_of(leaf: x509.Certificate) -> frozenset[str]:
    """Return the names that a certificate holds."""
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(name.lower() for name in found.get_values_for_type(x509.DNSName))


def request(key: bytes, names: Iterable[str]) -> bytes:
    """Return the request that asks for a certificate of that key: PEM, with subject alternative names only."""
    private = serialization.load_pem_private_key(key, None)
    holding = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if not isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Failed("its key is neither ECDSA nor RSA")
    made = builder.add_extension(holding, critical=False).sign(private, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


def objection(chain: str, key: bytes, names: Iterable[str], old: x509.Certificate, now: datetime) -> str | None:
    """Return why what came must not be used, or None."""
    try:
        leaf = leaf_of(chain)
    except ValueError as error:
        return f"what came is no certificate: {error}"
    if _public(leaf) != _public(serialization.load_pem_private_key(key, None)):
        return "what came is of another key"
    if missing := sorted(set(names) - names_of(leaf)):
        return f"what came does not name {missing[0]}"
    if not _aware(leaf, "not_valid_before") <= now < ends(leaf):
        return "what came is not valid now"
    if ends(leaf) <= ends(old):
        return "what came does not live longer than what is here"
    return None


def _public(holder: Any) -> bytes:
    # Of a certificate or a private key of whatever kind.
    der, spki = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    encoded: bytes = holder.public_key().public_bytes(der, spki)
    return encoded


def certbot(config: Config, folder: Path) -> list[str]:
    """Return the command that answers ``request.pem`` of a folder with ``chain.pem`` in it."""
    who = ["--email", ",".join(config.contact)] if config.contact else ["--register-unsafely-without-email"]
    own = [f"--{kind}-dir={config.state / 'certbot' / kind}" for kind in ("config", "work", "logs")]
    return [
        *("certbot", "certonly", "--non-interactive", "--agree-tos", "--no-eff-email", *who, *own),
        # A log a run, the last ten of them: Debian's logrotate does not know of these.
        *("--max-log-backups", "9"),
        *("--server", config.server, "--webroot", "--webroot-path", config.webroot, "--preferred-challenges", "http"),
        *("--csr", str(folder / "request.pem"), "--cert-path", str(folder / "leaf.pem")),
        *("--chain-path", str(folder / "rest.pem"), "--fullchain-path", str(folder / "chain.pem")),
    ]


def verify(config: Config, folder: Path) -> list[str]:
    """Return the command that judges ``chain.pem`` of a folder as strangers do."""
    chain, roots = str(folder / "chain.pem"), ["-CAfile", config.roots or "", "-no-CApath", "-no-CAstore"]
    return ["openssl", "verify", *roots, "-purpose", "sslserver", "-untrusted", chain, chain]


def said(output: str) -> str:
    """Return what a program said as one line that may stand in a log."""
    lines = (line.strip() for line in output.splitlines())
    words = " ".join(line for line in lines if line and not line.startswith(_IDLE))
    return "".join(c if c.isprintable() else "?" for c in words)[-_MOST_SAID:]


def wait(failures: int, left: timedelta) -> timedelta:
    """Return how long to leave the authority alone after so many failures in a row.

    Arguments: ``left``: the time in which one may be had: a week's certificate cannot wait half a day each time.
    """
    longest = max(_HOUR, min(_LONGEST_WAIT, left / _WAITS_IN_WINDOW))
    doubled: timedelta = _HOUR * (1 << min(failures - 1, 10))
    return min(longest, doubled)


def digest(name: str, paths: Iterable[str]) -> str:
    """Return what sendwright notes of a service that has loaded these files as they lie on disk."""
    lines = sorted(f"{hashlib.sha256(Path(path).read_bytes()).hexdigest()} {path}" for path in paths)
    return hashlib.sha256("\n".join([name, *lines]).encode()).hexdigest()


# ---- What touches the host


def renew(config: Config, certificate: Certificate) -> str:
    """Return a chain that is better than the one that lies there; Failed when none can be had."""
    old, key = leaf_of(certificate.chain.read_text()), certificate.key.read_bytes()
    with tempfile.TemporaryDirectory(dir=config.state) as name:
        folder = Path(name)
        (folder / "request.pem").write_bytes(request(key, certificate.names))
        try:
            _run(certbot(config, folder), "certbot", {"REQUESTS_CA_BUNDLE": config.roots} if config.private else {})
        except Failed as error:
            raise Failed(f"{error}{detail(config, str(error))}") from error
        chain = (folder / "chain.pem").read_text()
        # Not by the time of when this began: some authorities let a certificate begin at the second that it is made.
        if problem := objection(chain, key, certificate.names, old, datetime.now(UTC)):
            raise Failed(problem)
        if config.roots:
            _run(verify(config, folder), "what came leads to no authority that is trusted", {})
    return "".join(f"{block.strip()}\n" for block in _BLOCK.findall(chain))


def detail(config: Config, known: str) -> str:
    """Return what the authority gave as its reason, where certbot did not say so.

    That of Debian 12 stumbles over the authority's refusals, and only its log has their words (RFC 7807 section 3.1).
    """
    try:
        log = (config.state / "certbot" / "logs" / "letsencrypt.log").read_text(errors="replace")
    except OSError:
        return ""
    found = _DETAIL.findall(log)
    words = said(str(json.loads(found[-1], strict=False))) if found else ""
    return "" if not words or words in known else f" (the authority: {words})"


def _run(argv: list[str], what: str, environment: dict[str, str | None]) -> None:
    more = {name: value for name, value in environment.items() if value}
    try:
        done = subprocess.run(
            argv, check=False, capture_output=True, text=True, errors="replace", timeout=900, env={**os.environ, **more}
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"{what}: {error}") from error
    if done.returncode:
        raise Failed(f"{what}: {said(done.stdout + done.stderr)}")


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Put a file in place of another by one rename, once the disk has it."""
    new = path.with_name(f".{path.name}.sendwright-new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode), "w") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)


def remember(config: Config, memory: Memory) -> None:
    """Write down what is remembered; it is nobody's secret."""
    write(config.state / "memory.json", json.dumps(asdict(memory), indent=1) + "\n")


def recall(config: Config) -> Memory:
    """Return what is remembered; nothing when it cannot be read."""
    try:
        data = json.loads((config.state / "memory.json").read_text())
        counted = (int(data["failures"]), str(data["since"]), str(data["said"]), float(data["again"]))
        return Memory(*counted, tuple(data["loading"]), tuple(data["noting"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Memory()


def load(config: Config, memory: Memory) -> Memory:
    """Have daemons load what lies on disk, and note it as sendwright does; Failed names one that would not.

    Only one that had loaded all that lay there before is noted: for others something is still to be done.
    """
    for daemon in config.daemons:
        if daemon.name in memory.loading:
            _run(["systemctl", "reload", daemon.unit], f"{daemon.unit} did not take the new certificate", {})
        if daemon.name in memory.noting:
            write(config.stamps / daemon.name, digest(daemon.name, daemon.paths) + "\n", 0o600)
    after = replace(memory, loading=(), noting=())
    remember(config, after)
    return after


def noted(config: Config, daemon: Daemon) -> bool:
    """Whether a daemon had loaded all that lies on disk, as far as sendwright has noted."""
    try:
        return (config.stamps / daemon.name).read_text().strip() == digest(daemon.name, daemon.paths)
    except OSError:
        return False


def work(config: Config, now: datetime, *, force: bool) -> list[str]:
    """Renew what is due; return what was renewed, in words. Failed with everything that could not be."""
    memory = recall(config)
    if memory.loading:
        memory = load(config, memory)
    pending = [c for c in config.certificates if force or due(leaf_of(c.chain.read_text()), now)]
    if not pending:
        remember(config, Memory())
        return []
    if not force and now.timestamp() < memory.again:
        again = datetime.fromtimestamp(memory.again, UTC)
        raise Failed(f"{memory.said} (since {memory.since}; the next try is after {again:%Y-%m-%d %H:%M} UTC)")
    done, failures = [], []
    for certificate in pending:
        try:
            chain = renew(config, certificate)
        except Failed as error:
            failures.append(f"{certificate.chain}: {error}")
            continue
        put(config, memory, certificate, chain)
        done.append(f"{certificate.chain}: renewed, it ends on {ends(leaf_of(chain)):%Y-%m-%d %H:%M} UTC")
    if failures:
        left = min(window(leaf_of(c.chain.read_text())) for c in pending)
        remember(config, failed(memory, "; ".join(failures), now, left))
        raise Failed("; ".join(failures))
    remember(config, Memory())
    return done


def put(config: Config, memory: Memory, certificate: Certificate, chain: str) -> None:
    """Put a chain in place and have it loaded; a run that dies in between is finished by the next one."""
    loading = tuple(d for d in config.daemons if str(certificate.chain) in d.paths)
    noting = tuple(d.name for d in loading if noted(config, d))
    before = replace(memory, loading=tuple(d.name for d in loading), noting=noting)
    remember(config, before)
    write(certificate.chain, chain)
    load(config, before)


def failed(memory: Memory, what: str, now: datetime, left: timedelta) -> Memory:
    """Return what is remembered after one more failure."""
    count = memory.failures + 1
    since = memory.since or f"{now:%Y-%m-%d %H:%M} UTC"
    return Memory(count, since, what, (now + wait(count, left)).timestamp())


def main() -> int:
    """Renew what is due; 1 when something that is due could not be renewed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--force", action="store_true", help="renew what is not due yet, too, and at once")
    parser.add_argument("--check", action="store_true", help="read the configuration, and do nothing")
    parser.add_argument("--config", type=Path, default=CONFIG, help="what to go by, instead of the deployed one")
    given = parser.parse_args()
    text = given.config.read_text()
    config = read_config(text)
    if given.check:
        if shutil.which("certbot") is None:
            sys.exit("certbot is not installed")
        return 0
    os.umask(0o022)
    try:
        for line in work(config, datetime.now(UTC), force=given.force):
            print(line)
    except (Failed, OSError, ValueError) as error:
        if not given.config.exists() or given.config.read_text() != text:
            print("the controller changed the certificates meanwhile; the next run goes by what it says now")
            return 0
        print(f"not renewed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
