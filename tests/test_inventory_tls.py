"""Certificates, TLSA and MTA-STS in inventories: what contradicts itself is told before anything is tried."""

from typing import Any

import pytest

from sendwright import inventory
from sendwright.errors import InventoryError, Problem

PROVIDER = {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "k", "secret": {"env": "K"}}}
ZONES = {"provider": "zonefile", "folder": "zones"}
FILE = {"mode": "file", "certificate": "chain.pem", "key": {"file": "key.pem"}}
ZEROSSL = "https://acme.zerossl.com/v2/DV90"
ACCOUNT = {"kid": "customer-1", "hmac": {"env": "EAB"}}
EXAMPLE = {"dns": "main"}
OFF = {"example.com": {**EXAMPLE, "mta_sts": {"mode": "off"}}}
ENFORCE = {"example.com": {**EXAMPLE, "mta_sts": {"mode": "enforce"}}}


def problems(*tls: Any, domains: dict[str, Any] | None = None, **shared: Any) -> tuple[Problem, ...]:
    """Return the mistakes of an inventory with a host for each of these settings of ``tls``."""
    hosts = [
        (f"mx{i}.example.com", {"egress": [{"public": f"203.0.113.{i}"}], **(one if "tls" in one else {"tls": one})})
        for i, one in enumerate(tls, 1)
    ]
    data = {"dns": {"main": PROVIDER, "files": ZONES}, "domains": domains or {"example.com": EXAMPLE}, **shared}
    try:
        inventory.parse(hosts, data, "test")
    except InventoryError as error:
        return error.problems
    return ()


@pytest.mark.parametrize(
    ("tls", "more", "place", "words"),
    [
        ([{"tls": FILE, "dane": [25]}], {}, "hosts › mx1.example.com › dane", "may give it another key"),
        ([{"mode": "acme", "renewal": "host", "challenge": "dns-01"}], {},
         "hosts › mx1.example.com › tls › renewal", "contradicts challenge"),
        (["self-signed"], {"domains": {"example.com": {**EXAMPLE, "mta_sts": {"mode": "testing"}}}},
         "domains › example.com › mta_sts", "mx1.example.com has tls self-signed"),
        (["acme"], {"domains": {"example.com": {**EXAMPLE, "mx": "elsewhere", "mta_sts": {"mode": "enforce"}}}},
         "domains › example.com › mta_sts", "does not come to hosts of this inventory"),
        (["acme"], {"domains": {"example.com": EXAMPLE, "b.example": {"dns": "main", "sends": False, "mta_sts": {}}}},
         "domains › b.example › mta_sts", "does not come to hosts of this inventory"),
        ([{"mode": "acme", "challenge": "dns-01"}],
         {"domains": {"example.com": EXAMPLE, "b.example": {"dns": None, "mta_sts": {},
          "dkim": {"delegate_to": "example.com"}}}},
         "hosts › mx1.example.com › tls › challenge", "mta-sts.b.example cannot be proven by dns-01"),
        ([{"mode": "acme", "challenge": "dns-01"}], {"domains": {"example.com": {"dns": "files"}}},
         "hosts › mx1.example.com › tls › challenge", "mx1.example.com cannot be proven by dns-01: its zone is a file"),
        (["acme"], {"domains": {"example.com": {**EXAMPLE, "caa": ["digicert.com"]}}},
         "domains › example.com › caa", "does not allow Let's Encrypt (acme)"),
        (["acme"], {"domains": {"example.com": EXAMPLE, "b.example": {"dns": "main", "caa": ["pki.goog"]}}},
         "domains › b.example › caa", "the certificate for mta-sts.b.example"),
        (["acme"], {"acme": {"external_account": ACCOUNT}}, "acme › external_account", "knows no such accounts"),
        (["acme"], {"acme": {"directory": ZEROSSL}}, "acme › external_account", "ZeroSSL gives certificates to"),
        ([{"mode": "acme", "renewal": "host"}], {"acme": {"directory": ZEROSSL, "external_account": ACCOUNT}},
         "hosts › mx1.example.com › tls › renewal", "the secret that opens accounts stays with the controller"),
        (["acme"], {"acme": {"trust": "root.pem"}}, "acme › trust", "everybody trusts Let's Encrypt"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_one_clear_mistake(tls: Any, more: Any, place: str, words: str) -> None:
    """Each with its place, what is wrong, and what is allowed there; nothing else is said about it."""
    (found,) = problems(*tls, **more)

    assert found.place == place
    assert words in found.what
    assert found.allowed


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"acme": {"directory": "stagging"}},
         "acme › directory: “stagging”: not an ACME directory: 'letsencrypt', 'staging' or an https:// URL"),
        ({"acme": {"directory": "http://a.example/dir"}}, "acme › directory: “http://a.example/dir”: not an ACME"),
        ({"domains": {"example.com": {**EXAMPLE, "mta_sts": "enforced"}}},
         "domains › example.com › mta_sts: “enforced”: not allowed (allowed: 'off', 'none', 'testing' or 'enforce')"),
        ({"smtp": {"tls_overrides": {"example.org": "encrpyt"}}},
         "smtp › tls_overrides › example.org: “encrpyt”: not allowed (allowed: 'none', 'may', 'encrypt', 'dane'"),
    ],
)  # fmt: skip
def test_a_word_that_stands_for_settings_is_quoted_where_it_is_wrong(more: Any, words: str) -> None:
    """pydantic places these mistakes below the word, where nothing is written: they were once dropped as echoes."""
    (found,) = problems("acme", **more)

    assert str(found).startswith(words)


