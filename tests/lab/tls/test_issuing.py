"""Certificates come to hosts that take mail already, and to bare ones; the second run has nothing to do."""

import pytest

from sendwright import sts
from sendwright.stack import Mx
from tests.lab.tls.world import ADDRESSES, BOTH, FOUR, ONE, THREE, TWO, Tls, leaf, names_of, spki

pytestmark = pytest.mark.lab


def test_a_bare_host_with_a_certificate_of_an_authority_is_still_one_command(tls: Tls) -> None:
    """Nothing was there before: no address in DNS, no web server, no account with the authority."""
    assert tls.began["bare"].returncode == 0
    for host in (THREE, FOUR):
        assert tls.certificate(host).mode == "acme"


def test_a_second_provision_changes_nothing(tls: Tls) -> None:
    """Debian 12 and 13, by DNS and by HTTP, renewed from here and by the host."""
    assert tls.began["again"].stdout == "no changes\n"


def test_no_message_is_deferred_while_the_authority_issues(tls: Tls) -> None:
    """Hosts that took mail get their first certificates by DNS-01 and by HTTP-01, with TLSA and an enforced policy."""
    dane, policies = tls.issued

    for stream in (dane, policies):
        assert (stream.told.deferred, stream.told.why) == (0, ())
        assert stream.told.delivered == len(stream.submitted) > 0
        print(stream.line())
    assert {host for _, host in dane.told.handshakes} == {ONE, TWO}


@pytest.mark.parametrize("host", ADDRESSES)
def test_a_host_shows_the_authoritys_certificate_everywhere(tls: Tls, host: str) -> None:
    """On the ports of mail and of policies, with all of its names; DNS tells of its key and of the next one."""
    certificate = tls.certificate(host)

    for port in (25, 587, 443):
        assert tls.shown(host, port) == leaf(certificate.chain)
    declared = tls.world.declared.stack
    assert sorted(names_of(certificate.chain)) == sorted(sts.names(declared, declared.host(host)))
    assert certificate.issuer == tls.world.lab.authority.directory
    wanted = {tls.key(host), tls.following(host)}
    ports = (25, 465, 587) if host == ONE else (25,)
    assert [tls.published(host, port) for port in (25, 465, 587)] == [
        wanted if p in ports else set() for p in (25, 465, 587)
    ]
    assert spki(tls.shown(host)) == tls.key(host)


def test_policies_are_fetched_and_enforced(tls: Tls) -> None:
    """The id that DNS tells is of what hosts serve; a stranger that enforces could fetch every policy."""
    stack, claims = tls.world.declared.stack, tls.folder.load().claims

    for domain in (d for d in stack.domains if d.mx is Mx.HERE):
        text = sts.policy(stack, domain, claims)
        assert text is not None
        (record,) = tls.at(f"_mta-sts.{domain.name}", "TXT")
        assert record.strip('"') == sts.record_text(sts.policy_id(text))
    with tls.mail(tuple(f"postmaster@{domain.name}" for domain in stack.domains)):
        pass
    assert BOTH in {d.name for d in stack.domains}
    assert not [line for line in tls.senders.policies_not_fetched() if "fetch" in line]
