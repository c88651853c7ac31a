"""Real servers, each broken in one way: Postfix at an address a breakage, nginx for policies of MTA-STS."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from sendwright.lab import Lab
from sendwright.lab.machine import File, write
from tests.lab.verify import certificates
from tests.lab.verify.certificates import Signed

BAD, GOOD = "bad.example", "good.example"
_DAY = timedelta(days=1)
_MAIN = """# Of the tests of verify: services of master.cf are broken on purpose.
compatibility_level = 3.6
alias_maps =
alias_database =
mydestination =
mynetworks = 127.0.0.0/8
# Whatever their domain: nothing is ever delivered.
virtual_mailbox_domains = regexp:/etc/postfix/domains
virtual_mailbox_maps = static:nobody/
smtpd_relay_restrictions = reject_unauth_destination
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
smtpd_tls_protocols = >=TLSv1.2
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtpd_peername_lookup = no
# The tests ask all of them at the same time, from one address.
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_sasl_type = cyrus
smtpd_sasl_local_domain = bad.example
maillog_file =
"""
_REST = """tlsmgr     unix - - n 1000? 1 tlsmgr
rewrite    unix - - n - - trivial-rewrite
proxymap   unix - - n - - proxymap
anvil      unix - - n - 1 anvil
cleanup    unix n - n - 0 cleanup
qmgr       unix n - n 300 1 qmgr
error      unix - - n - - error
bounce     unix - - n - 0 bounce
defer      unix - - n - 0 bounce
postlog    unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Smtpd:
    """One service of Postfix: the name under which it is known, the last octet of its address, its settings.

    ``settings`` of ``-o``; ``certificate``: which of `Certificates`; ``ports``: 465 is TLS from the first byte.
    """

    name: str
    octet: int
    settings: tuple[str, ...] = ()
    certificate: str = ""
    ports: tuple[int, ...] = (25,)

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"198.51.100.{self.octet}"

    def lines(self, certificate: str) -> list[str]:
        """Return its lines of master.cf."""
        options = [f"myhostname={self.name}", f"smtpd_tls_chain_files={certificate}", *self.settings]
        shown = [f"  -o {{ {option} }}" for option in options]
        found = []
        for port in self.ports:
            found += [f"{self.address}:{port} inet n - n - - smtpd", *shown]
            found += ["  -o smtpd_tls_wrappermode=yes"] if port == 465 else []
        return found


def _mx(name: str, octet: int, *settings: str, certificate: str = "", ports: tuple[int, ...] = (25,)) -> Smtpd:
    return Smtpd(f"mx.{name}.{BAD}", octet, settings, certificate, ports)


_AUTH = ("smtpd_sasl_auth_enable=yes", "smtpd_sasl_security_options=noanonymous")
_SUBMISSION = (*_AUTH, "smtpd_tls_security_level=encrypt", "smtpd_tls_auth_only=yes")
# Postfix of its own accord takes suites without a certificate.
_NAMED = "smtpd_tls_mandatory_exclude_ciphers=aNULL"
SERVICES = (
    Smtpd(f"mx.{GOOD}", 10),
    Smtpd(f"submit.{GOOD}", 11, (*_SUBMISSION, _NAMED), ports=(587, 465)),
    _mx("expired", 20, certificate="expired"),
    _mx("wrong-name", 21, certificate="wrong-name"),
    _mx("self-signed", 22, certificate="self-signed"),
    _mx("short-key", 23, certificate="short-key"),
    _mx("sha1", 24, certificate="sha1"),
    _mx("old-tls", 25, "smtpd_tls_protocols=>=TLSv1", "smtpd_tls_ciphers=low", "tls_low_cipherlist=ALL:@SECLEVEL=0"),
    _mx("no-tls", 26, "smtpd_tls_security_level=none"),
    _mx("relay", 27, "mynetworks=0.0.0.0/0", "smtpd_relay_restrictions=permit_mynetworks,reject_unauth_destination"),
    _mx("auth", 28, *_AUTH, "smtpd_tls_auth_only=yes"),
    _mx("banner", 29, "smtpd_banner=welcome ESMTP"),
    _mx("refusing", 30, "smtpd_recipient_restrictions=check_recipient_access regexp:/etc/postfix/refused"),
    _mx("different", 31),
    _mx("different", 32, certificate="different"),
    Smtpd(f"submit.plain.{BAD}", 33, (*_AUTH, "smtpd_tls_auth_only=no"), ports=(587,)),
    Smtpd(f"submit.no-auth.{BAD}", 34, ("smtpd_tls_security_level=encrypt",), ports=(587,)),
    _mx("no-tlsa", 35),
    _mx("wrong-tlsa", 36),
    _mx("unusable-tlsa", 37),
    _mx("one-tlsa", 38),
    Smtpd("mx.unsigned.example", 39),
    _mx("ending", 40, certificate="ending"),
    _mx("null-cipher", 41, "tls_medium_cipherlist=ALL:eNULL:@SECLEVEL=0", certificate="null-cipher"),
    Smtpd(f"submit.nobody.{BAD}", 42, _SUBMISSION, ports=(587,)),
    _mx("short-prime", 43, "smtpd_tls_dh1024_param_file=/etc/postfix/dh1024.pem", certificate="short-prime"),
    _mx(
        "rsa-only", 44, "tls_medium_cipherlist=kRSA:@SECLEVEL=0", "smtpd_tls_protocols=TLSv1.2", certificate="rsa-only"
    ),
    # As Debian ships it, with RSA: Diffie-Hellman over a finite field as well.
    _mx("stock", 45, certificate="stock"),
    Smtpd("mx.astray.example", 70, certificate="wrong-name"),
)
# Key exchanges of TLS 1.2 that ECDSA does not have.
_WITH_RSA = ("null-cipher", "short-prime", "rsa-only", "stock")
ASTRAY = "198.51.100.70"
# Addresses that are there, and what is wrong with them.
REFUSED, FILTERED, POLICIES = "198.51.100.90", "198.51.100.91", "198.51.100.80"