@pytest.mark.parametrize(
    ("tls", "more"),
    [
        (["acme", "acme"], {}),
        (["acme"], {"acme": {"directory": "staging"}, "domains": {"example.com": {**EXAMPLE, "mta_sts": "enforce"}}}),
        ([{"mode": "acme", "challenge": "dns-01"}], {}),
        (["acme"], {"domains": {"example.com": {"dns": "files"}}}),
        ([{"mode": "acme", "renewal": "host"}], {}),
        ([{"mode": "acme", "renewal": "host"}, "acme"], {"domains": OFF}),
        ([{"mode": "acme", "renewal": "host"}, {"tls": "acme", "state": "draining"}], {}),
        ([{"tls": "self-signed", "dane": [25, 465]}], {}),
        ([FILE], {}),
        (["self-signed"], {"domains": OFF}),
        ([{"tls": "acme", "state": "draining"}], {"domains": ENFORCE}),
        (["acme"], {"domains": {"example.com": {**EXAMPLE, "caa": ["digicert.com", "letsencrypt.org"]}}}),
        (["acme"], {"domains": {"example.com": {**EXAMPLE, "caa": ["letsencrypt.org"]},
                                "mx1.example.com": {"dns": "main", "sends": True}}}),
        (["self-signed"], {"domains": {"example.com": {**EXAMPLE, "caa": ["digicert.com"]}}}),
        (["acme"], {"acme": {"directory": "https://ca.example.com/acme"},
                    "domains": {"example.com": {**EXAMPLE, "caa": ["digicert.com"]}}}),
        (["acme"], {"acme": {"directory": ZEROSSL, "external_account": ACCOUNT},
                    "domains": {"example.com": {**EXAMPLE, "caa": ["sectigo.com"]}}}),
        (["acme"], {"acme": {"directory": "staging", "trust": "staging-roots.pem"}}),
    ],
)  # fmt: skip
def test_what_belongs_together_is_valid(tls: Any, more: Any) -> None:
    """A rule that refused a good inventory would be worse than none."""
    assert problems(*tls, **more) == ()


def test_a_host_in_no_declared_domain_is_told_once_whatever_its_certificate_is_proven_by() -> None:
    """Nobody writes its zone: neither its address nor its challenge."""
    hosts = [
        ("mx1.example.net", {"egress": [{"public": "203.0.113.1"}], "tls": {"mode": "acme", "challenge": "dns-01"}})
    ]

    with pytest.raises(InventoryError) as refused:
        inventory.parse(hosts, {"dns": {"main": PROVIDER}, "domains": {"example.com": EXAMPLE}}, "test")

    (found,) = refused.value.problems
    assert (found.place, found.what) == ("hosts › mx1.example.net", "lies in no declared domain")
