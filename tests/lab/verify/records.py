"""What the zones of this world hold: one good domain, and many that are broken in one way each."""

import hashlib
from collections.abc import Iterator

import dns.rdatatype
import dns.zone
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sendwright.lab import RRset, ZoneSpec
from tests.lab.verify.hostile import PEERS
from tests.lab.verify.keys import HOST, of_bad, of_good
from tests.lab.verify.servers import BAD, FILTERED, GOOD, POLICIES, POLICIES_OF, REFUSED, SERVICES, Certificates

_TTL = 60
# Names are relative to the zone, and each domain has what its breakage needs and nothing else.
_GOOD = f"""
@               IN MX   10 mx
@               IN TXT  "v=spf1 mx -all"
@               IN CAA  0 issue "lab.example"
mx              {HOST}
_dmarc          IN TXT  "v=DMARC1; p=reject; rua=mailto:dmarc@{GOOD}"
_smtp._tls      IN TXT  "v=TLSRPTv1; rua=mailto:tls@{GOOD}"
_mta-sts        IN TXT  "v=STSv1; id=20261122"
_submissions._tcp IN SRV 0 1 465 submit
_submission._tcp  IN SRV 0 1 587 submit
"""
_HOSTILE = "\n".join(f"{name} IN MX 10 mx.{name}\nmx.{name} IN A {address}" for name, (address, _) in PEERS.items())
_BIG = " ".join(['"v=spf1 "', *(f'"ip4:198.51.100.{n} "' for n in range(40)), '"-all"'])
_BAD = f"""
@               IN MX  10 mx.{GOOD}.
@               IN TXT "v=spf1 mx -all"
mx-void         IN MX  10 nowhere
mx-alias        IN MX  10 alias
alias           IN CNAME mx.{GOOD}.
mx-private      IN MX  10 private
private         IN A   10.1.2.3
null-mx         IN MX  0 .
null-mx         IN TXT "v=spf1 a:mx.{GOOD} -all"

no-spf          IN MX  10 mx.{GOOD}.
two-spf         IN TXT "v=spf1 mx -all"
two-spf         IN TXT "v=spf1 a -all"
spf-syntax      IN TXT "v=spf1 ipv4:192.0.2.1 -all"
eleven          IN TXT "v=spf1 {" ".join(f"a:a{n}.{BAD}" for n in range(11))} -all"
{chr(10).join(f"a{n} IN A 198.51.100.10" for n in range(11))}
voids           IN TXT "v=spf1 a:v1.{BAD} a:v2.{BAD} a:v3.{BAD} -all"
includes        IN TXT "v=spf1 include:no-spf.{BAD} -all"
loop            IN TXT "v=spf1 include:loop2.{BAD} -all"
loop2           IN TXT "v=spf1 include:loop.{BAD} -all"
big             IN TXT {_BIG}
grown           IN TXT "v=spf1 ip4:198.51.100.10" "-all"
ptr             IN TXT "v=spf1 ptr -all"
plus-all        IN TXT "v=spf1 +all"
wide            IN TXT "v=spf1 ip4:0.0.0.0/1 ip4:128.0.0.0/1 -all"
after           IN TXT "v=spf1 -all ip4:198.51.100.10"
old-type        IN TXT "v=spf1 mx -all"
old-type        IN SPF "v=spf1 a -all"

no-dkim         IN TXT "v=spf1 mx -all"

no-report       IN TXT "v=spf1 mx -all"
_dmarc.two-dmarc    IN TXT "v=DMARC1; p=reject"
_dmarc.two-dmarc    IN TXT "v=DMARC1; p=none"
_dmarc.dmarc-syntax IN TXT "v=DMARC1; p"
_dmarc.lax          IN TXT "v=DMARC1; p=none; rua=mailto:dmarc@{GOOD}"
_dmarc.lax-below    IN TXT "v=DMARC1; p=reject; sp=none; rua=mailto:dmarc@{GOOD}"
_dmarc.dmarc-test   IN TXT "v=DMARC1; p=reject; t=y; rua=mailto:dmarc@{GOOD}"
_dmarc.removed      IN TXT "v=DMARC1; p=reject; pct=50; rua=mailto:dmarc@{GOOD}"
_dmarc.unknown      IN TXT "v=DMARC1; p=reject; polcy=none; rua=mailto:dmarc@{GOOD}"
_dmarc.organised    IN TXT "v=DMARC1; p=reject; psd=y; rua=mailto:dmarc@{GOOD}"
_dmarc.no-report    IN TXT "v=DMARC1; p=reject"
_dmarc.lost-report  IN TXT "v=DMARC1; p=reject; rua=mailto:dmarc@nowhere.{BAD}"
_dmarc.no-consent   IN TXT "v=DMARC1; p=reject; rua=mailto:dmarc@{GOOD}"
two-dmarc       {HOST}
dmarc-syntax    {HOST}
lax             {HOST}
lax-below       {HOST}
dmarc-test      {HOST}
removed         {HOST}
unknown         {HOST}
organised       {HOST}
lost-report     {HOST}
no-consent      {HOST}

caa             IN CAA 128 tbs "unknown"
caa             {HOST}

_mta-sts.two-sts    IN TXT "v=STSv1; id=1"
_mta-sts.two-sts    IN TXT "v=STSv1; id=2"
two-sts         IN MX 10 mx.{GOOD}.
no-sts          IN MX 10 mx.{GOOD}.
_smtp._tls.two-rpt  IN TXT "v=TLSRPTv1; rua=mailto:tls@{GOOD}"
_smtp._tls.two-rpt  IN TXT "v=TLSRPTv1; rua=mailto:dmarc@{GOOD}"
two-rpt         IN MX 10 mx.{GOOD}.
default._bimi.bimi  IN TXT "v=BIMI1; l=http://logo.example/logo.svg"
_dmarc.bimi     IN TXT "v=DMARC1; p=none; rua=mailto:dmarc@{GOOD}"
bimi            IN MX 10 mx.{GOOD}.
default._bimi.logo  IN TXT "v=BIMI1; l=https://mta-sts.{GOOD}/logo.svg"
_dmarc.logo     IN TXT "v=DMARC1; p=reject; rua=mailto:dmarc@{GOOD}"
logo            IN MX 10 mx.{GOOD}.
default._bimi.lax-logo IN TXT "v=BIMI1; l=https://mta-sts.{GOOD}/logo.svg"
_dmarc.lax-logo IN TXT "v=DMARC1; p=none; rua=mailto:dmarc@{GOOD}"
lax-logo        IN MX 10 mx.{GOOD}.

refused         IN MX 10 mx.refused
mx.refused      IN A  {REFUSED}
filtered        IN MX 10 mx.filtered
mx.filtered     IN A  {FILTERED}
plain           IN MX 10 mx.{GOOD}.
_submission._tcp.plain   IN SRV 0 1 587 submit.plain
nobody          IN MX 10 mx.{GOOD}.
_submission._tcp.nobody  IN SRV 0 1 587 submit.nobody
no-auth         IN MX 10 mx.{GOOD}.
_submission._tcp.no-auth IN SRV 0 1 587 submit.no-auth
listed          IN MX 10 mx.{GOOD}.

{_HOSTILE}
huge            IN TXT {" ".join('"' + "x" * 250 + '"' for _ in range(120))}
huge            IN TXT "v=spf1 -all"
huge            IN MX 10 mx.{GOOD}.
control         IN TXT "v=spf1 exists:\\027[31m\\007<script>alert\\(1\\)</script> -all"
control         IN MX  10 mx.{GOOD}.
_dmarc.control  IN TXT "v=DMARC1; p=\\027]0;owned\\007<img src=x onerror=alert\\(1\\)>"
circle          IN CNAME circle2
circle2         IN CNAME circle
"""
# Breakages of the zone itself: the name of a zone each.
PLAIN = ("lame.example", "stale.example", "alias-ns.example", "single.example", "bogus.example")
BARE = "bare.example"
# Between the root and all others, as in the world: where delegations are looked at.
TLD = "example"
# What its inventory says is nothing of this.
ASTRAY = f"""
@    IN MX  10 mx.{GOOD}.
@    IN TXT "v=spf1 ip4:192.0.2.99 -all"
mx   IN A   198.51.100.70
mx   IN TXT "v=spf1 -all"
_dmarc IN TXT "v=DMARC1; p=reject; aspf=s; adkim=s"
"""
_PLAIN = f"""
@    IN MX  10 mx.{GOOD}.
@    IN TXT "v=spf1 mx -all"
"""


