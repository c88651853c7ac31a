"""How a host sends and what it offers: settings, addresses and names, open ports, its resolver. Pure."""

from collections.abc import Iterator
from ipaddress import ip_address

from sendwright.deploys.outbound import MAP
from sendwright.deploys.probe import Smtp
from sendwright.preflight import Outbound
from sendwright.stack import Address
from sendwright.verify.finding import Finding, Status
from sendwright.verify.inside.facts import Facts, Trouble, converge, told
from sendwright.verify.rules import hosts as rules

# Whoever has one of these in the world's reach is a daemon of ours.
OURS = frozenset({"master", "smtpd", "unbound", "dovecot", "anvil", "auth", "opendkim"})
_SETTINGS = {
    "milter_default_action": ("tempfail", "mail leaves unsigned when a signer is away"),
    "internal_mail_filter_classes": ("bounce, notify", "bounces leave unsigned"),
    "smtp_tls_security_level": ("dane", "DANE is not followed"),
    "smtp_dns_support_level": ("dnssec", "DANE is not followed"),
    "smtp_tls_policy_maps": (f"texthash:/etc/postfix/tls_overrides, {MAP}", "MTA-STS is not followed"),
    "smtpd_forbid_bare_newline": ("normalize", "a second message can be smuggled in"),
    "smtpd_tls_auth_only": ("yes", "passwords are taken over an open line"),
    "smtpd_tls_protocols": (">=TLSv1.2", "broken versions of TLS are spoken"),
    "disable_vrfy_command": ("yes", "strangers can ask who exists"),
    "smtpd_relay_restrictions": ("reject", "strangers may relay"),
}
_RELAYS = frozenset({"reject_unauth_destination", "$submission_relay_restrictions"})
_TRUSTED = frozenset({"127.0.0.0/8", "[::1]/128"})
_FAMILIES = {(4,): "ipv4", (6,): "ipv6", (4, 6): "all"}
_CONF, _COPY = "/etc/resolv.conf", "/var/spool/postfix/etc/resolv.conf"


def settings(facts: Facts) -> Iterator[Finding]:
    """Judge the settings that mail's safety rests on, and that nobody relays for free."""
    found = facts.inside.settings
    advice = f"Somebody changed it on the host: {converge(facts)} puts it back."
    troubles = [
        Trouble(f"{name} is {found.get(name, 'not known')!r}, not {value!r}: {why}", advice, name)
        for name, (value, why) in _SETTINGS.items()
        if found.get(name) != value
    ]
    if trusted := [net for net in found.get("mynetworks", "").split() if net not in _TRUSTED]:
        why = f"mynetworks trusts {', '.join(trusted)}: whoever comes from there passes checks"
        troubles.append(Trouble(why, advice, "mynetworks"))
    for service, value in facts.inside.relays.items():
        if value not in _RELAYS:
            seen = f"{service} in master.cf has smtpd_relay_restrictions={value}: strangers may relay"
            troubles.append(Trouble(seen, advice, f"{service}/smtpd_relay_restrictions"))
    yield from told(
        rules.SETTINGS, facts, troubles, f"all {len(_SETTINGS) + 2} hold; relaying is closed but for logins"
    )


def egress(facts: Facts) -> Iterator[Finding]:
    """Judge the addresses that mail leaves from, and the one name of HELO, greeting and DNS."""
    shown = ", ".join(map(str, facts.host.addresses))
    troubles = [*_addresses(facts), *_named(facts), *_resolved(facts)]
    yield from told(rules.EGRESS, facts, troubles, f"mail leaves from {shown} as {facts.host.name}")


def _addresses(facts: Facts) -> Iterator[Trouble]:
    found, advice = facts.inside.settings, f"{converge(facts)} puts it back."
    families = _FAMILIES[tuple(sorted({a.version for a in facts.host.addresses}))]
    if (seen := found.get("inet_protocols")) != families:
        yield Trouble(f"inet_protocols is {seen!r}, not {families!r}", advice, "inet_protocols")
    for one in facts.host.egress:
        name = "smtp_bind_address" if one.public.version == 4 else "smtp_bind_address6"
        wanted = str(one.bind) if one.bind else ""
        if (seen := found.get(name)) != wanted:
            yield Trouble(f"{name} is {seen!r}, not {wanted!r}: mail leaves from elsewhere", advice, name)
        if one.bind is not None and one.bind not in facts.observation.addresses:
            why = f"{one.bind} is not an address of the host: mail cannot leave from there"
            yield Trouble(why, "Configure the address on the host, or mend `egress` in the inventory.", str(one.bind))


