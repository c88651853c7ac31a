import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import checkdmarc.dmarc
import checkdmarc.smtp
import checkdmarc.spf
import pytest
from dns.nameserver import Do53Nameserver

from sendwright.verify import verify
from sendwright.verify.finding import Report, Status
from tests.verify.loopback import from_records, serving
from tests.verify.names import zone

COMMON = f"""
.                  IN SOA a. b. 1 2 3 4 5
mx.host.example.   IN A 192.0.2.25
spf.host.example.  IN TXT "v=spf1 ip4:192.0.2.0/24 -all"
deep.host.example. IN TXT "v=spf1 include:spf.host.example include:spf2.host.example -all"
spf2.host.example. IN TXT "v=spf1 a:mx.host.example -all"
bad.host.example.  IN TXT "v=spf1 ip4:192.0.2.300 -all"
loop1.host.example. IN TXT "v=spf1 include:loop2.host.example -all"
loop2.host.example. IN TXT "v=spf1 include:loop1.host.example -all"
ten.host.example.  IN TXT "v=spf1{" a:mx.host.example" * 10} -all"
"""

SPF = {
    "plain": "v=spf1 ip4:192.0.2.1 -all",
    "nobody": "v=spf1 -all",
    "include": "v=spf1 include:spf.host.example ~all",
    "deep": "v=spf1 mx include:deep.host.example -all",
    "redirect": "v=spf1 redirect=spf.host.example",
    "no-all": "v=spf1 ip4:192.0.2.1",
    "plus-all": "v=spf1 +all",
    "neutral": "v=spf1 ?all",
    "ptr": "v=spf1 ptr -all",
    "exists": "v=spf1 exists:mx.host.example -all",
    "macro": "v=spf1 exists:%{i}._spf.host.example -all",
    "ten": "v=spf1 include:ten.host.example -all",
    "bad-ip": "v=spf1 ip4:192.0.2.300 -all",
    "bad-term": "v=spf1 ipv4:192.0.2.1 -all",
    "bad-macro": "v=spf1 exists:%{z} -all",
    "missing": "v=spf1 include:nobody.host.example -all",
    "bad-include": "v=spf1 include:bad.host.example -all",
    "loop": "v=spf1 include:loop1.host.example -all",
    "self": "v=spf1 include:self.example -all",
    "voids-two": "v=spf1 a:v1.host.example a:v2.host.example -all",
    "voids-three": "v=spf1 a:v1.host.example a:v2.host.example a:v3.host.example -all",
    "two-redirects": "v=spf1 redirect=spf.host.example redirect=spf2.host.example",
    "upper": "V=SPF1 IP4:192.0.2.1 -ALL",
    "after-all": "v=spf1 -all ip4:192.0.2.1",
    "empty": "v=spf1",
    "cidr": "v=spf1 ip4:192.0.2.0/33 -all",
    "ip6": "v=spf1 ip6:2001:db8::/32 -all",
}
DMARC = {
    "none": ("v=DMARC1; p=none; rua=mailto:a@none.example",),
    "reject": ("v=DMARC1; p=reject; rua=mailto:a@reject.example; sp=quarantine; np=reject; adkim=s; aspf=s",),
    "no-rua": ("v=DMARC1; p=quarantine",),
    "no-p": ("v=DMARC1; rua=mailto:a@no-p.example",),
    "bad-p": ("v=DMARC1; p=rejct; rua=mailto:a@bad-p.example",),
    "bad-p-alone": ("v=DMARC1; p=rejct",),
    "p-late": ("v=DMARC1; rua=mailto:a@p-late.example; p=reject",),
    "two": ("v=DMARC1; p=none", "v=DMARC1; p=reject"),
    "and-other": ("v=DMARC1; p=reject", "hello"),
    "unknown": ("v=DMARC1; p=reject; polcy=x",),
    "removed": ("v=DMARC1; p=reject; pct=50; ri=3600; rf=afrf",),
    "testing": ("v=DMARC1; p=reject; t=y",),
    "bad-t": ("v=DMARC1; p=reject; t=z",),
    "bad-adkim": ("v=DMARC1; p=reject; adkim=x",),
    "bad-uri": ("v=DMARC1; p=reject; rua=a@bad-uri.example",),
    "consent": ("v=DMARC1; p=reject; rua=mailto:a@host.example",),
    "lower-v": ("v=dmarc1; p=reject",),
    "no-semicolon": ("v=DMARC1 p=reject",),
    "twice-tag": ("v=DMARC1; p=reject; p=none",),
    "upper-p": ("v=DMARC1; p=REJECT",),
    "spaces": ("v = DMARC1 ; p = reject ;",),
    "no-record": (),
    "psd": ("v=DMARC1; p=reject; psd=n",),
    "bad-psd": ("v=DMARC1; p=reject; psd=x",),
    "double-semicolon": ("v=DMARC1;; p=reject",),
    "trailing": ("v=DMARC1; p=reject;",),
    "bad-sp": ("v=DMARC1; p=reject; sp=x",),
    "size": ("v=DMARC1; p=reject; rua=mailto:a@size.example!10m",),
}
MX = {
    "one": "one.example. IN MX 10 mx.host.example.",
    "null": "null.example. IN MX 0 .",
    "nulls": "nulls.example. IN MX 0 .\nnulls.example. IN MX 10 mx.host.example.",
    "nowhere": "nowhere.example. IN MX 10 nobody.host.example.",
    "half": "half.example. IN MX 10 nobody.host.example.\nhalf.example. IN MX 20 mx.host.example.",
    "alias": "alias.example. IN MX 10 www.alias.example.\nwww.alias.example. IN CNAME mx.host.example.",
    "literal": "literal.example. IN MX 10 192.0.2.1.",
    "absent": "absent.example. IN TXT x",
    "implicit": "implicit.example. IN A 192.0.2.1",
    "private": "private.example. IN MX 10 mx.private.example.\nmx.private.example. IN A 127.0.0.1",
}
#: Where the verdicts differ, and why ours is what it is.
DIFFERENT = {
    "upper": "RFC 7208, 4.5 and 12: the version is matched without regard to case, as all strings of the grammar",
    "and-other": "RFC 9989, 4.10: other TXT records at the name are discarded, and the policy holds",
    "bad-t": "RFC 9989, 4.8: a value that is not valid is ignored, and the policy holds; a warning",
    "bad-psd": "RFC 9989, 4.8: the same; checkdmarc itself does so for adkim",
    "bad-uri": "RFC 9989, 4.8: the same; no report comes, and the policy holds; two warnings",
    "double-semicolon": "RFC 9989, 4.8: an empty tag is syntax to ignore, and the policy holds; a warning",
}
#: Where the counts of void questions differ, and why.
OTHER_VOIDS = {
    "ptr": "RFC 7208, 5.5: what it asks depends on the sender; checkdmarc asks for the name itself",
    "voids-two": "RFC 7208, 4.6.4: ours counts for the senders that are listed, who pass before they come to both",
}
OURS = {
    "spf": ("spf.present", "spf.single", "spf.syntax", "spf.lookups", "spf.voids", "spf.includes"),
    "dmarc": ("dmarc.present", "dmarc.single", "dmarc.syntax"),
}


