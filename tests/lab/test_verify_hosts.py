"""Every check of ``verify --hosts`` fails on real hosts that somebody broke, and passes once they are healed."""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from sendwright.dns.transport import query
from sendwright.lab import LabHost, RRset
from sendwright.rehearse import World
from sendwright.state.folder import StateFolder
from sendwright.verify.asking.resolving import Dns, resolver_at
from sendwright.verify.finding import Finding, Status
from sendwright.verify.inside import check as inside
from sendwright.verify.look import Fetched, Look
from sendwright.verify.rules import dkim as key_rules
from sendwright.verify.rules import hosts as rules
from sendwright.verify.target import Target

pytestmark = pytest.mark.lab

HOSTS = ("mx1.example.com", "mx2.example.com")
#: On Debian 12 the daemon is an instance, and postfix.service says "active" whatever happens to it.
POSTFIX = {HOSTS[0]: "postfix@-.service", HOSTS[1]: "postfix.service"}
SPOOL = "/var/spool/postfix"
_IDLE = "/run/systemd/system/dovecot.service.d/idle.conf"
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Harm:
    """What is done on each host, and which checks then fail, with words that they say.

    ``heal``: what undoes it; without, `provision` does; ``also``: what fails beside, as a matter of course; ``file``:
    is kept before and put back after, by the very bytes.
    """

    hurt: str
    fails: Mapping[str, str]
    heal: str = ""
    also: frozenset[str] = frozenset()
    file: str = ""