def _named(facts: Facts) -> Iterator[Trouble]:
    name, advice = facts.host.name, f"{converge(facts)} puts it back."
    if (helo := facts.inside.settings.get("smtp_helo_name")) != name:
        yield Trouble(f"it says {helo!r} in HELO, not {name}", advice, "smtp_helo_name")
    offered = facts.inside.smtp.get(25)
    if isinstance(offered, Smtp) and offered.name.lower() != name:
        yield Trouble(f"port 25 greets as {offered.name!r}, not {name}", advice, "port 25")


def _resolved(facts: Facts) -> Iterator[Trouble]:
    for answer in facts.names:
        wanted = {a for a in facts.host.addresses if a.version == (4 if answer.type == "A" else 6)}
        if not answer.known:
            advice = "Look at the name servers of the zone that the host's name lies in."
            why = f"{answer.type} of {answer.name}: {answer.why or answer.told}"
            yield Trouble(why, advice, f"{answer.name} {answer.type}", Status.UNKNOWN)
        elif (found := set(_read(answer.values))) != wanted:
            seen, should = (", ".join(sorted(map(str, some))) or "none" for some in (found, wanted))
            advice = f"Publish {answer.type} {should} at {answer.name}: `sendwright provision INVENTORY` where it may."
            why = f"{answer.name} has {answer.type} {seen}, and mail leaves from {should}"
            yield Trouble(why, advice, f"{answer.name} {answer.type}")


def _read(values: tuple[str, ...]) -> Iterator[Address]:
    for value in values:
        try:
            yield ip_address(value)
        except ValueError:
            continue


def outbound(facts: Facts) -> Iterator[Finding]:
    """Judge whether mail can leave at all: a connection to one large receiver, at which nothing is said."""
    check, subject, mx = rules.OUTBOUND, facts.subject, facts.stack.smtp.probe_mx
    if facts.outbound is Outbound.BLOCKED:
        advice = "Ask the host's provider to open it (many clouds block it), and look at firewalls of your own."
        yield check.failed(subject, f"port 25 of {mx} cannot be reached", advice)
    elif facts.outbound is Outbound.UNKNOWN:
        advice = "Does the host resolve names? `smtp={'probe_mx': NAME}` in the inventory names another server to try."
        yield check.unknown(
            subject, f"it has no address of {mx}, or no way there: whether others are reached is open", advice
        )
    else:
        yield check.passed(subject, f"port 25 of {mx} is reached")


def exposed(facts: Facts) -> Iterator[Finding]:
    """Judge the ports that the world may reach, and what is offered there."""
    mail, web = ({25, 465, 587} if facts.submission else {25}), {s.port for s in facts.service("web").listens}
    troubles = [*_ports(facts, mail | web), *_resolver_for_all(facts), *_offers(facts, mail)]
    ports = ", ".join(map(str, sorted(mail | web)))
    yield from told(rules.EXPOSED, facts, troubles, f"open to the world: {ports}; the resolver answers loopback only")


def _ports(facts: Facts, wanted: set[int]) -> Iterator[Trouble]:
    # Where no web server of ours should run, it is somebody else's.
    programs = OURS | ({"nginx"} if facts.service("web").listens else set())
    ours = [
        s for s in facts.inside.listeners if s.kind == "tcp" and s.programs & programs and not s.address.is_loopback
    ]
    found = {listener.port for listener in ours}
    for port in sorted(wanted - found):
        yield Trouble(f"nothing listens on port {port} for others", f"{converge(facts)} opens it.", f"port {port}")
    for port in sorted(found - wanted):
        who = ", ".join(sorted({name for s in ours if s.port == port for name in s.programs}))
        yield Trouble(f"{who} listens on port {port} for the world", f"{converge(facts)} closes it.", f"port {port}")


