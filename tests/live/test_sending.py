"""Mail leaves as it should: signed or not at all, under the host's own name, from its own address, and soon."""

import json
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address

import dns.resolver
import pytest
from testinfra.host import Host as Asked

from sendwright.inventory import Inventory
from sendwright.live import Smtp
from sendwright.stack import Host

_HOUR = 3600


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("milter_default_action", "tempfail"),
        ("internal_mail_filter_classes", "bounce, notify"),
        ("smtp_tls_security_level", "dane"),
        ("smtp_dns_support_level", "dnssec"),
        ("smtpd_forbid_bare_newline", "normalize"),
        ("smtpd_tls_auth_only", "yes"),
        ("smtpd_tls_protocols", ">=TLSv1.2"),
        ("disable_vrfy_command", "yes"),
    ],
)
def test_postfix_has_the_settings_that_matter(postconf: Mapping[str, str], setting: str, value: str) -> None:
    """A signer that is away defers mail; TLS rests on DANE; no second message can be smuggled in; and so on."""
    assert postconf[setting] == value


def test_mail_leaves_from_the_declared_addresses(postconf: Mapping[str, str], declared: Host) -> None:
    """Of both families, and of none that was not declared: SPF and PTR know no other."""
    families = {address.version for address in declared.addresses}

    assert postconf["inet_protocols"] == {(4,): "ipv4", (6,): "ipv6", (4, 6): "all"}[tuple(sorted(families))]
    for egress in declared.egress:
        setting = "smtp_bind_address" if egress.public.version == 4 else "smtp_bind_address6"
        assert postconf[setting] == (str(egress.bind) if egress.bind else "")


def test_the_host_says_its_own_name(smtp: Callable[[int], Smtp], postconf: Mapping[str, str], declared: Host) -> None:
    """In HELO and to who greets it (RFC 5321 section 4.1.4)."""
    helo = postconf["smtp_helo_name"].replace("$myhostname", postconf["myhostname"])

    assert helo == declared.name
    assert smtp(25).name == declared.name


def test_the_helo_name_leads_to_the_addresses(declared: Host) -> None:
    """A and AAAA of the host's name are the addresses that it sends from, no more and no fewer."""
    found = set()
    for kind in ("A", "AAAA"):
        answer = dns.resolver.resolve(declared.name, kind, raise_on_no_answer=False)
        found |= {ip_address(str(item)) for item in answer.rrset or ()}

    assert found == set(declared.addresses)


def test_the_queue_moves(host: Asked, inventory: Inventory) -> None:
    """Nothing is older than mail may become, nothing lingers before its first try, and nothing is corrupt."""
    waiting = [json.loads(line) for line in host.check_output("postqueue -j").splitlines()]
    now, oldest = time.time(), inventory.stack.smtp.queue_days * 24 * _HOUR + _HOUR
    ages = {m["queue_id"]: (m["queue_name"], now - m["arrival_time"]) for m in waiting}

    assert not [queue_id for queue_id, (_, age) in ages.items() if age > oldest]
    assert not [
        queue_id for queue_id, (queue, age) in ages.items() if queue in {"incoming", "maildrop"} and age > _HOUR
    ]
    assert host.check_output("find /var/spool/postfix/corrupt -type f") == ""