# Killed, not stopped: it takes its time, and comes back by itself.
_SIGNERS_ANEW = (
    "systemctl kill -s KILL 'sendwright-opendkim@*'; sleep 0.5; "
    "until [ $(ss -Hlx | grep -c /opendkim/) = 2 ]; do sleep 0.1; done"
)
DRIFT = frozenset({"host.as-desired", "host.loaded"})
HARMS = {
    "sshd is stopped": Harm(
        "systemctl stop ssh.socket ssh.service 2>/dev/null; systemctl stop ssh.service",
        {"host.reachable": "cannot connect to"},
        "systemctl start ssh.service",
    ),
    "Postfix is killed": Harm(
        "pkill -KILL -x master; until systemctl is-failed -q {postfix}; do sleep 0.05; done",
        {"host.daemons": "Postfix's master: 0 of 1 processes run", "host.exposed": "nothing listens on port 25"},
        "systemctl start {postfix}",
    ),
    "a unit says active, and there is no daemon": Harm(
        f"mkdir -p {_IDLE.rpartition('/')[0]}; printf '[Service]\\nType=exec\\nExecStart=\\nExecStart=/bin/sleep "
        f"infinity\\n' >{_IDLE}; systemctl daemon-reload; systemctl restart dovecot; systemctl is-active -q dovecot",
        {"host.daemons": "Dovecot: 0 of 1 processes run"},
        f"rm {_IDLE} && systemctl daemon-reload && systemctl restart dovecot",
        # Without SASL its SMTP services on submission end before they greet.
        also=frozenset({"host.exposed"}),
    ),
    "main.cf is edited and not loaded": Harm(
        "sed -i 's/^smtpd_helo_required .*/smtpd_helo_required = no/' /etc/postfix/main.cf",
        {"host.loaded": "postfix: what it noted", "host.as-desired": "/etc/postfix/main.cf: content differs"},
    ),
    "a file was put back after it was loaded otherwise": Harm(
        "cp -p /etc/unbound/unbound.conf /root/kept; echo '#' >>/etc/unbound/unbound.conf; systemctl restart unbound; "
        "cp -p /root/kept /etc/unbound/unbound.conf",
        {"host.loaded": "unbound: its files were changed after it had loaded them"},
        "systemctl restart unbound",
    ),
    "a file is gone": Harm(
        "mv /etc/mailname /root/",
        {"host.as-desired": "missing: file /etc/mailname"},
        "mv /root/mailname /etc/",
    ),
    "mail may leave unsigned, under another name": Harm(
        "postconf -e milter_default_action=accept smtp_helo_name=localhost && postfix reload",
        {
            "host.settings": "milter_default_action is 'accept'",
            "host.egress": "it says 'localhost' in HELO",
            "host.as-desired": "main.cf: content differs",
            "host.loaded": "postfix: what it noted",
        },
        file="/etc/postfix/main.cf",
        heal="systemctl restart {postfix}",
    ),
    "others cannot be reached": Harm(
        # The name leads to a machine of the lab that refuses.
        "echo {resolver} {mx} >>/etc/hosts",
        {"host.outbound": "cannot be reached"},
        file="/etc/hosts",
        heal=":",
    ),
    "a port of ours is open that nobody declared": Harm(
        "postconf -M 10025/inet='10025 inet n - y - - smtpd' && postfix reload && until ss -Hltn | grep -q :10025; "
        "do sleep 0.05; done",
        {"host.exposed": "master listens on port 10025 for the world"},
        also=DRIFT,
        file="/etc/postfix/master.cf",
        heal="systemctl restart {postfix}",
    ),
    "everybody may read a key, and one lies there that nobody declared": Harm(
        "cp {key} /etc/postfix/backup.pem && chmod 644 /etc/postfix/backup.pem && touch /etc/opendkim/keys/stray.pem",
        {"host.secrets": "/etc/postfix/backup.pem holds a private key"},
        "rm /etc/postfix/backup.pem /etc/opendkim/keys/stray.pem",
    ),
    "a key's mode lets others read it": Harm(
        "chmod 644 {key}",
        {"host.secrets": "others can get at it (mode 0644 -> 0600)", "host.loaded": "opendkim: its files were changed"},
        also=frozenset({"dkim.probe"}),  # OpenDKIM refuses a key that is not safe,
        file="{key}",
        heal=_SIGNERS_ANEW,
    ),
    "the resolver does not validate": Harm(
        "sed -i 's/module-config: .*/module-config: iterator/' /etc/unbound/unbound.conf && systemctl restart unbound",
        {"host.resolver": "are not validated (no AD bit)"},
        also=DRIFT,
        file="/etc/unbound/unbound.conf",
        heal="systemctl restart unbound",
    ),
    "a program wrote resolv.conf": Harm(
        f"echo nameserver {{resolver}} >{SPOOL}/etc/resolv.conf",
        {"host.resolver": f"{SPOOL}/etc/resolv.conf asks"},
        also=DRIFT,
        file="/var/spool/postfix/etc/resolv.conf",
        heal="systemctl restart {postfix}",
    ),
    "mail is older than it may become": Harm(
        # Held before its first try; the time of its arrival stands at the beginning of the queue's file.
        "pkill -STOP -x qmgr; printf 'From: root@{host}\\n\\nx\\n' | sendmail -i -f root@{host} a@nowhere.example; "
        f"until find {SPOOL}/incoming -type f -perm -u+x | grep -q .; do sleep 0.05; done; postsuper -h ALL; "
        f"pkill -CONT -x qmgr; then=$(( $(date +%s) - 300000 )); "
        f'find {SPOOL}/hold -type f -exec sed -i "0,/T[^0-9][0-9]*/s/\\(T[^0-9]\\)[0-9]\\{{10\\}}/\\1$then/" {{}} +',
        {"host.queue": "the oldest of 1 message is 3 days old, and mail is kept for 2 days"},
        "postsuper -d ALL",
    ),
    "the disk is full": Harm(
        f"mkdir /root/small && mount -t tmpfs -o size=100m small /root/small && cp -a {SPOOL}/. /root/small && "
        f"mount --bind /root/small {SPOOL}",
        {"host.disk": "free where the queue lies"},
        f"umount {SPOOL} && umount /root/small && rmdir /root/small",
        # Nobody listens on copies of sockets, and copies of files are younger than what was loaded.
        also=frozenset({"dkim.probe", "host.loaded"}),
    ),
    "another certificate is served": Harm(
        "cd /etc/sendwright/tls/*/ && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x "
        "-days 30 -keyout key.pem -out chain.pem 2>/dev/null && postfix reload",
        {"host.expiry": "port 25 serves another certificate"},
        also=DRIFT,
    ),
    "another private key lies where ours should": Harm(
        "openssl genrsa -traditional 2048 2>/dev/null >{key} && systemctl reload sendwright-opendkim@rsa",
        {
            "dkim.key-matches-host": "on the host holds another private key than the declared one",
            "dkim.probe": "the signature does not verify through live DNS: a=rsa-sha256",
        },
        also=DRIFT,
        file="{key}",
        heal=_SIGNERS_ANEW,
    ),
    "a signer lets mail pass unsigned": Harm(
        "sed -i 's/^MTA .*/MTA NOBODY/' /etc/opendkim/rsa.conf && systemctl reload sendwright-opendkim@rsa",
        {"dkim.probe": "the rsa signer lets the domain's mail pass unsigned"},
        also=DRIFT,
        file="/etc/opendkim/rsa.conf",
        heal=_SIGNERS_ANEW,
    ),
}


