"""What somebody did to a provisioned host: the plan names exactly that and touches nothing, provision heals it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from sendwright.lab import LabHost
from sendwright.received import Results
from sendwright.rehearse import World
from sendwright.state.folder import StateFolder
from sendwright.submission import Credential

pytestmark = pytest.mark.lab

HOSTS = ("mx1.example.com", "mx2.example.com")
#: On Debian 12 the daemon is an instance of the unit that people stop.
POSTFIX = {"mx1.example.com": "postfix@-.service", "mx2.example.com": "postfix.service"}
LOADED = ("/etc", "/usr/local/lib", "/usr/sbin", "/var/lib/sendwright", "/var/spool/postfix/etc")


@dataclass(frozen=True)
class Harm:
    """What is done on each host, and what a plan then says of it; ``only`` leaves a line to one host."""

    command: str
    expected: tuple[str, ...]
    only: Mapping[str, str] | None = None

    def said_of(self, host: str, key: str) -> list[str]:
        """Return the summaries that a plan must have for a host, and no others."""
        texts = [*self.expected, *([self.only[host]] if self.only and host in self.only else [])]
        return sorted(text.format(postfix=POSTFIX[host], key=key) for text in texts)


HARMS = {
    "main.cf was edited": Harm(
        "sed -i 's/^smtpd_helo_required .*/smtpd_helo_required = no/' /etc/postfix/main.cf",
        ("file /etc/postfix/main.cf: content differs", "reload {postfix}"),
    ),
    "a key's mode was changed": Harm(
        "chmod 644 {key}",
        (
            "file {key}: mode 0644 -> 0600",
            "reload sendwright-opendkim@rsa.service sendwright-opendkim@ed25519.service",
        ),
    ),
    "Postfix was stopped": Harm(
        # Both by name: of what goes with it, systemctl does not await the end.
        "systemctl stop postfix {postfix}",
        ("start {postfix}",),
        only={"mx1.example.com": "start postfix.service"},
    ),
    "a signer was stopped": Harm(
        "systemctl stop sendwright-opendkim@rsa",
        ("start sendwright-opendkim@rsa.service",),
    ),
    "the master was killed": Harm(
        "pkill -KILL -x master && until systemctl is-failed -q {postfix}; do sleep 0.05; done",
        ("start {postfix}",),
    ),
    "the logins were removed": Harm(
        "rm /etc/dovecot/sendwright.users",
        ("file /etc/dovecot/sendwright.users", "reload dovecot.service"),
    ),
    "a key of somebody else lies among ours": Harm(
        "touch /etc/opendkim/keys/stray.pem",
        ("file /etc/opendkim/keys/stray.pem",),
    ),
    "the resolver was disabled": Harm(
        "systemctl disable -q unbound",
        ("enable unbound.service",),
    ),
    "resolv.conf names another resolver": Harm(
        "echo nameserver 198.18.0.53 >/etc/resolv.conf",
        ("file /etc/resolv.conf: content differs", "validate resolv.conf"),
    ),
    "Postfix serves loopback only": Harm(
        "postconf -e inet_interfaces=loopback-only && systemctl restart postfix",
        ("file /etc/postfix/main.cf: content differs", "restart {postfix}"),
    ),
}


def plan(world: World) -> tuple[int, dict[str, list[str]], dict[str, str]]:
    """Return a plan's exit code, its summaries by host, and its diffs by summary; nothing but hosts may differ."""
    done = world.sendwright("plan", str(world.folder), "--detailed-exitcode", "--format", "json")
    document = json.loads(done.stdout)
    assert document["errors"] == []
    assert {change["kind"] for change in document["changes"]} <= {"host"}
    summaries: dict[str, list[str]] = {}
    for change in document["changes"]:
        summaries.setdefault(change["subject"], []).append(change["summary"])
    return (
        done.returncode,
        {host: sorted(found) for host, found in summaries.items()},
        {change["summary"]: change["diff"] for change in document["changes"]},
    )


def state_of(host: LabHost) -> str:
    """Return when anything was changed last on a host, and which daemons run."""
    files = host.run(["find", *LOADED, "-printf", r"%p %C@\n"]).stdout
    units = host.run(["systemctl", "list-units", "--type=service", "--plain", "--no-legend"]).stdout
    return files + units


def key_of(world: World, domain: str) -> str:
    """Return where a host keeps the RSA key of a domain."""
    declared = world.declared
    keys = StateFolder.of(declared).load().keys
    selector = next(k.selector for k in keys if (k.domain, k.algorithm) == (domain, "rsa"))
    return f"/etc/opendkim/keys/{domain}/{selector}.pem"


@pytest.mark.parametrize("harm", [pytest.param(harm, id=name) for name, harm in HARMS.items()])
def test_what_somebody_did_is_named_and_healed(
    world: World, logins: dict[str, Credential], send: Callable[..., Results], harm: Harm
) -> None:
    """Exactly that and what has to load it, on both hosts; a plan changes nothing, and mail flows once it is healed."""
    key = key_of(world, "example.com")
    for host in HOSTS:
        world.lab.host(host).run(["bash", "-c", harm.command.format(postfix=POSTFIX[host], key=key)])
    before = [state_of(world.lab.host(host)) for host in HOSTS]

    code, summaries, diffs = plan(world)
    untouched = [state_of(world.lab.host(host)) for host in HOSTS] == before
    healed = world.provision()

    assert code == 3
    assert summaries == {host: harm.said_of(host, key) for host in HOSTS}
    assert not any(diff for summary, diff in diffs.items() if ".pem" in summary or "sendwright.users" in summary)
    assert untouched
    assert (healed.returncode, healed.stdout.splitlines()[-1:]) == (0, ["done"]), healed.stdout + healed.stderr
    assert plan(world) == (0, {}, {})
    for host in HOSTS:
        arrived = send(world, host, logins["alice"])
        assert (arrived.spf, arrived.dmarc, [r for _, r in arrived.dkim]) == ("pass", "pass", ["pass", "pass"])


def test_an_edited_main_cf_is_shown_to_people_as_a_diff(world: World) -> None:
    """With the host, the path, and the lines as a unified diff."""
    world.lab.host(HOSTS[0]).run(
        ["sed", "-i", "s/^smtpd_helo_required .*/smtpd_helo_required = no/", "/etc/postfix/main.cf"]
    )

    done = world.sendwright("plan", str(world.folder))
    world.provision()

    lines = [line.strip() for line in done.stdout.splitlines()]
    assert any("mx1.example.com" in line and "/etc/postfix/main.cf" in line for line in lines)
    assert {"--- /etc/postfix/main.cf", "+++ /etc/postfix/main.cf", "-smtpd_helo_required = no"} <= set(lines)
    assert any(line.startswith("+smtpd_helo_required") and line.endswith("= yes") for line in lines)
    assert "mx2.example.com" not in done.stdout


def test_daemons_that_somebody_restarted_are_no_news(world: World) -> None:
    """Upgrades restart daemons by themselves: they load what lies on disk, so there is nothing to do."""
    units = "unbound dovecot sendwright-guard 'sendwright-opendkim@*' postfix"
    for host in HOSTS:
        # On Debian 12 the unit that people restart answers before its instance is up again.
        up = f"until systemctl is-active -q {POSTFIX[host]}; do sleep 0.05; done"
        world.lab.host(host).run(["bash", "-c", f"systemctl restart {units}; {up}"])

    assert plan(world) == (0, {}, {})
