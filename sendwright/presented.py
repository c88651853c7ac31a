"""What hosts show to the world: the key of their certificate on the ports of mail, and the policies of MTA-STS.

DNS must never promise what nobody has seen: a TLSA record of a key that is not shown stops all mail of senders that
enforce DANE (RFC 7672), and so does a policy that no sender can fetch, once they have heard of it (RFC 8461).
"""

import hashlib
import smtplib
import ssl
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sendwright import sts, tlsa
from sendwright.certparts import STRANGE
from sendwright.connections import Fleet
from sendwright.deploys.probe import Smtp, parse_smtp, smtp_command
from sendwright.escape import plain
from sendwright.ssh import Connection
from sendwright.stack import Address, Host, Stack
from sendwright.state.model import State
from sendwright.verify.asking.fetching import Https
from sendwright.verify.look import Answer, Fetched, Told

# A firewall that drops packets is told from a slow server by waiting.
_SECONDS = 10.0
_AT_ONCE = 16
_LARGEST = 65536
_MAIL = (25, 465, 587)

Greet = Callable[[Address, int], bytes]
Get = Callable[[str, Address], Fetched]


@dataclass(frozen=True)
class Shown:
    """What was seen. ``hosts``: those that show the key of their certificate wherever they were asked.

    ``policies``: the domains all of whose hosts serve the policy that they should, to who verifies their certificate;
    ``faults``: a sentence for each of those that were asked and do not.
    """

    hosts: frozenset[str] = frozenset()
    policies: frozenset[str] = frozenset()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Eyes:
    """How it is looked: ``greet`` answers with the certificate (DER) of an address and port; ``get`` with a policy."""

    greet: Greet
    get: Get


def eyes(trust: Path | None) -> Eyes:
    """Return how this machine looks; ``trust``: authorities in PEM, None for those that it trusts anyway."""
    return Eyes(_certificate, lambda url, address: Https(_At(address), _SECONDS, trust, anywhere=True)(url, _LARGEST))


def look(stack: Stack, state: State, hosts: Iterable[str], fleet: Fleet, through: Eyes) -> Shown:
    """Look at the named hosts; one that cannot be asked from here is asked by itself."""
    names = tuple(hosts)
    asked = [host for host in map(stack.host, names) if host.dane and state.certificate_of(host.name)]
    keys = _keys(asked, state, fleet, through.greet)
    policies = _policies(stack, state, names, through.get)
    faults = (*(why for why in keys.values() if why), *(why for why in policies.values() if why))
    return Shown(
        frozenset(name for name, why in keys.items() if not why),
        frozenset(name for name, why in policies.items() if not why),
        faults,
    )


def _keys(hosts: Iterable[Host], state: State, fleet: Fleet, greet: Greet) -> dict[str, str]:
    hosts = tuple(hosts)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        seen = {
            (host.name, address, port): pool.submit(_seen, greet, address, port)
            for host in hosts
            for address in host.addresses
            for port in host.dane
        }
    answers = {place: future.result() for place, future in seen.items()}
    # Many networks let nobody out by port 25: then the host has to look at itself.
    mute = {name for (name, _, _), answer in answers.items() if isinstance(answer, OSError)}
    own = fleet.each(sorted(mute), _own_look) if mute else {}
    found = {}
    for host in hosts:
        certificate = state.certificate_of(host.name)
        wanted = tlsa.spki_of_chain(certificate.chain) if certificate else ""
        mine = {place: answer for place, answer in answers.items() if place[0] == host.name}
        found[host.name] = next(filter(None, (_fault(p, a, own, wanted) for p, a in mine.items())), "")
    return found


