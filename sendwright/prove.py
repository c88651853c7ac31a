"""Prove a rehearsed inventory from the controller's place inside its lab.

``python -m sendwright.prove LAB FOLDER FORMAT`` is what :mod:`sendwright.rehearse` starts there: names resolve by the
lab's resolver, and no packet can leave.
"""

import smtplib
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from sendwright import credentials, inventory
from sendwright.errors import LabError, SendwrightError
from sendwright.interrupts import hear_one
from sendwright.inventory import Inventory
from sendwright.judges import Verdict, judge, signatures
from sendwright.lab.lab import Lab
from sendwright.lab.netns import inside
from sendwright.lab.spec import INBOX
from sendwright.plan import Plan
from sendwright.provision import Outcome, Result, Settings, provision
from sendwright.received import Results, as_sent, case, results
from sendwright.report.colour import wanted
from sendwright.report.json import error_document
from sendwright.report.progress import Progress
from sendwright.report.rehearsal import Finding, rehearsal_document, rehearsal_lines
from sendwright.report.text import error_lines, plan_lines
from sendwright.stack import Domain, Host, Mx
from sendwright.state.folder import StateFolder
from sendwright.submission import Credential, deliver, message, submit

_PATIENCE = 60.0


def prove(lab: Lab, declared: Inventory, progress: Progress) -> tuple[tuple[Finding, ...], dict[str, float]]:
    """Provision, send through every host for every domain, look at what arrived, and provision again.

    Returns the findings, and the seconds that each part took.
    """
    logins = {d.name: _credential(declared, d) for d in declared.stack.domains if d.sends}
    seconds: dict[str, float] = {}
    started = time.monotonic()
    first = _provision(declared, progress)
    findings = [Finding("a bare host becomes a sending server", first.result is Result.DONE, first.result.value)]
    seconds["provision"] = time.monotonic() - started
    started = time.monotonic()
    if first.result is Result.DONE:
        for host in declared.stack.hosts:
            findings += _host_findings(lab, declared, host, logins)
    seconds["mail"] = time.monotonic() - started
    started = time.monotonic()
    if first.result is not Result.DONE:
        return tuple(findings), seconds
    again = _provision(declared, progress)
    commands = max(again.commands.values(), default=0)
    unchanged = again.result is Result.UNCHANGED and commands == 1
    seen = f"{again.result.value}, {commands} remote command a host"
    findings.append(Finding("a second provision changes nothing", unchanged, seen))
    seconds["second provision"] = time.monotonic() - started
    return tuple(findings), seconds


def _provision(declared: Inventory, progress: Progress) -> Outcome:
    def approve(plan: Plan) -> bool:
        progress.say(plan_lines(plan, diffs=False))
        return True

    outcome = provision(declared, Settings(), progress, approve)
    for error in outcome.errors:
        progress.say(error_lines(error))
    return outcome


def _credential(declared: Inventory, domain: Domain) -> Credential:
    login = f"rehearsal@{domain.name}"
    password = credentials.add(declared.folder, login, (domain.name,), None)
    return Credential(login, password or "", login)


def _host_findings(lab: Lab, declared: Inventory, host: Host, logins: dict[str, Credential]) -> Iterator[Finding]:
    domains = declared.stack.domains_of(host)
    for domain in domains:
        for port in (587, 465):
            found = _delivery(lab, declared, host, domain, port, logins[domain.name])
            yield from _tried(f"{domain.name} by {host.name}:{port}: submission is taken", found)
    # Where bounces are forwarded, or the domain's mail goes elsewhere, they leave for a server that is not rehearsed.
    kept = [d for d in domains if d.mx is Mx.HERE and d.receive.forward is None]
    if kept:
        found = _bounce(lab, declared, host, kept[0], logins[kept[0].name])
        yield from _tried(f"{kept[0].name} by {host.name}: a bounce is signed", found)