@dataclass(frozen=True)
class Both:
    """One world, as both see it."""

    nameservers: list[Do53Nameserver]
    report: Report

    def failed(self, name: str, checks: Collection[str]) -> set[str]:
        """Return which of some checks fail for a domain."""
        mine = (f for f in self.report.findings if f.subject.name == f"{name}.example" and f.check in checks)
        return {f.check for f in mine if f.status is Status.FAIL}

    def seen(self, name: str, check: str) -> str:
        """Return what one check saw."""
        return next(f.seen for f in self.report.findings if (f.subject.name, f.check) == (f"{name}.example", check))


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    """Judge every domain by verify, and ask the same resolver for checkdmarc."""
    lines = [COMMON, *MX.values()]
    lines += [
        f'{name}.example. IN TXT "{text}"\n{name}.example. IN MX 10 mx.host.example.' for name, text in SPF.items()
    ]
    for name, texts in DMARC.items():
        lines += [
            f"{name}.example. IN MX 10 mx.host.example.",
            *(f'_dmarc.{name}.example. IN TXT "{t}"' for t in texts),
        ]
    with serving(from_records(zone("\n".join(lines)), secure={"."})) as server:
        names = [f"{name}.example" for name in (*SPF, *DMARC, *MX)]
        at = f"127.0.0.1:{server.port}"
        report = verify(names, resolver=at, only=["spf", "dmarc", "mx"], skip=["mx.postmaster", "mx.abuse"])
        yield Both([Do53Nameserver("127.0.0.1", server.port)], report)


@pytest.mark.parametrize("name", SPF)
def test_both_agree_which_spf_records_receivers_take(name: str, both: Both) -> None:
    """And by how many questions, where both count them."""
    theirs = checkdmarc.spf.check_spf(f"{name}.example", nameservers=both.nameservers)
    valid = not both.failed(name, OURS["spf"])

    assert (valid == theirs["valid"]) is (name not in DIFFERENT)
    if valid and theirs["valid"]:
        assert _count(both.seen(name, "spf.lookups")) == theirs["dns_lookups"]
        assert (_count(both.seen(name, "spf.voids")) == theirs["void_dns_lookups"]) is (name not in OTHER_VOIDS)


@pytest.mark.parametrize("name", DMARC)
def test_both_agree_which_dmarc_records_receivers_take(name: str, both: Both) -> None:
    """What is only unwise is a warning for both."""
    theirs = checkdmarc.dmarc.check_dmarc(f"{name}.example", nameservers=both.nameservers)

    assert ((not both.failed(name, OURS["dmarc"])) == theirs["valid"]) is (name not in DIFFERENT)


@pytest.mark.parametrize("name", MX)
def test_both_agree_where_mail_goes(name: str, both: Both) -> None:
    """An MX without address is none for both; checkdmarc has warnings only, and no verdict."""
    theirs = checkdmarc.smtp.check_mx(f"{name}.example", nameservers=both.nameservers)
    reachable = [host for host in theirs["hosts"] if host["addresses"]]

    assert ("mx.resolves" in both.failed(name, {"mx.resolves"})) is bool(theirs["hosts"] and not reachable)


def test_every_difference_is_one_of_a_case() -> None:
    """A reason without its case would say nothing."""
    assert {*DIFFERENT, *OTHER_VOIDS} <= {*SPF, *DMARC}


def _count(seen: str) -> int:
    """Return the number that stands before ``of``: ``2 of 10 lookups``."""
    found = re.search(r"(\d+) of \d+", seen)
    assert found
    return int(found[1])
