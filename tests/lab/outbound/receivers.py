"""Strangers' servers that our hosts send to: real Postfix, each at its own address, and policies by real nginx."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sendwright.lab import Lab, RRset, ZoneSpec
from sendwright.lab.machine import File, write
from tests.lab.verify import certificates
from tests.lab.verify.certificates import Signed

ZONE = "strangers.example"
# Delegated without DS: what lies in it anybody may have written.
UNSIGNED = "unsigned.example"
# Seconds: tests wait for as long until a host asks again.
_TTL = 5
_POLICIES = "198.51.100.250"
_MAIN = """compatibility_level = 3.6
alias_maps =
alias_database =
mydestination =
mynetworks =
# Whatever their domain: it is taken, and thrown away.
virtual_mailbox_domains = regexp:/etc/postfix/domains
virtual_transport = discard:
smtpd_relay_restrictions = reject_unauth_destination
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
maillog_file =
"""
_REST = """tlsmgr     unix - - n 1000? 1 tlsmgr
rewrite    unix - - n - - trivial-rewrite
proxymap   unix - - n - - proxymap
anvil      unix - - n - 1 anvil
cleanup    unix n - n - 0 cleanup
qmgr       unix n - n 300 1 qmgr
error      unix - - n - - error
discard    unix - - n - - discard
bounce     unix - - n - 0 bounce
defer      unix - - n - 0 bounce
"""


@dataclass(frozen=True)
class Stranger:
    """A destination, and what it says and shows.

    ``tlsa``: whether its TLSA record is ``right`` or ``wrong``, if it has one; ``policy``: the mode of its MTA-STS
    policy; ``mx``: the host that the policy names, if not its own; ``trusted``: whether its certificate is by an
    authority that our hosts trust; ``tls``: whether it offers any; ``before``: a host that is tried before its own,
    with a certificate that nobody trusts and no TLSA record.
    """

    label: str
    octet: int
    tlsa: str = ""
    policy: str = ""
    mx: str = ""
    trusted: bool = False
    tls: bool = True
    before: int = 0
    zone: str = ZONE

    @property
    def domain(self) -> str:
        """Its name."""
        return f"{self.label}.{self.zone}"

    @property
    def host(self) -> str:
        """Its own MX host."""
        return f"mx.{self.domain}"


DANE = Stranger("dane", 1, tlsa="right")
DANE_WRONG = Stranger("dane-wrong", 2, tlsa="wrong")
# Its certificate is as its policy wants it; its TLSA record says that it is somebody else's.
DANE_WRONG_STS = Stranger("dane-wrong-sts", 3, tlsa="wrong", policy="enforce", trusted=True)
DANE_STS_WRONG = Stranger("dane-sts-wrong", 4, tlsa="right", policy="enforce", mx="mx.elsewhere.example")
DANE_HALF = Stranger("dane-half", 5, tlsa="right", policy="enforce", trusted=True, before=20)
STS = Stranger("sts", 6, policy="enforce", trusted=True)
STS_MX = Stranger("sts-mx", 7, policy="enforce", mx="mx.elsewhere.example", trusted=True)
STS_UNTRUSTED = Stranger("sts-untrusted", 8, policy="enforce")
STS_PLAIN = Stranger("sts-plain", 9, policy="enforce", tls=False)
STS_TESTING = Stranger("sts-testing", 10, policy="testing")
STS_LATE = Stranger("sts-late", 11, policy="enforce", trusted=True)
NEITHER = Stranger("neither", 12)
PLAIN = Stranger("plain", 13, tls=False)
OVERRIDDEN = Stranger("overridden", 14, tlsa="wrong", policy="enforce")
DEMANDED = Stranger("demanded", 15, tls=False)
# Nobody has signed its TLSA record, which is wrong: its policy counts.
STS_UNSIGNED = Stranger("sts", 16, tlsa="wrong", policy="enforce", trusted=True, zone=UNSIGNED)
ALL = (
    *(DANE, DANE_WRONG, DANE_WRONG_STS, DANE_STS_WRONG, DANE_HALF),
    *(STS, STS_MX, STS_UNTRUSTED, STS_PLAIN, STS_TESTING, STS_LATE),
    *(NEITHER, PLAIN, OVERRIDDEN, DEMANDED, STS_UNSIGNED),
)


def policy_records(stranger: Stranger) -> tuple[RRset, ...]:
    """Return what says that it has a policy, and where."""
    domain = stranger.domain
    record = RRset(f"_mta-sts.{domain}", "TXT", _TTL, ('"v=STSv1; id=1;"',))
    return record, RRset(f"mta-sts.{domain}", "A", _TTL, (_POLICIES,))


class Strangers:
    """All of them, with the certificates that they show."""

    def __init__(self) -> None:
        self.authority = certificates.authority()

    @cached_property
    def trusted(self) -> Signed:
        """What those show whom our hosts trust: one certificate with all their names."""
        return certificates.leaf(self.authority, *(s.host for s in ALL if s.trusted))

    @cached_property
    def untrusted(self) -> Signed:
        """What all others show."""
        return certificates.leaf(None, *(s.host for s in ALL if not s.trusted))

    @cached_property
    def zones(self) -> tuple[ZoneSpec, ...]:
        """What they publish."""
        return tuple(
            ZoneSpec(zone, tuple(record for each in ALL if each.zone == zone for record in self._records(each)))
            for zone in (ZONE, UNSIGNED)
        )

    def _records(self, stranger: Stranger) -> list[RRset]:
        domain, host = stranger.domain, stranger.host
        exchanges = (f"10 before.{domain}.", f"20 {host}.") if stranger.before else (f"10 {host}.",)
        found = [RRset(domain, "MX", _TTL, exchanges), RRset(host, "A", _TTL, (_address(stranger.octet),))]
        if stranger.before:
            found.append(RRset(f"before.{domain}", "A", _TTL, (_address(stranger.before),)))
        if stranger.tlsa:
            digest = self._digest(stranger) if stranger.tlsa == "right" else "00" * 32
            found.append(RRset(f"_25._tcp.{host}", "TLSA", _TTL, (f"3 1 1 {digest}",)))
        return [*found, *(policy_records(stranger) if stranger.policy else ())]

    def _digest(self, stranger: Stranger) -> str:
        shown = self.trusted if stranger.trusted else self.untrusted
        key = shown.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(key).hexdigest()

    def start(self, lab: Lab) -> None:
        """Start them on the machine that serves the lab's DNS."""
        lab.primary.replace(".", [RRset(UNSIGNED, "DS", _TTL, ())])
        lab.secondary.retrieve(".")
        lab.forget()
        octets = [octet for s in ALL for octet in (s.octet, s.before) if octet]
        for address in (*map(_address, octets), _POLICIES):
            lab.world.run(["ip", "address", "replace", f"{address}/32", "dev", "eth0"])
        master = [line for s in ALL for line in _smtpd(s)]
        files = {
            "/etc/postfix/main.cf": File(_MAIN),
            "/etc/postfix/master.cf": File("\n".join(master) + "\n" + _REST),
            "/etc/postfix/domains": File("/example$/ ok\n"),
            "/etc/postfix/trusted.pem": File(self.trusted.pem, 0o600),
            "/etc/postfix/untrusted.pem": File(self.untrusted.pem, 0o600),
            "/etc/nginx/policies.pem": File(self._policies.pem, 0o600),
            "/etc/nginx/nginx.conf": File(_nginx()),
        }
        write(lab.world.root, files)
        lab.world.run(["systemctl", "start", "postfix@-", "nginx"])

    @cached_property
    def _policies(self) -> Signed:
        return certificates.leaf(self.authority, *(f"mta-sts.{s.domain}" for s in ALL if s.policy))


