"""The lab's certificate authority: Pebble, and in front of it what makes it refuse, or be gone, when a test says so.

Pebble draws a new root each time it starts and forgets all accounts, so it is never stopped: nginx before it is.
"""

import datetime as dt
import http.client
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from sendwright.errors import LabError
from sendwright.lab import inbox, netns
from sendwright.lab.machine import File, Machine, write
from sendwright.lab.spec import AUTHORITY
from sendwright.lab.waiting import until
from sendwright.lab.world import LOCAL_ZONES, render
from sendwright.lab.zones import AUTHORITY_NAME

_FOLDER = "/etc/sendwright-authority"
_PORT, _MANAGEMENT = 14000, 15000
_PEBBLE, _RESOLVER, _FRONT = (f"sendwright-authority-{part}" for part in ("pebble", "resolver", "front"))
_UNIT = "[Service]\n{settings}ExecStart={command}\n"
# Valid proofs are not used again and no nonce is refused: what happens is the same each time.
_PEBBLES = "".join(
    f"Environment={setting}\n" for setting in ("PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "PEBBLE_AUTHZREUSE=0")
)
_COMMANDS = {
    _PEBBLE: (_PEBBLES, f"/usr/bin/pebble -strict -dnsserver {AUTHORITY[0]}:53 -config {_FOLDER}/pebble.json"),
    _RESOLVER: ("", f"/usr/sbin/unbound -d -c {_FOLDER}/unbound.conf"),
    _FRONT: ("", f"/usr/sbin/nginx -c {_FOLDER}/nginx.conf -g 'daemon off;'"),
}
_YEAR = dt.timedelta(days=365)


@dataclass(frozen=True)
class Authority:
    """A certificate authority that speaks ACME, on a machine of a lab; whatever it issues is trusted in all of it."""

    machine: Machine

    @property
    def directory(self) -> str:
        """The URL of its directory (RFC 8555 section 7.1.1)."""
        return f"https://{AUTHORITY_NAME}/dir"

    @property
    def root(self) -> str:
        """The certificate of its root, PEM: of what it issues, and of its own server's."""
        return (self._folder / "root.pem").read_text()

    @property
    def _folder(self) -> Path:
        return self.machine.root / _FOLDER.lstrip("/")

    def issued(self, key: bytes, names: Sequence[str], begins: dt.datetime, ends: dt.datetime) -> str:
        """Return a certificate that its root signed without being asked by anybody: PEM, for a life of any length.

        Arguments: ``key``: a private key, PEM; ``names``: the first one is the subject, too.
        """
        return _signed(self.root, (self._folder / "root-key.pem").read_bytes(), key, names, begins, ends)

    @contextmanager
    def refusing(self, why: str = "The server will not issue certificates for the identifier") -> Iterator[None]:
        """Refuse every order while the block runs."""
        with self._manner("rejectedIdentifier", 403, why, ""):
            yield

    @contextmanager
    def limiting(self, seconds: int = 3600) -> Iterator[None]:
        """Want no orders for this many seconds while the block runs."""
        with self._manner("rateLimited", 429, "too many certificates already issued", f"Retry-After {seconds}"):
            yield

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Refuse every connection while the block runs."""
        self.machine.run(["systemctl", "stop", _FRONT])
        try:
            yield
        finally:
            self.machine.run(["systemctl", "start", _FRONT])
            self._await("")

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Take every connection and say nothing while the block runs."""
        self.machine.run(["systemctl", "kill", "--signal=STOP", _FRONT])
        try:
            yield
        finally:
            self.machine.run(["systemctl", "kill", "--signal=CONT", _FRONT])

    @contextmanager
    def _manner(self, problem: str, status: int, detail: str, header: str) -> Iterator[None]:
        said = f'{{"type": "urn:ietf:params:acme:error:{problem}", "detail": "{detail}"}}'
        more = f"add_header {header} always;" if header else ""
        refusal = f"default_type application/problem+json; {more} return {status} '{said}';"
        self._become(problem, f"location = /order-plz {{ {refusal} }}\n")
        try:
            yield
        finally:
            self._become("", "")

    def _become(self, manner: str, lines: str) -> None:
        told = f"location = /manner {{ return 200 '{manner}'; }}\n"
        (self._folder / "manner.conf").write_text(lines + told)
        # Not a reload: for a moment, a worker that knows the old configuration would still take connections.
        self.machine.run(["systemctl", "restart", _FRONT])
        self._await(manner)

    def _await(self, manner: str) -> None:
        context = ssl.create_default_context(cadata=self.root)
        until(
            lambda: _get(self.machine, AUTHORITY[0], 443, "/manner", context) == manner.encode(),
            lambda: LabError("the lab's authority does not behave as it was told to."),
            timeout=20,
        )


def prepare(machine: Machine, validity: dt.timedelta) -> None:
    """Write its configuration into the mounted machine; ``validity``: how long its certificates are valid."""
    values = {
        "address": AUTHORITY[0],
        "server": AUTHORITY_NAME,
        "folder": _FOLDER,
        "port": str(_PORT),
        "management": str(_MANAGEMENT),
        "validity": str(int(validity.total_seconds())),
        "local_zones": "\n".join(f'  local-zone: "{zone}" nodefault' for zone in LOCAL_ZONES),
    }
    units = {f"/etc/systemd/system/{unit}.service": _unit(*said) for unit, said in _COMMANDS.items()}
    files = {
        f"{_FOLDER}/pebble.json": File(render("pebble.json", **values)),
        f"{_FOLDER}/pebble.pem": File(inbox.certificate("localhost").pem, 0o600),
        f"{_FOLDER}/unbound.conf": File(render("authority-unbound.conf", **values)),
        f"{_FOLDER}/nginx.conf": File(render("authority-nginx.conf", **values)),
        f"{_FOLDER}/manner.conf": File("location = /manner { return 200 ''; }\n"),
    }
    write(machine.root, files | {path: File(text) for path, text in units.items()})


def start(machine: Machine) -> Authority:
    """Start it on the booted machine, once its world has DNS; LabError with its log if it does not answer."""
    machine.run(["systemctl", "start", _PEBBLE, _RESOLVER])
    root, key = (_await_pebble(machine, f"/{what}/0") for what in ("roots", "root-keys"))
    own = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    now = dt.datetime.now(dt.UTC)
    front = _signed(root.decode(), key, own, [AUTHORITY_NAME], now - dt.timedelta(hours=1), now + _YEAR)
    files = {"front.pem": own.decode() + front, "root.pem": root.decode(), "root-key.pem": key.decode()}
    write(machine.root, {f"{_FOLDER}/{name}": File(text, 0o600) for name, text in files.items()})
    machine.run(["systemctl", "start", _FRONT])
    authority = Authority(machine)
    authority._await("")  # noqa: SLF001 - it is made here
    return authority


def trust(machine: Machine, root: str) -> None:
    """Have a booted machine trust what the authority issues, as it trusts all others of Debian's."""
    file = machine.root / "usr/local/share/ca-certificates/sendwright-lab.crt"
    file.write_text(root)
    machine.run(["update-ca-certificates"], timeout=120)


def _unit(settings: str, command: str) -> str:
    return _UNIT.format(settings=settings, command=command)


def _await_pebble(machine: Machine, path: str) -> bytes:
    # Of its own, and not known to anybody: it is asked on the loopback address of the machine that it runs on.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def failure() -> LabError:
        log = machine.run(["journalctl", "-u", _PEBBLE, "-n", "10", "-o", "cat"], check=False).stdout
        return LabError("the lab's authority did not come up.", f"It says:\n{log}")

    return until(lambda: _get(machine, "127.0.0.1", _MANAGEMENT, path, context), failure, timeout=30)


def _get(machine: Machine, address: str, port: int, path: str, context: ssl.SSLContext) -> bytes | None:
    try:
        with netns.inside(machine.namespace):
            connection = http.client.HTTPSConnection(address, port, timeout=5, context=_named(context))
            connection.request("GET", path, headers={"Host": AUTHORITY_NAME})
            answer = connection.getresponse()
            return answer.read() if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None


def _named(context: ssl.SSLContext) -> ssl.SSLContext:
    # It is reached by its address: no name resolves here.
    context.check_hostname = False
    return context


def _signed(
    root: str, root_key: bytes, key: bytes, names: Sequence[str], begins: dt.datetime, ends: dt.datetime
) -> str:
    issuer = x509.load_pem_x509_certificate(root.encode())
    signer, own = (serialization.load_pem_private_key(pem, None) for pem in (root_key, key))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())  # type: ignore[arg-type]
    made = (
        x509.CertificateBuilder(issuer.subject, subject, own.public_key(), x509.random_serial_number())  # type: ignore[arg-type]
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(identifier, critical=False)
        .sign(signer, hashes.SHA256())  # type: ignore[arg-type]
    )
    return made.public_bytes(Encoding.PEM).decode()