def rrsets(zone: str, text: str) -> tuple[RRset, ...]:
    """Read records in master-file form, relative to a zone."""
    parsed = dns.zone.from_text(f"$TTL {_TTL}\n{text}", origin=f"{zone}.", relativize=False, check_origin=False)
    found = []
    for name, rdataset in parsed.iterate_rdatasets():
        kind = dns.rdatatype.to_text(rdataset.rdtype)
        values = tuple(sorted(item.to_text() for item in rdataset))
        found.append(RRset(name.to_text(omit_final_dot=True), kind, _TTL, values))
    return tuple(found)


def zones(certs: Certificates) -> tuple[ZoneSpec, ...]:
    """Return every zone that the lab's primary holds."""
    good = [*_GOOD.splitlines(), *_servers(GOOD), *_tlsa(certs, GOOD), *_policies(GOOD), *of_good(), *_consents()]
    bad = [*_BAD.splitlines(), *_servers(BAD), *_tlsa(certs, BAD), *_policies(BAD), *of_bad()]
    return (
        ZoneSpec(TLD),
        ZoneSpec(GOOD, rrsets(GOOD, "\n".join(good))),
        ZoneSpec(BAD, rrsets(BAD, "\n".join(bad))),
        ZoneSpec(BARE, rrsets(BARE, '@ IN TXT "v=spf1 ip4:198.51.100.10 -all"')),
        *(ZoneSpec(name, rrsets(name, _PLAIN)) for name in PLAIN),
    )