def _fault(
    place: tuple[str, Address, int], answer: bytes | Exception, own: Mapping[str, Smtp | str], wanted: str
) -> str:
    name, address, port = place
    where = f"{name}: port {port} at {address}"
    if isinstance(answer, OSError) and name in own:
        looked = own[name]
        if isinstance(looked, str):
            return f"{where} cannot be asked from here ({_short(answer)}), nor by itself: {plain(looked)[:200]}."
        answer = looked.certificate
    if isinstance(answer, Exception):
        return f"{where} shows no certificate: {_short(answer)}."
    if (spki := _spki(answer)) == wanted:
        return ""
    return f"{where} shows another key ({spki[:16] or 'none'}…) than its certificate has ({wanted[:16]}…)."


def _seen(greet: Greet, address: Address, port: int) -> bytes | Exception:
    try:
        return greet(address, port)
    except (OSError, ValueError) as error:
        # These are OSErrors too, and tell of a server that did answer.
        answered = isinstance(error, smtplib.SMTPException | ssl.SSLError)
        return ValueError(str(error)) if answered else error


def _own_look(connection: Connection) -> Smtp | str:
    host = connection.host
    bound = [e.bind or e.public for e in host.egress]
    result = connection.run(smtp_command(bound[0], next(p for p in _MAIL if p in host.dane)))
    return parse_smtp((result.stdout or result.stderr).decode(errors="replace"))


def _certificate(address: Address, port: int) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Whom it names is not asked: DANE-EE holds for the key alone (RFC 7671 section 5.1).
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if port == 465:
        client: smtplib.SMTP = smtplib.SMTP_SSL(str(address), port, timeout=_SECONDS, context=context)
    else:
        client = smtplib.SMTP(str(address), port, timeout=_SECONDS)
    with client:
        if port != 465:
            client.starttls(context=context)
        channel = client.sock
        return channel.getpeercert(binary_form=True) or b"" if isinstance(channel, ssl.SSLSocket) else b""


def _spki(der: bytes) -> str:
    try:
        key = x509.load_der_x509_certificate(der).public_key()
    except STRANGE:
        return ""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _policies(stack: Stack, state: State, names: Container[str], get: Get) -> dict[str, str]:
    jobs: dict[str, list[tuple[str, Address, str]]] = {}
    exchanges = sts.exchanges(state.claims)
    for domain in stack.domains:
        wanted = sts.policy(stack, domain, exchanges.get(domain.name, ()))
        servers = sts.servers(stack, domain)
        if wanted is not None and all(h.name in names and _trusted(state, h) for h in servers):
            jobs[domain.name] = [(host.name, address, wanted) for host in servers for address in host.addresses]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        futures = {
            name: [pool.submit(_served, name, host, address, wanted, get) for host, address, wanted in places]
            for name, places in jobs.items()
        }
    return {name: next(filter(None, (f.result() for f in found)), "") for name, found in futures.items()}


def _trusted(state: State, host: Host) -> bool:
    """Whether mail is taken with an authority's certificate, too: that of the policy may be another one."""
    certificate = state.certificate_of(host.name)
    return certificate is not None and certificate.mode == "acme"


def _served(domain: str, host: str, address: Address, wanted: str, get: Get) -> str:
    reply = get(f"https://{sts.policy_host(domain)}/.well-known/mta-sts.txt", address)
    where = f"{host}: the policy of {domain} at {address}"
    if reply.failure:
        return f"{where} cannot be fetched: {plain(reply.failure)[:200]}."
    if reply.status != 200 or reply.body != wanted.encode():
        return f"{where} is not the one that it should be (HTTP {reply.status})."
    return ""


def _short(error: Exception) -> str:
    return plain(str(error) or type(error).__name__)[:120]


class _At:
    """Answers any name by one address."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def ask(self, name: str, rdtype: str, /) -> Answer:
        """Return the address if it is of the family that is asked for."""
        if rdtype == ("A" if self._address.version == 4 else "AAAA"):
            return Answer(name, rdtype, Told.FOUND, (str(self._address),))
        return Answer(name, rdtype, Told.NO_DATA)

    def ask_all(self, questions: Sequence[tuple[str, str]], /) -> tuple[Answer, ...]:
        """Return the same for several."""
        return tuple(self.ask(*question) for question in questions)