def _address(octet: int) -> str:
    return f"198.51.100.{octet}"


def _smtpd(stranger: Stranger) -> list[str]:
    lines = []
    certificate = "trusted" if stranger.trusted else "untrusted"
    for octet, shown in ((stranger.octet, certificate), (stranger.before, "untrusted")):
        if octet:
            lines += [f"{_address(octet)}:25 inet n - n - - smtpd", f"  -o myhostname={stranger.host}"]
            lines += [f"  -o smtpd_tls_chain_files=/etc/postfix/{shown}.pem"]
            lines += [] if stranger.tls else ["  -o smtpd_tls_security_level=none"]
    return lines


def _nginx() -> str:
    servers = "".join(
        f"server {{ listen {_POLICIES}:443 ssl; server_name mta-sts.{s.domain};"
        " ssl_certificate /etc/nginx/policies.pem; ssl_certificate_key /etc/nginx/policies.pem;"
        f' default_type text/plain; location / {{ return 200 "{_policy(s)}"; }} }}\n'
        for s in ALL
        if s.policy
    )
    return f"user www-data;\nevents {{}}\nhttp {{ server_names_hash_bucket_size 128;\n{servers}}}\n"


def _policy(stranger: Stranger) -> str:
    return f"version: STSv1\\nmode: {stranger.policy}\\nmx: {stranger.mx or stranger.host}\\nmax_age: 604800\\n"