def look_at(world: World, clock: Clock = inside.now) -> list[Finding]:
    """Return what ``verify --hosts`` finds of the hosts, asked at the controller's place."""
    declared = world.declared
    targets = [Target(domain.name) for domain in declared.stack.domains]
    with world.lab.inside():
        resolver = Dns(resolver_at(world.lab.resolver))
        look = Look(resolver, query, world.lab.resolver, lambda *_: Fetched(failure="none is wanted"), clock())
        return list(inside.check(declared, targets, look, print, clock=clock))


def failed(found: Iterable[Finding]) -> dict[str, str]:
    """Return the words of each check that fails."""
    said: dict[str, str] = {}
    for f in found:
        if f.status is Status.FAIL:
            said[f.check] = f"{said.get(f.check, '')}\n{f.subject.name} {f.target}: {f.seen}"
    return said


def key_of(world: World) -> str:
    """Return where hosts keep the RSA key of the domain that both send for."""
    keys = StateFolder.of(world.declared).load().keys
    selector = next(k.selector for k in keys if (k.domain, k.algorithm) == ("example.com", "rsa"))
    return f"/etc/opendkim/keys/example.com/{selector}.pem"


def on_each(world: World, command: str) -> None:
    """Run a shell command on every host at the same time, its words filled in."""
    key, mx = key_of(world), world.declared.stack.smtp.probe_mx

    def run(name: str) -> None:
        words = {"{postfix}": POSTFIX[name], "{key}": key, "{host}": name, "{resolver}": world.lab.resolver, "{mx}": mx}
        filled = command
        for word, value in words.items():
            filled = filled.replace(word, value)
        world.lab.host(name).run(["sh", "-ec", filled])

    with ThreadPoolExecutor() as pool:
        list(pool.map(run, HOSTS))


def heal(world: World, harm: Harm) -> None:
    """Undo a harm, or have it undone."""
    if harm.heal:
        on_each(world, f"cp -p /root/kept {harm.file}; {harm.heal}" if harm.file else harm.heal)
    else:
        done = world.provision()
        assert done.returncode == 0, done.stdout + done.stderr


def test_hosts_as_they_should_be_pass_every_check(world: World) -> None:
    """Each check of a host once, keys and probes by record and signer, and nothing but passes."""
    found = look_at(world)

    assert [f for f in found if f.status is not Status.PASS] == []
    for name in HOSTS:
        assert [f.check for f in found if f.subject.name == name] == [check.name for check in rules.CHECKS]
    # example.com on both hosts, example.org on one, two algorithms each.
    assert sum(f.check == key_rules.MATCHES.name for f in found) == 6
    assert sum(f.check == key_rules.PROBE.name for f in found) == 6


def test_a_look_changes_nothing_and_sends_nothing(world: World) -> None:
    """No file, no unit, no message, nowhere: the probes of signers are sent to nobody."""
    before = [state_of(world.lab.host(name)) for name in HOSTS]
    arrived = len(world.lab.inbox.messages())

    look_at(world)

    assert [state_of(world.lab.host(name)) for name in HOSTS] == before
    assert len(world.lab.inbox.messages()) == arrived


