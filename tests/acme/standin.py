"""An authority of our own that speaks ACME over TLS on loopback, as RFC 8555 and RFC 9773 describe it.

It checks what a client sends, and does what no authority on a good day does: whatever ``faults`` says.
"""

import base64
import json
import secrets
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from acme import jws
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from josepy.jwa import HS256
from josepy.jwk import JWK, JWKOct

from sendwright.acme.proof import Challenge

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; a ``body`` that is no bytes is sent as JSON."""

    status: int
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def octets(self) -> bytes:
        """The body as it is sent."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def problem(code: str, detail: str, status: int = 403, **more: Any) -> Answer:
    """Return a refusal (RFC 8555 section 6.7); ``retry_after`` goes into the header of that name."""
    headers = {"Content-Type": "application/problem+json"}
    if "retry_after" in more:
        headers["Retry-After"] = str(more.pop("retry_after"))
    return Answer(status, {"type": f"urn:ietf:params:acme:error:{code}", "detail": detail, **more}, headers)


class Refuses(Exception):
    """Carries a refusal out of the depth of an answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


#: What is done in place of an answer: another answer, or anything with the connection.
Fault = Answer | Callable[["Handler"], None]


class StandIn(ThreadingHTTPServer):
    """The authority. ``faults``: what it does, one request after another, when asked for a kind of resource."""

    daemon_threads = True
    # A client that has given up is no news.
    block_on_close = False

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.base = f"https://127.0.0.1:{self.server_address[1]}"
        self.directory = f"{self.base}/directory"
        self.trust = folder / "authority.pem"
        self.stopping = threading.Event()
        self.faults: dict[str, list[Fault]] = {}
        self.asked: list[str] = []
        self.nonces: set[str] = set()
        self.accounts: dict[str, dict[str, Any]] = {}
        self.orders: dict[str, dict[str, Any]] = {}
        self.authorizations: dict[str, dict[str, Any]] = {}
        self.chains: dict[str, str] = {}
        #: The authorization that is shown for a name, by the kind of challenge and the name.
        self.shown: dict[tuple[str, str], str] = {}
        self.proven: list[Challenge] = []
        self.external: dict[str, bytes] = {}
        self.meta: dict[str, Any] = {"termsOfService": f"{self.base}/terms"}
        self.window: tuple[datetime, datetime] | None = None
        self.life, self.age = 90 * _DAY, _DAY / 24
        self.serial = iter(range(1, 10**6))
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._root = self._signed("a stand-in authority", self._key, None)
        self.trust.write_bytes(self._root.public_bytes(serialization.Encoding.PEM))
        self.socket = self._context(folder).wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, *where: Any) -> None:
        """Tell of mistakes here; clients that hang up on faults are none."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(*where)

    def _context(self, folder: Path) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        leaf = self._signed("127.0.0.1", key, [x509.IPAddress(ip_address("127.0.0.1"))])
        (folder / "server.pem").write_bytes(pem + leaf.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem")
        return context

    def _signed(
        self,
        name: str,
        key: Any,
        names: list[x509.GeneralName] | None,
        life: timedelta = _DAY,
        age: timedelta = _DAY / 24,
    ) -> Any:
        begin = datetime.now(UTC) - age
        public = key if hasattr(key, "public_bytes") else key.public_key()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a stand-in authority")])
        made = (
            x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + life)
            .add_extension(x509.BasicConstraints(names is None, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if names is not None:
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return made.sign(self._key, hashes.SHA256())

    @contextmanager
    def prove(self, challenges: tuple[Challenge, ...]) -> Iterator[None]:
        """Show answers where this authority looks for them: the ``Prove`` of these tests."""
        shown = {(c.kind, c.name): c.authorization for c in challenges}
        self.shown |= shown
        self.proven += challenges
        try:
            yield
        finally:
            for key in shown:
                del self.shown[key]

    def nonce(self) -> str:
        """Give a nonce out, to be used once (section 6.5)."""
        made = secrets.token_urlsafe(16)
        self.nonces.add(made)
        return made

    def answer(self, method: str, kind: str, name: str, body: bytes) -> Answer:
        """Return the answer for a resource: its kind, and its name among those of its kind."""
        try:
            if method != "POST":
                return self._open(kind, name)
            payload, account = self._signed_request(kind, name, body)
            return getattr(self, f"_{kind}")(name, payload, account)  # type: ignore[no-any-return]
        except Refuses as refused:
            return refused.answer

    def _open(self, kind: str, name: str) -> Answer:
        """Answer what needs no signature."""
        if kind == "newNonce":
            return Answer(200)
        if kind == "renewalInfo" and name and self.window:
            start, end = (moment.isoformat() for moment in self.window)
            return Answer(200, {"suggestedWindow": {"start": start, "end": end}}, {"Retry-After": "21600"})
        if kind != "directory":
            return problem("malformed", "Method not allowed", 405)
        kinds = ("newNonce", "newAccount", "newOrder", *(("renewalInfo",) if self.window else ()))
        return Answer(200, {kind: f"{self.base}/{kind}" for kind in kinds} | {"meta": self.meta})

    def _signed_request(self, kind: str, name: str, body: bytes) -> tuple[dict[str, Any], str]:
        """Return the payload of a request and the account that it is of (section 6.2)."""
        signed = jws.JWS.json_loads(body.decode())
        header = signed.signature.combined
        nonce = base64.urlsafe_b64encode(header.nonce).rstrip(b"=").decode()
        if nonce not in self.nonces:
            raise Refuses(problem("badNonce", "JWS has an invalid anti-replay nonce", 400))
        self.nonces.remove(nonce)
        path = f"/{kind}/{name}" if name else f"/{kind}"
        if header.url != self.base + path:
            raise Refuses(problem("unauthorized", "JWS has another url"))
        if (kind == "newAccount") is bool(header.kid):
            raise Refuses(problem("malformed", "jwk for newAccount, kid for all else", 400))
        if header.kid and header.kid not in self.accounts:
            raise Refuses(problem("accountDoesNotExist", "unable to find account", 400))
        key = header.jwk or self.accounts[header.kid]["key"]
        if not signed.verify(key):
            raise Refuses(problem("malformed", "JWS verification error", 400))
        if header.kid:
            return json.loads(signed.payload or b"{}"), header.kid
        return {**json.loads(signed.payload), "key": key}, ""

    def _newAccount(self, _: str, payload: dict[str, Any], __: str) -> Answer:  # noqa: N802 - the resource's name
        known = next((uri for uri, a in self.accounts.items() if a["key"] == payload["key"]), None)
        if known is not None:
            return self._account(known.rsplit("/", 1)[-1], {}, known)
        if payload.get("onlyReturnExisting"):
            raise Refuses(problem("accountDoesNotExist", "no account is of that key", 400))
        if not payload.get("termsOfServiceAgreed"):
            raise Refuses(problem("userActionRequired", "agree to the terms"))
        if self.meta.get("externalAccountRequired"):
            self._bound(payload)
        uri = f"{self.base}/account/{next(self.serial)}"
        self.accounts[uri] = {"contact": [], **payload, "status": "valid"}
        made = self._account(uri.rsplit("/", 1)[-1], {}, uri)
        return Answer(201, made.body, made.headers)

    def _bound(self, payload: dict[str, Any]) -> None:
        """Check an external account binding (section 7.3.4)."""
        if "externalAccountBinding" not in payload:
            raise Refuses(problem("externalAccountRequired", "no external account binding"))
        binding = jws.JWS.from_json(payload["externalAccountBinding"])
        secret = self.external.get(str(binding.signature.combined.kid))
        inner = JWK.from_json(json.loads(binding.payload))
        if secret is None or not binding.verify(JWKOct(key=secret)) or inner != payload["key"]:
            raise Refuses(problem("unauthorized", "the external account binding does not verify"))
        assert binding.signature.combined.alg == HS256

    def _account(self, name: str, payload: dict[str, Any], account: str) -> Answer:
        uri = f"{self.base}/account/{name}"
        assert uri == account
        if self.accounts[uri]["status"] != "valid":
            raise Refuses(problem("unauthorized", "account is deactivated", 401))
        if "contact" in payload:
            self.accounts[uri]["contact"] = payload["contact"]
        shown = {key: value for key, value in self.accounts[uri].items() if key != "key"}
        return Answer(200, shown, {"Location": uri})

    def _newOrder(self, _: str, payload: dict[str, Any], account: str) -> Answer:  # noqa: N802 - the resource's name
        name = str(next(self.serial))
        authorizations = []
        for identifier in payload["identifiers"]:
            place = str(next(self.serial))
            kinds = ("http-01", "dns-01", "tls-alpn-01", "from-the-future-01")
            challenges = [
                {
                    "type": kind,
                    "url": f"{self.base}/challenge/{place}.{kind}",
                    "status": "pending",
                    "token": secrets.token_urlsafe(32),
                }
                for kind in kinds
            ]
            self.authorizations[place] = {"identifier": identifier, "status": "pending", "challenges": challenges}
            authorizations.append(f"{self.base}/authorization/{place}")
        self.orders[name] = {
            "status": "pending",
            "identifiers": payload["identifiers"],
            "authorizations": authorizations,
            "finalize": f"{self.base}/finalize/{name}",
            "account": account,
        }
        shown = self._order(name, {}, account)
        return Answer(201, shown.body, shown.headers)

    def _order(self, name: str, _: dict[str, Any], account: str) -> Answer:
        order = self.orders.get(name)
        if order is None or order["account"] != account:
            raise Refuses(problem("malformed", "no such order", 404))
        states = {self.authorizations[url.rsplit("/", 1)[-1]]["status"] for url in order["authorizations"]}
        if order["status"] == "pending":
            order["status"] = "invalid" if "invalid" in states else "ready" if states == {"valid"} else "pending"
        shown = {key: value for key, value in order.items() if key != "account"}
        return Answer(200, shown, {"Location": f"{self.base}/order/{name}"})

    def _authorization(self, name: str, _: dict[str, Any], __: str) -> Answer:
        return Answer(200, self.authorizations[name])

    def _challenge(self, name: str, payload: dict[str, Any], account: str) -> Answer:
        assert not payload
        place, kind = name.split(".")
        authorization = self.authorizations[place]
        challenge = next(c for c in authorization["challenges"] if c["type"] == kind)
        domain = authorization["identifier"]["value"]
        thumbprint = base64.urlsafe_b64encode(self.accounts[account]["key"].thumbprint()).rstrip(b"=").decode()
        if self.shown.get((kind, domain)) == f"{challenge['token']}.{thumbprint}":
            authorization["status"] = challenge["status"] = "valid"
        else:
            authorization["status"] = challenge["status"] = "invalid"
            challenge["error"] = problem("unauthorized", f"nothing of ours is at {domain}").body
        return Answer(200, challenge, {"Link": f'<{self.base}/authorization/{place}>;rel="up"'})

    def _finalize(self, name: str, payload: dict[str, Any], account: str) -> Answer:
        self._order(name, {}, account)
        order = self.orders[name]
        if order["status"] != "ready":
            raise Refuses(problem("orderNotReady", f"it is {order['status']}"))
        csr = x509.load_der_x509_csr(base64.urlsafe_b64decode(payload["csr"] + "=="))
        names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if sorted(names.get_values_for_type(x509.DNSName)) != sorted(i["value"] for i in order["identifiers"]):
            raise Refuses(problem("badCSR", "other names than those of the order"))
        leaf = self._signed("a leaf", csr.public_key(), list(names), self.life, self.age)
        both = (leaf, self._root)
        self.chains[name] = "".join(c.public_bytes(serialization.Encoding.PEM).decode() for c in both)
        order |= {"status": "valid", "certificate": f"{self.base}/certificate/{name}"}
        return self._order(name, {}, account)

    def _certificate(self, name: str, _: dict[str, Any], __: str) -> Answer:
        return Answer(200, self.chains[name].encode(), {"Content-Type": "application/pem-certificate-chain"})


class Handler(BaseHTTPRequestHandler):
    """One connection with a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: StandIn

    def do_GET(self) -> None:
        """Answer, or do what the faults say."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.kind, _, self.name = self.path.lstrip("/").partition("/")
        self.server.asked.append(self.kind)
        self.answer = partial(self.server.answer, self.command, self.kind, self.name, body)
        queue = self.server.faults.get(self.kind, [])
        fault = queue.pop(0) if queue else self.answer()
        if isinstance(fault, Answer):
            self.send(fault)
        else:
            fault(self)

    do_POST = do_HEAD = do_GET  # noqa: N815 - as http.server calls them

    def send(self, answer: Answer) -> None:
        """Send an answer, with a nonce (section 6.5)."""
        self.send_response(answer.status)
        headers = {"Content-Type": "application/json", "Replay-Nonce": self.server.nonce(), **answer.headers}
        for name, value in {**headers, "Content-Length": str(len(answer.octets))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.octets)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def lost(handler: Handler) -> None:
    """Do what was asked for, and be cut off before the answer."""
    handler.answer()
    handler.close_connection = True


def deaf(handler: Handler) -> None:
    """Be cut off before anything is done."""
    handler.close_connection = True


def hangs(handler: Handler) -> None:
    """Take the request, and say nothing."""
    handler.server.stopping.wait(30)
    handler.close_connection = True


def trickles(handler: Handler) -> None:
    """Send an answer octet by octet, each before anybody calls it silence."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while not handler.server.stopping.wait(0.1):
        handler.wfile.write(b" ")
    handler.close_connection = True


def never_ends(handler: Handler) -> None:
    """Send an answer without end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    handler.close_connection = True
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        handler.wfile.write(b"[" * 65536)


def hangs_up(handler: Handler) -> None:
    """End the connection in the middle of an answer."""
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a"')
    handler.close_connection = True


@contextmanager
def running(folder: Path) -> Iterator[StandIn]:
    """Run a stand-in while the block runs."""
    server = StandIn(folder)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
