"""``verify --hosts``: look at every host over SSH, and judge it by the same definitions as ``tests/live``.

A handful of remote commands a host, hosts at the same time, nothing changed and no mail sent. A host that cannot be
looked at fails once, and the others go on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from sendwright import generation, host_renewals, planning
from sendwright.connections import Fleet
from sendwright.deploys import renewed
from sendwright.deploys.probe import Sample, Signed, parse_signed, sign_command, sign_input
from sendwright.errors import HostError
from sendwright.generation import Lineage
from sendwright.inventory import Inventory
from sendwright.observation import Observation
from sendwright.observe import observe
from sendwright.preflight import Outbound, outbound_25
from sendwright.signers import host_seen
from sendwright.ssh import Runs
from sendwright.stack import Domain, Host, Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import Certificate, State
from sendwright.verify import hosts
from sendwright.verify.finding import Finding, Kind, Subject
from sendwright.verify.inside.facts import Facts, of_host, takes_submission
from sendwright.verify.inside.keys import Signer, author, matches, probed, signers_of
from sendwright.verify.inside.look import Inside, look_inside
from sendwright.verify.look import Answer, Look
from sendwright.verify.rules import dkim as key_rules
from sendwright.verify.rules import hosts as rules
from sendwright.verify.target import Target

# For a busy host to answer, and for each signature: an RSA one takes 2.3 ms.
_SECONDS, _SECONDS_EACH, _SLACK = 30.0, 0.03, 60.0

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Known:
    """What hosts are compared with: the declaration, and what is remembered."""

    stack: Stack
    state: State
    lineage: Lineage | None


@dataclass(frozen=True)
class Looked:
    """What one host answered. ``inside`` None: it is none of ours, and was asked nothing more.

    ``taken``: the certificates that it has renewed by itself; ``hindered``: why it could not.
    """

    observation: Observation
    began: datetime
    ended: datetime
    inside: Inside | None = None
    signed: Mapping[str, Mapping[str, Signed]] | None = None
    outbound: Outbound = Outbound.UNKNOWN
    taken: tuple[Certificate, ...] = ()
    hindered: renewed.Trouble | None = None


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def check(
    inventory: Inventory,
    targets: Sequence[Target],
    look: Look,
    report: Callable[[str], None],
    *,
    clock: Clock = now,
    connect: Callable[..., Fleet] = Fleet,
) -> Iterator[Finding]:
    """Yield the findings of ``host.*`` about every host, and of DKIM keys on hosts about the domains among ``targets``.

    Arguments: ``look``: asks for keys and addresses by the run's resolver; ``report``: gets a line of progress;
    ``clock``: this machine's, which hosts' clocks are compared with; ``connect``: makes the connections. Raises
    StateError for a state folder that cannot be read.
    """
    folder = StateFolder.of(inventory)
    known = Known(inventory.stack, folder.load(), folder.lineage())
    asked = {target.domain for target in targets}
    domains = tuple(domain for domain in inventory.stack.domains if domain.name in asked)
    sample = message(clock()) if look.wants((key_rules.MATCHES, key_rules.PROBE)) else None
    with connect(inventory.stack.hosts, inventory.folder) as fleet:
        several = len(fleet.hosts) > 1
        report(f"looking at {len(fleet.hosts)} hosts" if several else f"looking at {next(iter(fleet.hosts))}")
        looked = fleet.each(fleet.hosts, lambda connection: look_at(connection, known, clock, sample))
        errors = dict(fleet.errors)
    facts = _facts(known, looked, look)
    for host in inventory.stack.hosts:
        yield from _of_host(host, looked.get(host.name), facts.get(host.name), errors.get(host.name))
    if sample:
        signers = {name: _signer(found, looked[name], sample) for name, found in facts.items()}
        yield from _of_keys(known.stack, signers, domains, look)


def look_at(connection: Runs, known: Known, clock: Clock, sample: Sample | None = None) -> Looked:
    """Look at one host and change nothing.

    Arguments: ``sample``: what its signers are asked to sign; None: they are not asked. Raises HostError.
    """
    host, stack, state = connection.host, known.stack, known.state
    began = clock()
    observation = observe(connection, planning.desired(stack, host, state), queues=True)
    ended = clock()
    if not (observation.managed and observation.release and observation.systemd):
        return Looked(observation, began, ended)
    ports = (25, 465, 587) if takes_submission(stack, state, host) else (25,)
    inside = look_inside(connection, ports)
    signed = have_signed(connection, stack, sample) if sample else None
    outbound = outbound_25(connection, stack.smtp.probe_mx)
    return Looked(observation, began, ended, inside, signed, outbound, *own_renewals(connection, known))


def own_renewals(connection: Runs, known: Known) -> tuple[tuple[Certificate, ...], renewed.Trouble | None]:
    """Return what a host renewed by itself since the folder heard of it, and what hinders it."""
    name = connection.host.name
    if not host_renewals.renews(known.stack, name):
        return (), None
    answer = connection.run(renewed.command()).stdout
    certificates = known.state.certificates_of(name)
    found = host_renewals.newer(known.stack, certificates, renewed.parse(name, answer))
    return tuple(found), renewed.trouble(name, answer)


def have_signed(connection: Runs, stack: Stack, sample: Sample) -> Mapping[str, Mapping[str, Signed]]:
    """Have the running signers of a host sign a message for each of its domains; it is sent to nobody."""
    host = connection.host
    sockets, authors = signers_of(stack, host), [author(domain) for domain in stack.domains_of(host)]
    if not authors:
        return {}
    most = _SECONDS + _SECONDS_EACH * len(authors) * len(sockets)
    order = sign_input(sockets, authors, sample, most)
    result = connection.run(sign_command(), order.encode(), timeout=most + _SLACK)
    if not result.ok:
        raise HostError(host.name, "its signers could not be asked.", "Has it python3?")
    return parse_signed(host, result.stdout.decode(errors="replace"), sockets.keys())


def message(now: datetime) -> Sample:
    """Return a message that says what it is for, should anybody ever see it."""
    fields = (
        ("To", "nobody@verify.invalid"),
        ("Subject", "sendwright verify"),
        ("Date", format_datetime(now)),
        ("Message-ID", f"<{now:%Y%m%dT%H%M%S.%f}@verify.invalid>"),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain"),
    )
    return Sample(fields, "This message shows by which key a host signs. It is sent to nobody.\r\n")


def facts_of(known: Known, host: Host, looked: Looked, names: tuple[Answer, ...]) -> Facts | None:
    """Return what is judged about a host; None where it was asked nothing."""
    release = looked.observation.release
    if looked.inside is None or release is None:
        return None
    state = host_renewals.with_certificates(known.state, looked.taken)
    services = planning.services(known.stack, host, release, state)
    refusal = generation.refusal(known.lineage, {host.name: looked.observation.generation})
    return Facts(
        *(known.stack, state, host, services, looked.observation, looked.inside, looked.began, looked.ended),
        names=names,
        foreign=refusal.what if refusal else "",
        outbound=looked.outbound,
        hindered=looked.hindered,
    )


def unfit(host: Host, observation: Observation) -> Finding:
    """Return why a host cannot be judged: it is none of ours."""
    subject = of_host(host)
    if not observation.root:
        advice = "Log in as root, or set _sudo for a user that may use sudo without a password."
        return rules.DESIRED.failed(subject, "the login is not root: nothing could be looked at", advice)
    if observation.release is None or not observation.systemd:
        what = observation.system or "an unknown system"
        return rules.DESIRED.failed(subject, f"it runs {what}", "Debian 12 or 13, booted with systemd, is needed.")
    advice = "`sendwright provision INVENTORY` makes it a sending server."
    return rules.DESIRED.failed(subject, "it was never provisioned", advice)


def _facts(known: Known, looked: Mapping[str, Looked], look: Look) -> dict[str, Facts]:
    questions = [(name, kind) for name in looked for kind in ("A", "AAAA")]
    names = dict(zip(questions, look.dns.ask_all(questions), strict=True))
    found = (
        (name, facts_of(known, known.stack.host(name), one, (names[name, "A"], names[name, "AAAA"])))
        for name, one in looked.items()
    )
    return {name: facts for name, facts in found if facts}


def _of_host(host: Host, looked: Looked | None, facts: Facts | None, error: HostError | None) -> Iterator[Finding]:
    subject = of_host(host)
    if looked is None:
        what, advice = (error.what, error.hint) if error else ("it was not looked at", "Run it again.")
        yield rules.REACHABLE.failed(subject, what.removeprefix(f"{host.name}: "), advice)
        return
    yield rules.REACHABLE.passed(subject, f"logged in as {host.ssh.user}; its host key is the known one")
    if facts is None:
        yield unfit(host, looked.observation)
    else:
        yield from hosts.judge(facts)


def _signer(facts: Facts, looked: Looked, sample: Sample) -> Signer:
    seen = host_seen(facts.observation, facts.services, facts.state.keys)
    return Signer(facts, seen, looked.signed or {}, sample)


def _of_keys(stack: Stack, signers: Mapping[str, Signer], domains: Sequence[Domain], look: Look) -> Iterator[Finding]:
    pairs = [(domain, host) for domain in domains for host in stack.hosts_of(domain)]
    records = sorted({r for d, host in pairs if host.name in signers for r in signers[host.name].records(d)})
    answers = dict(zip(records, look.dns.ask_all([(record, "TXT") for record in records]), strict=True))
    for domain, host in pairs:
        if signer := signers.get(host.name):
            yield from matches(signer, domain, answers)
            yield from probed(signer, domain, answers)
        else:
            why = f"{host.name} could not be looked at (host.reachable, host.as-desired)"
            yield key_rules.MATCHES.unknown(Subject(Kind.DOMAIN, domain.name), why, "", host.name)
