"""Made-up hosts for unit tests of ``verify --hosts``: one that is as its inventory says, to be broken."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sendwright import certs, dkim, inventory, planning
from sendwright.deploys.guard import USER as GUARD
from sendwright.deploys.probe import ChrootAnswer, Smtp
from sendwright.observation import Observation, PathState, Stamp, Stray, UnitState
from sendwright.preflight import Outbound
from sendwright.service import Release, Running, Service
from sendwright.stack import DkimAlgorithm, Stack
from sendwright.state.model import DkimKey, KeyStage, State
from sendwright.verify.inside.facts import Facts
from sendwright.verify.inside.look import Inside, Listener, Room
from sendwright.verify.look import Answer, Told

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MX1 = "mx1.example.com"
WRITTEN, STARTED, NOTED, LATER = 100.0, 50.0, 200.0, 300.0
GIGABYTE = 1024**3
_EGRESS = {"egress": [{"public": "203.0.113.10"}, {"public": "2001:db8::10"}]}
_SERVER = {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "any", "secret": {"env": "ANY"}}}

_PROCESSES = (
    *((("root", "master"), 1), (("postfix", "qmgr"), 1), (("postfix", "pickup"), 1), (("opendkim", "opendkim"), 2)),
    *(
        ((GUARD, "python3"), 1),
        (("sendwright-tlspolicy", "python3"), 1),
        (("root", "dovecot"), 1),
        (("unbound", "unbound"), 1),
        (("root", "sshd"), 3),
    ),
)
_SETTINGS = """\
milter_default_action = tempfail
internal_mail_filter_classes = bounce, notify
smtp_tls_security_level = dane
smtp_dns_support_level = dnssec
smtp_tls_policy_maps = texthash:/etc/postfix/tls_overrides, socketmap:unix:sendwright-tlspolicy/socket:tlspolicy
smtpd_forbid_bare_newline = normalize
smtpd_tls_auth_only = yes
smtpd_tls_protocols = >=TLSv1.2
disable_vrfy_command = yes
smtpd_relay_restrictions = reject
mynetworks = 127.0.0.0/8 [::1]/128
inet_protocols = all
smtp_helo_name = mx1.example.com
smtp_bind_address = 203.0.113.10
smtp_bind_address6 = 2001:db8::10
"""


@cache
def stack() -> Stack:
    """One host with both families, and one domain."""
    data = {"dns": {"main": _SERVER}, "domains": {"example.com": {"dns": "main"}}}
    return inventory.parse([(MX1, _EGRESS)], data, "a test")


@cache
def material() -> tuple[tuple[DkimKey, bytes], ...]:
    """A key of each algorithm that signs on the host, and its private part."""
    made = (dkim.generate("example.com", algorithm, NOW - timedelta(3)) for algorithm in DkimAlgorithm)
    return tuple((replace(key, stage=KeyStage.SIGNING, proven_on=(MX1,)), pem) for key, pem in made)


@cache
def state() -> State:
    """What is remembered of them."""
    certificate, _ = certs.issue(stack().host(MX1), NOW - timedelta(10))
    return State(keys=tuple(key for key, _ in material()), certificates=(certificate,))


def services(of: State | None = None) -> tuple[Service, ...]:
    """What should run on the host."""
    return planning.services(stack(), stack().host(MX1), Release.BOOKWORM, of or state())


def observed(found: tuple[Service, ...]) -> Observation:
    """A look at a host that is as these services say."""
    files = {
        f.path: PathState("regular file", f.owner, f.group, f.mode, WRITTEN, f.sha256) for s in found for f in s.files
    }
    folders = {d.path: PathState("directory", d.owner, d.group, d.mode, WRITTEN) for s in found for d in s.directories}
    units = {u.name: u.state for s in found for u in s.units}
    up, masked = UnitState("loaded", "active", "enabled", STARTED), UnitState("masked", "inactive", "masked")
    kept = tuple(Stray(f.path) for s in found for f in s.files if f.path.startswith("/etc/opendkim/keys/"))
    return Observation(
        *("debian 12", Release.BOOKWORM, True, True, NOW.timestamp(), 10 * GIGABYTE),
        addresses=frozenset(stack().host(MX1).addresses),
        packages={name: "1" for s in found for name in s.packages},
        users=frozenset(user.name for s in found for user in s.users),
        memberships=frozenset(pair for s in found for pair in s.memberships),
        paths=folders | files,
        entries=kept,
        units={name: up if wanted is Running.UP else masked for name, wanted in units.items()},
        stamps={s.name: Stamp(s.digest, NOTED) for s in found},
        lifetime=timedelta(days=3),
        managed=True,
    )


def listener(address: str, port: int, program: str = "master", kind: str = "tcp") -> Listener:
    """A socket that waits for others."""
    return Listener(kind, ip_address(address), port, frozenset({program}))


def served(pem: str | None = None) -> bytes:
    """The certificate that is served, in DER: the declared one, unless another chain is given."""
    chain = pem or state().certificates[0].chain
    return x509.load_pem_x509_certificate(chain.encode()).public_bytes(Encoding.DER)


def inside() -> Inside:
    """What such a host is like from the inside."""
    tls, open_line = frozenset({"auth", "pipelining"}), frozenset({"starttls", "pipelining"})
    spool = "/var/spool/postfix"
    return Inside(
        processes=dict(_PROCESSES),
        listeners=frozenset(
            {
                *(listener(address, port) for address in ("0.0.0.0", "::") for port in (25, 465, 587)),  # noqa: S104
                *(listener(a, 53, "unbound", kind) for a in ("127.0.0.1", "::1") for kind in ("tcp", "udp")),
                listener("0.0.0.0", 22, "sshd"),  # noqa: S104
            }
        ),
        sockets=frozenset(
            f"{spool}/{name}"
            for name in (
                "sendwright-sasl/auth",
                "sendwright-guard/guard.sock",
                "sendwright-tlspolicy/socket",
                "opendkim/rsa.sock",
                "opendkim/ed25519.sock",
            )
        ),
        settings=dict(line.split(" = ") for line in _SETTINGS.splitlines()),
        relays={"smtp/inet": "reject_unauth_destination", "submission/inet": "$submission_relay_restrictions"},
        room=Room(40 * GIGABYTE, 30 * GIGABYTE, 1_000_000, 900_000),
        chroot=ChrootAnswer(answered=True, ad=True),
        smtp={
            25: Smtp(MX1, open_line, open_line - {"starttls"}, served()),
            587: Smtp(MX1, open_line, tls, served()),
            465: Smtp(MX1, frozenset(), tls, served()),
        },
    )


def facts() -> Facts:
    """Everything that was found on a host that is as it should be."""
    found, host = services(), stack().host(MX1)
    names = (
        Answer(MX1, "A", Told.FOUND, ("203.0.113.10",)),
        Answer(MX1, "AAAA", Told.FOUND, ("2001:db8::10",)),
    )
    whole = Facts(stack(), state(), host, found, observed(found), inside(), NOW, NOW + timedelta(seconds=1), names)
    return replace(whole, outbound=Outbound.OPEN)