def _resolver_for_all(facts: Facts) -> Iterator[Trouble]:
    asked_at = {s.address for s in facts.inside.listeners if s.port == 53 and s.programs & OURS}
    for address in sorted((a for a in asked_at if not a.is_loopback), key=str):
        why = f"the resolver answers at {address}: others can amplify attacks with it"
        yield Trouble(why, f"{converge(facts)} closes it.", f"{address} port 53")
    if not asked_at:
        yield Trouble("no resolver listens on port 53 of the host itself", f"{converge(facts)} starts it.", "port 53")


def _offers(facts: Facts, wanted: set[int]) -> Iterator[Trouble]:
    for port in sorted(wanted):
        offered = facts.inside.smtp.get(port, "it was not asked")
        if not isinstance(offered, Smtp):
            why = f"port {port} gives no SMTP answer on the host itself: {offered}"
            yield Trouble(why, "Look at `journalctl -u 'postfix*'` on it.", f"SMTP on port {port}")
        elif port != 25 and not offered.requires_tls_before_auth:
            why = f"port {port} does not take credentials inside TLS, and there only"
            yield Trouble(why, f"{converge(facts)} puts it back.", f"SMTP on port {port}")
        elif port == 25 and "starttls" not in offered.before:
            yield Trouble("port 25 offers no STARTTLS", f"{converge(facts)} puts it back.", "SMTP on port 25")
        elif port == 25 and "auth" in offered.before | (offered.inside or frozenset()):
            yield Trouble(
                "port 25 offers authentication: passwords can be guessed there",
                f"{converge(facts)} puts it back.",
                "AUTH",
            )


def resolver(facts: Facts) -> Iterator[Finding]:
    """Judge whom the host asks for names, and whether smtp(8) in its chroot sees that answers are validated."""
    troubles = [*_conf(facts), *_validated(facts)]
    yield from told(rules.RESOLVER, facts, troubles, "answers have the AD bit inside Postfix's chroot")


def _conf(facts: Facts) -> Iterator[Trouble]:
    files = {f.path: f for s in facts.services for f in s.files if f.path in {_CONF, _COPY}}
    advice = f"{converge(facts)} takes the file back from whoever wrote it."
    for path, wanted in files.items():
        state = facts.observation.paths.get(path)
        if state is None or not state.is_file:
            yield Trouble(f"{path} is {state.kind if state else 'missing'}, not a file of ours", advice, path)
        elif state.sha256 != wanted.sha256 and (others := _elsewhere(state.content)):
            yield Trouble(f"{path} asks {', '.join(others)}", advice, path)
    own, copy = (facts.observation.paths.get(path) for path in (_CONF, _COPY))
    if own and copy and own.is_file and copy.is_file and own.sha256 != copy.sha256:
        yield Trouble(f"Postfix's chroot has another resolv.conf than {_CONF}", advice, f"{_COPY} differs")


def _elsewhere(content: str | None) -> list[str]:
    """The resolvers that are not on the host itself; what cannot be read is no name of one."""
    if content is None:
        return ["nobody knows whom: it cannot be read"]
    servers = [line.split()[1:2] for line in content.splitlines() if line.startswith("nameserver")]
    if not any(servers):
        return ["nobody: it names no resolver"]
    return [found for words in servers for found in words if not _loopback(found)]


def _loopback(text: str) -> bool:
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return False


def _validated(facts: Facts) -> Iterator[Trouble]:
    answer = facts.inside.chroot
    if answer is None:
        why = "the resolver could not be asked from inside Postfix's chroot"
        yield Trouble(why, "Has the host python3, and Postfix its queue directory?", "chroot", Status.UNKNOWN)
    elif not answer.answered:
        why = "the resolver gives no answer inside Postfix's chroot: no mail leaves"
        yield Trouble(why, "Look at `systemctl status unbound` on it.", "chroot")
    elif not answer.ad:
        why = "answers inside Postfix's chroot are not validated (no AD bit): DANE is off"
        yield Trouble(why, f"{converge(facts)} puts the validating resolver back.", "chroot")
