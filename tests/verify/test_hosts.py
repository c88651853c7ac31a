"""Every check of hosts from the inside holds on a host as it should be, and fails on one that somebody broke."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from sendwright import certs, planning
from sendwright.deploys import renewed
from sendwright.deploys.base import chain_path
from sendwright.deploys.opendkim import key_path
from sendwright.deploys.probe import ChrootAnswer, Smtp
from sendwright.observation import Stray
from sendwright.preflight import Outbound
from sendwright.service import Release
from sendwright.stack import AcmeTls
from sendwright.state.model import State
from sendwright.verify import hosts
from sendwright.verify.finding import Finding, Status
from sendwright.verify.inside.facts import Facts
from sendwright.verify.inside.look import Room, Waiting
from sendwright.verify.look import Told
from sendwright.verify.rules import hosts as rules
from tests.verify.host_world import GIGABYTE, LATER, MX1, NOW, facts, listener, material, observed, served, stack, state

Break = Callable[[Facts], Facts]
KEY = key_path(material()[0][0])
CHAIN = chain_path(state().certificates[0])
HOUR = 3600


def inside(**changes: Any) -> Break:
    """Return what changes what a host is like from the inside."""
    return lambda found: replace(found, inside=replace(found.inside, **changes))


def seen(**changes: Any) -> Break:
    """Return what changes the look at a host."""
    return lambda found: replace(found, observation=replace(found.observation, **changes))


def within(part: str, changes: Mapping[Any, Any]) -> Break:
    """Return what changes some of a mapping from the inside; None takes an entry away."""

    def change(found: Facts) -> Facts:
        merged = {**getattr(found.inside, part), **changes}
        return inside(**{part: {key: value for key, value in merged.items() if value is not None}})(found)

    return change


def path(name: str, **changes: Any) -> Break:
    """Return what changes what lies at a path."""

    def change(found: Facts) -> Facts:
        paths = found.observation.paths
        return seen(paths={**paths, name: replace(paths[name], **changes)})(found)

    return change


def gone(name: str) -> Break:
    """Return what removes a path."""
    return lambda found: seen(paths={p: s for p, s in found.observation.paths.items() if p != name})(found)


def unit(name: str, **changes: Any) -> Break:
    """Return what changes a unit."""
    return lambda found: seen(
        units={**found.observation.units, name: replace(found.observation.units[name], **changes)}
    )(found)


def hears(*listeners: Any) -> Break:
    """Return what adds sockets that wait for others."""
    return lambda found: inside(listeners=found.inside.listeners | {*listeners})(found)


def names(kind: str, *values: str, told: Told = Told.FOUND) -> Break:
    """Return what changes what DNS says of the host's name."""
    return lambda found: replace(
        found,
        names=tuple(replace(a, values=values, told=told) if a.type == kind else a for a in found.names),
    )


def late(**delta: float) -> Break:
    """Return what lets time go on for the judge; the host's clock with it."""
    by = timedelta(**delta)
    return lambda found: replace(
        seen(clock=found.observation.clock + by.total_seconds())(found), began=found.began + by, ended=found.ended + by
    )


def offers(port: int, **changes: Any) -> Break:
    """Return what changes what a port offers."""
    return lambda found: within("smtp", {port: replace(_smtp(found, port), **changes)})(found)


def _smtp(found: Facts, port: int) -> Smtp:
    offered = found.inside.smtp[port]
    assert isinstance(offered, Smtp)
    return offered


def old(age: float, messages: int = 3, queue: str = "deferred") -> Break:
    """Return what puts mail into a queue, the oldest so many seconds old."""
    return within("queue", {queue: Waiting(messages, NOW.timestamp() - age)})


@dataclass(frozen=True)
class Case:
    """A host that somebody broke: the check that says so, how, and what is said of it."""

    check: str
    broken: Break
    said: str
    status: Status = Status.FAIL