def _tried(sentence: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Yield findings; what a server refuses is one of them, and the others are still looked for."""
    try:
        yield from findings
    except (smtplib.SMTPException, OSError) as error:
        yield Finding(sentence, held=False, seen=f"{type(error).__name__}: {error}")


def _chain(declared: Inventory, host: Host) -> str:
    folder = StateFolder.of(declared)
    certificate = folder.load().certificate_of(host.name)
    return certificate.chain if certificate else ""


def _delivery(
    lab: Lab, declared: Inventory, host: Host, domain: Domain, port: int, who: Credential
) -> Iterator[Finding]:
    way = f"{domain.name} by {host.name}:{port}"
    recipient = f"proof-{port}.{host.name}@{lab.inbox.domain}"
    mail = message(who.address, recipient, f"proof {port}", datetime.now(UTC))
    submit(host.name, port, _chain(declared, host), who, recipient, mail)
    stored = _stored(lab, str(mail["Message-ID"]).encode())
    if stored is None:
        yield Finding(f"{way}: delivered", held=False, seen=f"nothing within {_PATIENCE:.0f} s")
        return
    yield _accepted(way, results(stored, lab.inbox.machine.name), domain)
    envelope = case(stored)
    verdict = judge(envelope) if envelope else Verdict("no trace", ())
    yield _judged(way, verdict, domain)
    if port == 587 and b"DKIM-Signature:" in stored:
        yield _tampered(lab, host, stored, who, domain)


def _stored(lab: Lab, mark: bytes) -> bytes | None:
    try:
        return lab.inbox.wait_for(lambda received: mark in received.raw, timeout=_PATIENCE).raw
    except LabError:
        return None


def _accepted(way: str, found: Results, domain: Domain) -> Finding:
    dkim = {a: found.dkim_of(a) for a in domain.dkim.algorithms}
    held = {found.spf, found.dmarc, *dkim.values()} == {"pass"}
    seen = f"spf={found.spf} {' '.join(f'dkim({a})={r}' for a, r in dkim.items())} dmarc={found.dmarc}"
    return Finding(f"{way}: the receiver accepts it", held, seen)


def _judged(way: str, verdict: Verdict, domain: Domain) -> Finding:
    valid = {s.algorithm.partition("-")[0] for s in verdict.signatures if s.valid and s.domain == domain.name}
    held = verdict.spf == "pass" and valid == set(domain.dkim.algorithms)
    seen = f"pyspf={verdict.spf} dkimpy={'+'.join(sorted(valid)) or 'nothing valid'}"
    return Finding(f"{way}: dkimpy and pyspf agree", held, seen)


def _tampered(lab: Lab, host: Host, stored: bytes, who: Credential, domain: Domain) -> Finding:
    mark = b"tampered-with"
    forged = b"X-Rehearsal: " + mark + b"\r\n" + as_sent(stored) + b"one more line\r\n"
    # From the host's own address, so that nothing but the body is wrong.
    with inside(lab.host(host.name).machine.namespace):
        deliver(INBOX[0], host.name, who.address, f"tampered@{lab.inbox.domain}", forged)
    again = _stored(lab, mark)
    found = results(again, lab.inbox.machine.name) if again else Results(None, None, ())
    dkim = {a: found.dkim_of(a) for a in domain.dkim.algorithms}
    seen = " ".join(f"dkim({a})={result}" for a, result in dkim.items())
    return Finding(f"{domain.name} by {host.name}: a tampered body is seen", set(dkim.values()) == {"fail"}, seen)


def _bounce(lab: Lab, declared: Inventory, host: Host, domain: Domain, who: Credential) -> Iterator[Finding]:
    recipient = f"refused@{lab.inbox.domain}"
    mail = message(who.address, recipient, "bounce", datetime.now(UTC))
    submit(host.name, 587, _chain(declared, host), who, recipient, mail)
    bounce = _kept(lab.host(host.name).root / "var/mail/sendwright", str(mail["Message-ID"]).encode())
    valid = [s for s in signatures(bounce) if s.valid] if bounce else []
    seen = " ".join(f"{s.algorithm} d={s.domain}" for s in valid) or ("unsigned" if bounce else "no bounce came")
    sentence = f"{domain.name} by {host.name}: a bounce is signed"
    yield Finding(sentence, {s.algorithm.partition("-")[0] for s in valid} == set(domain.dkim.algorithms), seen)


def _kept(mail: Path, mark: bytes) -> bytes | None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        for file in mail.rglob("new/*"):
            if mark in (content := file.read_bytes()):
                return content
        time.sleep(0.1)
    return None


def main(name: str, folder: str, form: str) -> int:
    """Prove an inventory in the lab of that name, print the report, and return the exit code."""
    hear_one()
    try:
        with click.Context(click.Command("prove"), color=wanted()):
            return _main(name, folder, form)
    except KeyboardInterrupt:
        return 1  # `rehearse` hears it too, and says so


def _main(name: str, folder: str, form: str) -> int:
    try:
        findings, seconds = prove(Lab.load(name), inventory.load(Path(folder)), Progress())
    except SendwrightError as error:
        if form == "json":
            click.echo(error_document(error))
        click.echo(error_lines(error), err=True)
        return error.exit_code
    render = rehearsal_document if form == "json" else rehearsal_lines
    click.echo(render(findings, seconds))
    return 0 if all(f.held for f in findings) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