def pointers() -> tuple[RRset, ...]:
    """Return the PTR records of the servers' addresses, as their provider has them."""
    special = {
        "198.51.100.35": (),
        "198.51.100.70": (f"mx.{GOOD}.",),
        "198.51.100.36": (f"mx.{GOOD}.",),
        "198.51.100.37": (f"mx.unusable-tlsa.{BAD}.", f"other.{BAD}."),
        "198.51.100.38": ("198-51-100-38.dyn.isp.example.",),
    }
    usual = {s.address: (f"{s.name}.",) for s in SERVICES}
    found = []
    for address, names in {**usual, **special}.items():
        reverse = ".".join(reversed(address.split("."))) + ".in-addr.arpa"
        found += [RRset(reverse, "PTR", _TTL, names)] if names else []
    return tuple(found)


def _servers(zone: str) -> Iterator[str]:
    for service in SERVICES:
        if service.name.endswith(f".{zone}"):
            yield f"{service.name}. IN A {service.address}"
            label, _, domain = service.name.partition(".")
            if label == "mx" and domain != GOOD:
                yield f"{domain}. IN MX 10 {service.name}."
    if zone == BAD:
        yield f'mx.unusable-tlsa.{BAD}. IN TXT "v=spf1 a -all"'


def _tlsa(certs: Certificates, zone: str) -> Iterator[str]:
    served, without = {"expired", "ending", "one-tlsa"}, {"no-tlsa", "self-signed", "wrong-name", "sha1", "short-key"}
    for service in SERVICES:
        name = service.name.removesuffix(f".{BAD}").removeprefix("mx.")
        if service.ports != (25,) or not service.name.endswith(f".{zone}") or name in without:
            continue
        digest = _digest(certs.of(service).certificate.public_key())
        other = hashlib.sha256(b"the next key").hexdigest()
        digests = [digest] if name in served else [digest, other]
        digests = [other] if name == "wrong-tlsa" else digests
        usage = 0 if name == "unusable-tlsa" else 3
        for each in digests:
            yield f"_25._tcp.{service.name}. IN TLSA {usage} 1 1 {each}"


def _policies(zone: str) -> Iterator[str]:
    for policy in POLICIES_OF:
        if policy.domain.endswith(zone):
            yield f"mta-sts.{policy.domain}. IN A {POLICIES}"
            if policy.domain != GOOD:
                yield f'_mta-sts.{policy.domain}. IN TXT "v=STSv1; id=1"'
                yield f"{policy.domain}. IN MX 10 mx.{GOOD}."


def _consents() -> Iterator[str]:
    for name in ("lax", "lax-below", "dmarc-test", "removed", "unknown", "organised", "bimi", "logo", "lax-logo"):
        yield f'{name}.{BAD}._report._dmarc IN TXT "v=DMARC1"'


def _digest(key: object) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()  # type: ignore[attr-defined]
