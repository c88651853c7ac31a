"""What lies on a host: is it what the inventory says, and is what is private private. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from sendwright import hostdiff, needs
from sendwright.plan import Action, Change
from sendwright.service import Directory, File
from sendwright.verify.finding import Finding, Status
from sendwright.verify.inside.facts import Facts, Trouble, bare, converge, told
from sendwright.verify.rules import hosts as rules

# A folder that names of keys can be read in, or a file that others may read.
_OTHERS, _FOLDER = 0o007, 0o700


def as_desired(facts: Facts) -> Iterator[Finding]:
    """Judge by what `provision` would change of accounts, packages and files: daemons have checks of their own."""
    if facts.foreign:
        advice = "Verify with the state folder that the host follows: fetch it, then run again."
        yield rules.DESIRED.failed(facts.subject, facts.foreign[:300], advice)
        return
    services = bare(facts.services)
    changes = hostdiff.diff(facts.host.name, services, replace(facts.observation, held=False))
    files = sum(len(service.files) for service in services)
    yield from told(rules.DESIRED, facts, map(_change, changes), f"{files} files and their packages are as declared")


def _change(change: Change) -> Trouble:
    what = {Action.CREATE: "missing", Action.DELETE: "too much"}.get(change.action, "differs")
    # Missing, or of other content: nobody knows what the host does. Other modes and strays do no harm by themselves.
    harmful = change.action is Action.CREATE or "content differs" in change.summary or " -> file" in change.summary
    return Trouble(
        f"{what}: {change.summary}" + (f" ({change.why})" if change.why else ""),
        "`sendwright plan INVENTORY` shows the difference, and `sendwright provision INVENTORY` mends it.",
        change.summary,
        Status.FAIL if harmful else Status.WARN,
    )


def secrets(facts: Facts) -> Iterator[Finding]:
    """Judge owners and modes of what is private, what everybody may read, and keys that nobody declared."""
    private = [f for s in facts.services for f in s.files if f.private]
    folders = [d for s in facts.services for d in s.directories if d.mode == _FOLDER]
    troubles = [*_open(facts, [*private, *folders]), *_readable(facts), *_strays(facts)]
    fine = f"{len(private)} private files and {len(folders)} folders are their owners' alone"
    yield from told(rules.SECRETS, facts, troubles, fine)


def _open(facts: Facts, wanted: list[File | Directory]) -> Iterator[Trouble]:
    # What Postfix and Dovecot share is declared by both.
    for thing in {thing.path: thing for thing in wanted}.values():
        state = facts.observation.paths.get(thing.path)
        if state is None or not (differs := needs.attributes(thing, state)):
            continue
        others = "others can get at it" if state.mode & _OTHERS else "it is not as it was declared"
        advice = f"{converge(facts)} puts it right; if others could read a DKIM key: `sendwright rotate --force-new`."
        yield Trouble(f"{thing.path}: {others} ({differs})", advice, thing.path)


def _readable(facts: Facts) -> Iterator[Trouble]:
    for path in facts.inside.readable:
        advice = f"`chmod o= {path}`, and replace what it holds: whoever was on the host may have it."
        yield Trouble(f"{path} holds a private key or a password's hash, and everybody may read it", advice, path)


def _strays(facts: Facts) -> Iterator[Trouble]:
    service = facts.service("opendkim")
    for stray in needs.strays(service, facts.services, facts.observation):
        seen = f"{stray.path}: nobody declared it, and it lies where keys lie"
        yield Trouble(seen, f"Find out whose it is; {converge(facts)} removes it.", f"stray {stray.path}")