OTHER_CERTIFICATE = certs.issue(stack().host(MX1), NOW - timedelta(10))[0].chain
W, U = Status.WARN, Status.UNKNOWN
CASES = [
    Case("host.daemons", within("processes", {("root", "master"): None}), "Postfix's master: 0 of 1"),
    Case("host.daemons", within("processes", {("root", "master"): 2}), "2 processes run, and 1 should"),
    Case("host.daemons", within("processes", {("postfix", "qmgr"): None}), "queue manager: 0 of 1"),
    Case("host.daemons", within("processes", {("opendkim", "opendkim"): 1}), "signers: 1 of 2 processes run"),
    Case("host.daemons", within("processes", {("opendkim", "opendkim"): 3}), "3 processes run, and 2 should"),
    Case("host.daemons", within("processes", {("sendwright-guard", "python3"): None}), "the sender guard: 0 of 1"),
    Case("host.daemons", within("processes", {("root", "dovecot"): None}), "Dovecot: 0 of 1"),
    Case("host.daemons", within("processes", {("unbound", "unbound"): None}), "the resolver: 0 of 1"),
    Case("host.daemons", inside(sockets=frozenset()), "nobody listens on /var/spool/postfix/sendwright-sasl/auth"),
    Case("host.daemons", unit("unbound.service", active="failed"), "unbound.service: it is failed"),
    Case("host.daemons", unit("dovecot.service", enabled="disabled"), "would not survive a reboot"),
    Case("host.daemons", unit("opendkim.service", load="loaded", enabled="enabled"), "opendkim.service: nothing may"),
    Case("host.daemons", seen(held=True), "holds daemon starts back"),
    Case("host.loaded", path("/etc/postfix/main.cf", sha256="0" * 64), "postfix: what it noted when it loaded"),
    Case("host.loaded", path("/etc/unbound/unbound.conf", changed=LATER), "unbound: its files were changed after"),
    Case("host.loaded", seen(stamps={}), "nobody knows which configuration"),
    Case("host.loaded", gone("/etc/dovecot/dovecot.conf"), "dovecot: what it noted"),
    Case("host.as-desired", path("/etc/postfix/main.cf", sha256="0" * 64), "/etc/postfix/main.cf: content differs"),
    Case("host.as-desired", gone("/etc/mailname"), "missing: file /etc/mailname"),
    Case("host.as-desired", seen(packages={}), "missing: package"),
    Case("host.as-desired", path("/etc/mailname", mode=0o600), "mode 0600 -> 0644", W),
    Case("host.as-desired", lambda found: replace(found, foreign="it follows a newer state folder"), "a newer state"),
    Case("host.settings", within("settings", {"milter_default_action": "accept"}), "is 'accept', not 'tempfail'"),
    Case("host.settings", within("settings", {"internal_mail_filter_classes": ""}), "bounces leave unsigned"),
    Case("host.settings", within("settings", {"smtp_tls_security_level": "may"}), "DANE is not followed"),
    Case("host.settings", within("settings", {"smtp_dns_support_level": "enabled"}), "DANE is not followed"),
    Case("host.settings", within("settings", {"smtpd_forbid_bare_newline": "no"}), "smuggled"),
    Case("host.settings", within("settings", {"smtpd_tls_auth_only": "no"}), "over an open line"),
    Case("host.settings", within("settings", {"smtpd_tls_protocols": ">=TLSv1"}), "broken versions of TLS"),
    Case("host.settings", within("settings", {"disable_vrfy_command": None}), "is 'not known', not 'yes'"),
    Case("host.settings", within("settings", {"smtpd_relay_restrictions": "permit"}), "strangers may relay"),
    Case("host.settings", within("settings", {"mynetworks": "127.0.0.0/8 10.0.0.0/8"}), "mynetworks trusts 10.0.0.0/8"),
    Case("host.settings", within("relays", {"smtp/inet": "permit"}), "smtp/inet in master.cf"),
    Case("host.egress", within("settings", {"inet_protocols": "ipv4"}), "inet_protocols is 'ipv4', not 'all'"),
    Case("host.egress", within("settings", {"smtp_bind_address6": ""}), "mail leaves from elsewhere"),
    Case("host.egress", within("settings", {"smtp_helo_name": "localhost"}), "says 'localhost' in HELO"),
    Case("host.egress", offers(25, name="localhost"), "port 25 greets as 'localhost'"),
    Case("host.egress", seen(addresses=frozenset({ip_address("203.0.113.10")})), "2001:db8::10 is not an address"),
    Case("host.egress", names("A", "203.0.113.99"), "has A 203.0.113.99, and mail leaves from 203.0.113.10"),
    Case("host.egress", names("A", "203.0.113.10", "203.0.113.99"), "203.0.113.10, 203.0.113.99"),
    Case("host.egress", names("AAAA", told=Told.NO_DATA), "has AAAA none"),
    Case("host.egress", names("A", "::ffff:zz"), "has A none"),
    Case("host.egress", names("A", told=Told.FAILED), "A of mx1.example.com: failed", U),
    Case("host.outbound", lambda found: replace(found, outbound=Outbound.BLOCKED), "port 25 of aspmx.l.google.com"),
    Case("host.outbound", lambda found: replace(found, outbound=Outbound.UNKNOWN), "it has no address of", U),
    Case("host.exposed", inside(listeners=frozenset()), "nothing listens on port 25 for others"),
    Case("host.exposed", hears(listener("203.0.113.10", 8891, "opendkim")), "opendkim listens on port 8891"),
    Case("host.exposed", hears(listener("203.0.113.10", 53, "unbound", "udp")), "others can amplify attacks"),
    Case("host.exposed", within("smtp", {25: "ConnectionRefusedError"}), "port 25 gives no SMTP answer"),
    Case("host.exposed", offers(25, before=frozenset({"pipelining"})), "port 25 offers no STARTTLS"),
    Case("host.exposed", offers(25, inside=frozenset({"auth"})), "port 25 offers authentication"),
    Case("host.exposed", offers(587, before=frozenset({"auth", "starttls"})), "port 587 does not take credentials"),
    Case("host.exposed", offers(465, inside=None), "port 465 does not take credentials"),
    Case("host.secrets", path(KEY, mode=0o644), "others can get at it (mode 0644 -> 0600)"),
    Case("host.secrets", path(KEY, owner="mail"), "owner mail -> opendkim"),
    Case("host.secrets", path("/etc/opendkim/keys", mode=0o755), "/etc/opendkim/keys: others can get at it"),
    Case("host.secrets", path("/etc/sendwright/tls", mode=0o755), "/etc/sendwright/tls: others"),
    Case("host.secrets", path("/var/lib/sendwright", mode=0o755), "/var/lib/sendwright: others"),
    Case("host.secrets", inside(readable=("/etc/postfix/backup.pem",)), "everybody may read it"),
    Case("host.secrets", seen(entries=(Stray("/etc/opendkim/keys/x.pem"),)), "x.pem: nobody declared it"),
    Case("host.resolver", inside(chroot=ChrootAnswer(answered=True, ad=False)), "no AD bit"),
    Case("host.resolver", inside(chroot=ChrootAnswer(answered=False, ad=False)), "no answer inside"),
    Case("host.resolver", inside(chroot=None), "could not be asked", U),
    Case("host.resolver", path("/etc/resolv.conf", kind="symbolic link", sha256=None), "is symbolic link"),
    Case(
        "host.resolver",
        path("/etc/resolv.conf", sha256="0" * 64, content="nameserver 192.0.2.1\nnameserver ::1\n"),
        "/etc/resolv.conf asks 192.0.2.1",
    ),
    Case("host.resolver", path("/etc/resolv.conf", sha256="0" * 64, content="search x\n"), "names no resolver"),
    Case(
        "host.resolver",
        path("/var/spool/postfix/etc/resolv.conf", sha256="0" * 64, content="nameserver ::1\n"),
        "has another resolv.conf",
    ),
    Case("host.queue", old(3 * 24 * HOUR), "the oldest of 3 messages is 3 days old, and mail is kept for 2 days"),
    Case("host.queue", old(3 * 24 * HOUR, queue="hold"), "3 days old"),
    Case("host.queue", old(2 * HOUR, queue="maildrop"), "waits for its first try in maildrop"),
    Case("host.queue", inside(corrupt=1), "1 message in /var/spool/postfix/corrupt"),
    Case("host.queue", old(6 * HOUR), "6 hours old", W),
    Case("host.queue", old(60, messages=1001), "1,001 messages wait", W),
    Case("host.queue", inside(queue=None), "could not be read", U),
    Case("host.clock", seen(clock=NOW.timestamp() + 120), "119.0 s ahead of"),
    Case("host.clock", seen(clock=NOW.timestamp() - 120), "120.0 s behind"),
    Case("host.clock", seen(clock=NOW.timestamp() + 12), "11.0 s ahead of", W),
    Case("host.disk", inside(room=Room(40 * GIGABYTE, GIGABYTE // 4, 0, 0)), "256 MB of 40.0 GB free"),
    Case("host.disk", inside(room=Room(40 * GIGABYTE, GIGABYTE, 0, 0)), "1.0 GB of 40.0 GB free", W),
    Case("host.disk", inside(room=Room(100 * GIGABYTE, 9 * GIGABYTE, 0, 0)), "9.0 GB of 100.0 GB free", W),
    Case("host.disk", inside(room=Room(40 * GIGABYTE, 30 * GIGABYTE, 10**6, 500)), "500 of 1000000 inodes"),
    Case("host.disk", inside(room=None), "no queue directory", U),
    Case("host.expiry", offers(25, certificate=served(OTHER_CERTIFICATE)), "another certificate than the state folder"),
    Case("host.expiry", path(CHAIN, sha256="0" * 64), "/chain.pem is not the certificate"),
    Case("host.expiry", late(days=400), "ran out on"),
    Case("host.expiry", late(days=300), "its renewal is overdue", W),
    Case(
        "host.expiry", lambda found: replace(found, state=replace(found.state, certificates=())), "no certificate for"
    ),
    Case("host.expiry", offers(25, certificate=b"\x30\x00"), "is no certificate"),
    Case("host.expiry", within("smtp", {25: "ConnectionRefusedError"}), "port 25 serves no certificate", U),
]


def judged(found: Facts, check: str) -> list[Finding]:
    """Return what one check says."""
    return list(hosts.RULES[check](found))


def test_every_check_of_hosts_but_reachable_is_judged_here_and_in_its_order() -> None:
    """``verify --hosts`` and ``tests/live`` go by one table, and it lacks none."""
    assert [rules.REACHABLE.name, *hosts.RULES] == [check.name for check in rules.CHECKS]


@pytest.mark.parametrize("check", hosts.RULES)
def test_a_host_as_it_should_be_passes_each_check_once_and_says_what_was_seen(check: str) -> None:
    """A pass is a finding, too."""
    (finding,) = judged(facts(), check)

    assert (finding.status, finding.subject.name, finding.advice) == (Status.PASS, MX1, "")
    assert finding.seen


@pytest.mark.parametrize("check", hosts.RULES)
def test_every_check_can_fail(check: str) -> None:
    """One that cannot is a defect."""
    assert any(case.check == check and case.status is Status.FAIL for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.check}: {case.said}")
def test_a_broken_host_is_told_in_words_with_what_to_do(case: Case) -> None:
    """The status, what was seen, and an advice; no two findings of a check are about the same."""
    found = judged(case.broken(facts()), case.check)

    assert any(f.status is case.status and case.said in f.seen for f in found), found
    assert Status.PASS not in {f.status for f in found}
    assert len({f.identity for f in found}) == len(found)
    assert all(f.advice or f.status is Status.UNKNOWN for f in found)


def test_what_stands_in_a_file_of_ours_beside_the_resolvers_is_no_matter_of_the_resolver() -> None:
    """A comment that somebody added is told by host.as-desired."""
    both = ("/etc/resolv.conf", "/var/spool/postfix/etc/resolv.conf")
    found = facts()
    for name in both:
        found = path(name, sha256="0" * 64, content="# mine\nnameserver 127.0.0.1\n")(found)

    assert [f.status for f in judged(found, "host.resolver")] == [Status.PASS]
    assert Status.FAIL in {f.status for f in judged(found, "host.as-desired")}


def test_a_stopped_daemon_is_told_by_its_own_check_and_not_as_drift() -> None:
    """What is wrong is said once."""
    found = unit("unbound.service", active="inactive")(facts())

    assert [f.status for f in judged(found, "host.as-desired")] == [Status.PASS]
    assert [f.status for f in judged(found, "host.loaded")] == [Status.PASS]


def test_many_troubles_are_told_by_the_worst_and_their_number() -> None:
    """A report is read by people."""
    found = judged(seen(paths={}, packages={})(facts()), "host.as-desired")

    assert len(found) == 10
    assert "more)" in found[-1].seen


def test_the_way_to_a_host_is_no_mistake_of_its_clock() -> None:
    """It said its time at some moment between question and answer."""
    slow = replace(facts(), ended=NOW + timedelta(seconds=90))

    assert judged(seen(clock=NOW.timestamp() + 80)(slow), "host.clock")[0].status is Status.PASS


def test_a_large_disk_has_room_enough_at_a_tenth() -> None:
    """No false alarm for 180 GB that are free."""
    room = Room(2000 * GIGABYTE, 180 * GIGABYTE, 0, 0)

    assert judged(inside(room=room)(facts()), "host.disk")[0].status is Status.PASS


def test_a_host_without_proven_keys_has_submission_closed() -> None:
    """Only port 25 is expected, and 587 is one too many."""
    keys = tuple(replace(key, proven_on=()) for key in facts().state.keys)
    found = replace(facts(), state=replace(facts().state, keys=keys))

    said = [f.seen for f in judged(found, "host.exposed")]

    assert said == ["master listens on port 465 for the world", "master listens on port 587 for the world"]


def issued(**tls: str) -> Facts:
    """A host with a certificate of an authority, and the web server for its policies, as it should be."""
    found, plain = facts(), stack()
    host = plain.hosts[0].model_copy(update={"tls": AcmeTls.model_validate({"mode": "acme", **tls})})
    declared = plain.model_copy(update={"hosts": (host,)})
    kept = State(keys=state().keys, certificates=tuple(replace(c, mode="acme") for c in state().certificates))
    wanted = planning.services(declared, host, Release.BOOKWORM, kept)
    web = frozenset(listener(address, port, "nginx") for address in ("0.0.0.0", "::") for port in (80, 443))  # noqa: S104
    inner = replace(
        found.inside,
        processes={**found.inside.processes, ("root", "nginx"): 1},
        listeners=found.inside.listeners | web,
    )
    return replace(
        found, stack=declared, state=kept, host=host, services=wanted, observation=observed(wanted), inside=inner
    )


@pytest.mark.parametrize("renewal", ["controller", "host"])
@pytest.mark.parametrize("check", hosts.RULES)
def test_a_host_with_a_certificate_of_an_authority_passes_each_check(check: str, renewal: str) -> None:
    """With the web server that it has for its policies, and who renews it."""
    assert [f.status for f in judged(issued(renewal=renewal), check)] == [Status.PASS]


def test_a_web_server_that_is_down_is_told_as_a_daemon_and_as_a_closed_port() -> None:
    """Without it nobody gets the policies, and no name is proven."""
    found = issued()
    down = within("processes", {("root", "nginx"): None})(found)
    closed = inside(listeners=frozenset(x for x in found.inside.listeners if x.port != 443))(found)

    assert "the web server: 0 of 1" in judged(down, "host.daemons")[0].seen
    assert "nothing listens on port 443" in judged(closed, "host.exposed")[0].seen


def test_a_web_server_that_is_none_of_ours_is_nobodys_business() -> None:
    """A host without policies may serve sites of somebody else."""
    found = hears(listener("0.0.0.0", 443, "nginx"))(facts())  # noqa: S104

    assert [f.status for f in judged(found, "host.exposed")] == [Status.PASS]


@pytest.mark.parametrize(("failures", "status"), [(1, Status.WARN), (5, Status.FAIL)])
def test_a_host_that_cannot_renew_by_itself_says_why(failures: int, status: Status) -> None:
    """Once may be chance: it tries again within the hour."""
    why = renewed.Trouble(failures, "2026-11-20 03:07 UTC", "certbot: CAA record for example.com prevents issuance")

    (finding,) = judged(replace(issued(renewal="host"), hindered=why), "host.expiry")

    assert finding.status is status
    assert "CAA record" in finding.seen
    assert "journalctl -u sendwright-renewal" in finding.advice


def test_a_renewal_that_failed_is_an_error_where_an_authority_issues() -> None:
    """With what to do, by who renews it."""
    for renewal, words in (("controller", "sendwright certs renew"), ("host", "journalctl -u sendwright-renewal")):
        (finding,) = judged(late(days=300)(issued(renewal=renewal)), "host.expiry")

        assert finding.status is Status.FAIL
        assert words in finding.advice