def state_of(host: LabHost) -> str:
    """Return when anything was changed last on a host, which daemons run, and what mail there is."""
    places = ["/etc", "/usr/local", "/var/lib/sendwright", "/var/mail", f"{SPOOL}/maildrop", f"{SPOOL}/incoming"]
    files = host.run(["find", *places, "-printf", r"%p %C@\n"]).stdout
    units = host.run(["systemctl", "list-units", "--type=service", "--plain", "--no-legend"]).stdout
    return "\n".join(line for line in (files + units).splitlines() if "session" not in line and "user" not in line)


@pytest.mark.parametrize("harm", [pytest.param(harm, id=name) for name, harm in HARMS.items()])
def test_what_somebody_broke_fails_on_every_host_and_passes_once_it_is_healed(world: World, harm: Harm) -> None:
    """The checks that should, and no others; each says what it saw and what to do."""
    try:
        on_each(world, f"cp -p {harm.file} /root/kept; {harm.hurt}" if harm.file else harm.hurt)
        broken = look_at(world)
    finally:
        heal(world, harm)
    healed = look_at(world)

    said = failed(broken)
    assert harm.fails.keys() <= said.keys() <= harm.fails.keys() | harm.also, said
    for check, words in harm.fails.items():
        for name in HOSTS:
            assert any(f.check == check and words in f.seen for f in broken if name in (f.subject.name + f.target)), (
                said
            )
    assert all(f.advice for f in broken if f.status is Status.FAIL)
    assert [f for f in healed if f.status is not Status.PASS] == []


def test_every_check_of_this_file_is_broken_somewhere_in_it() -> None:
    """A check that cannot fail is a defect; clocks, and records in DNS, have tests of their own."""
    broken = {check for harm in HARMS.values() for check in harm.fails} | {rules.CLOCK.name}

    assert broken == {check.name for check in (*rules.CHECKS, key_rules.MATCHES, key_rules.PROBE)}


def test_a_clock_that_differs_from_ours_fails(world: World) -> None:
    """A container has its host's clock, so it is the judge's that is moved: two minutes apart are two minutes."""
    late = look_at(world, lambda: datetime.now(UTC) + timedelta(minutes=2))

    assert failed(late).keys() == {"host.clock"}
    for name in HOSTS:
        (found,) = [f for f in late if (f.check, f.subject.name) == ("host.clock", name)]
        assert re.fullmatch(r"it is 1[12]\d\.\d s behind this machine's", found.seen)


def test_a_certificate_that_ran_out_fails_by_whoever_knows_the_time(world: World) -> None:
    """A year from now."""
    later = failed(look_at(world, lambda: datetime.now(UTC) + timedelta(days=400)))

    assert later.keys() == {"host.clock", "host.expiry"}
    assert "the certificate ran out on" in later["host.expiry"]


@pytest.mark.parametrize("text", ["v=DKIM1; k=rsa; p=", None], ids=["revoked", "gone"])
def test_a_key_that_dns_does_not_serve_fails_on_every_host_that_signs_with_it(world: World, text: str | None) -> None:
    """Nothing on the hosts shows it; receivers do, and this."""
    name = next(k.record_name for k in StateFolder.of(world.declared).load().keys if k.domain == "example.com")
    (ours,) = [
        rrset for rrset in world.lab.records("example.com") if (rrset.name.rstrip("."), rrset.type) == (name, "TXT")
    ]
    try:
        world.lab.primary.replace("example.com", [replace(ours, values=(f'"{text}"',) if text else ())])
        broken = until(world, lambda found: failed(found).keys() == {"dkim.key-matches-host", "dkim.probe"})
    finally:
        world.lab.primary.replace("example.com", [RRset(ours.name, ours.type, ours.ttl, ours.values)])
    healed = until(world, lambda found: not failed(found))

    said = failed(broken)
    for host in HOSTS:
        assert f"{name} @ {host}: the host signs with this key, and DNS has" in said["dkim.key-matches-host"]
        assert f"@ {host}: the signature does not verify" in said["dkim.probe"]
    assert "example.org" not in "".join(said.values())
    assert [f for f in healed if f.status is not Status.PASS] == []


def until(world: World, holds: Callable[[list[Finding]], bool]) -> list[Finding]:
    """Look until every name server serves the same, and no cache holds anything else."""
    deadline = time.monotonic() + 20
    while True:
        world.lab.forget()
        found = look_at(world)
        if holds(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.5)