@dataclass(frozen=True)
class Certificates:
    """The authority of this world, and what its servers show."""

    authority: Signed

    @cached_property
    def special(self) -> Mapping[str, Signed]:
        """Those that something is wrong with."""
        by = self.authority
        return {
            "expired": certificates.leaf(by, f"mx.expired.{BAD}", ended=_DAY),
            "ending": certificates.leaf(by, f"mx.ending.{BAD}", ended=-_DAY),
            "wrong-name": certificates.leaf(by, "mx.somebody.example"),
            "self-signed": certificates.leaf(None, f"mx.self-signed.{BAD}"),
            "short-key": certificates.leaf(by, f"mx.short-key.{BAD}", key=certificates.short()),
            "sha1": certificates.with_sha1(by, f"mx.sha1.{BAD}"),
            "different": certificates.leaf(by, f"mx.different.{BAD}"),
            **{n: certificates.leaf(by, f"mx.{n}.{BAD}", key=certificates.rsa_key()) for n in _WITH_RSA},
        }

    @cached_property
    def ordinary(self) -> Signed:
        """What all others show: one certificate with all their names."""
        names = sorted({service.name for service in SERVICES if not service.certificate})
        return certificates.leaf(self.authority, *names)

    def of(self, service: Smtpd) -> Signed:
        """What a service shows."""
        return self.special[service.certificate] if service.certificate else self.ordinary


@dataclass(frozen=True)
class Policy:
    """What nginx says for ``mta-sts.DOMAIN``; ``named``: whether its certificate is for that name."""

    domain: str
    body: str
    status: int = 200
    kind: str = "text/plain"
    named: bool = True


def _policy(domain: str, mode: str = "enforce", mx: str = "", age: int = 604800) -> str:
    return f"version: STSv1\\nmode: {mode}\\nmx: {mx or f'mx.{domain}'}\\nmax_age: {age}\\n"


def _bad_policy(name: str, **changed: object) -> Policy:
    domain = f"{name}.{BAD}"
    body = str(changed.pop("body", "")) or _policy(domain, **changed)  # type: ignore[arg-type]
    return Policy(domain, body)


_LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" version="1.2" baseProfile="tiny-ps" viewBox="0 0 9 9">'
    '<title>Good</title><rect width="9" height="9"/></svg>'
)
POLICIES_OF = (
    Policy(GOOD, _policy(GOOD)),
    _bad_policy("sts-testing", mode="testing"),
    _bad_policy("sts-mx", mx="elsewhere.example"),
    _bad_policy("sts-age", age=3600),
    _bad_policy("sts-syntax", body="version: STSv1\\nmode: sometimes\\n"),
    Policy(f"sts-missing.{BAD}", "", status=404),
    Policy(f"sts-name.{BAD}", _policy(f"sts-name.{BAD}"), named=False),
)


def start(lab: Lab, certs: Certificates) -> None:
    """Start Postfix and nginx on the machine that serves the lab's DNS, at addresses of their own."""
    machine = lab.world
    addresses = sorted({s.address for s in SERVICES} | {REFUSED, FILTERED, POLICIES})
    for address in addresses:
        machine.run(["ip", "address", "replace", f"{address}/32", "dev", "eth0"])
    # What comes in is heard; what is answered never leaves: a firewall that drops.
    machine.run(["ip", "rule", "add", "from", FILTERED, "blackhole"])
    master = [line for service in SERVICES for line in service.lines(f"/etc/postfix/{_file(service)}")]
    files = {"/etc/postfix/main.cf": File(_MAIN), "/etc/postfix/master.cf": File("\n".join(master) + "\n" + _REST)}
    files |= {f"/etc/postfix/{_file(s)}": File(certs.of(s).pem, 0o600) for s in SERVICES}
    files |= {"/etc/postfix/dh1024.pem": File(certificates.SHORT_PRIME)}
    files |= {"/etc/postfix/domains": File("/example$/ ok\n")}
    files |= {"/etc/postfix/refused": File("/^(postmaster|abuse)@/ 550 5.1.1 no such user\n")}
    files |= _nginx(certs)
    write(machine.root, files)
    machine.run(["systemctl", "start", "postfix@-", "nginx"])


def _file(service: Smtpd) -> str:
    return f"{service.certificate or 'ordinary'}.pem"


def _nginx(certs: Certificates) -> dict[str, File]:
    named = certificates.leaf(certs.authority, *(f"mta-sts.{p.domain}" for p in POLICIES_OF if p.named))
    other = certificates.leaf(certs.authority, "somebody.example")
    servers = "".join(
        f"server {{ listen {POLICIES}:443 ssl; server_name mta-sts.{p.domain};"
        f" ssl_certificate /etc/nginx/{'named' if p.named else 'other'}.pem;"
        f" ssl_certificate_key /etc/nginx/{'named' if p.named else 'other'}.pem;"
        f" location /logo.svg {{ types {{ }} default_type image/svg+xml; return 200 '{_LOGO}'; }}"
        f' default_type {p.kind}; location / {{ return {p.status} "{p.body}"; }} }}\n'
        for p in POLICIES_OF
    )
    conf = f"user www-data;\nevents {{}}\nhttp {{ server_names_hash_bucket_size 128;\n{servers}}}\n"
    return {
        "/etc/nginx/nginx.conf": File(conf),
        "/etc/nginx/named.pem": File(named.pem, 0o600),
        "/etc/nginx/other.pem": File(other.pem, 0o600),
    }
