"""What ``sendwright verify`` is asked for: every mistake in its arguments at once, before anything is asked."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TypeVar

from sendwright.errors import UsageError
from sendwright.escape import plain
from sendwright.report.findings import FORMS
from sendwright.verify import known
from sendwright.verify.asked import authorities, selector_name, verified_name
from sendwright.verify.asking.resolving import resolver_at
from sendwright.verify.catalogue import CHECKS
from sendwright.verify.finding import Finding

GROUPS = tuple(dict.fromkeys(check.group for check in CHECKS.values()))
_SECONDS = (0.1, 600.0)
_CHANGES = ("text", "json")

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Asked:
    """What a run is asked for. ``inventory`` or ``domains``, never both.

    ``checks``: the names of those that are made; ``form``: what goes to standard output; ``files``: by path, the
    form that goes there; ``baseline`` and ``before``: findings of older reports, None where none was named.
    """

    domains: tuple[str, ...]
    inventory: Path | None
    checks: frozenset[str]
    only: tuple[str, ...]
    skip: tuple[str, ...]
    selectors: tuple[str, ...]
    resolver: str | None
    timeout: float
    trust: Path | None
    hosts: bool
    form: str
    files: tuple[tuple[Path, str], ...]
    baseline: tuple[Finding, ...] | None
    before: tuple[Finding, ...] | None


def asked(
    targets: Sequence[str],
    *,
    formats: Sequence[str] = (),
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    selectors: Sequence[str] = (),
    resolver: str | None = None,
    timeout: str = "10",
    trust: Path | None = None,
    baseline: Path | None = None,
    diff: Path | None = None,
    hosts: bool = False,
) -> Asked:
    """Return what the arguments ask for; UsageError says all that is wrong with them.

    ``formats``: ``FORM`` or ``FORM=FILE`` each; ``only`` and ``skip``: names or groups, also several joined by commas.
    """
    reading = _Reading()
    inventory, domains = reading.targets(targets)
    wanted, unwanted = reading.names("--only", only), reading.names("--skip", skip)
    checks = _chosen(wanted) - (_chosen(unwanted) if unwanted else frozenset())
    reading.choice(checks, inventory=inventory is not None, hosts=hosts)
    form, files = reading.formats(formats, changes=diff is not None)
    found = Asked(
        domains=domains,
        inventory=inventory,
        checks=frozenset(name for name in checks if _made(name, inventory=inventory is not None, hosts=hosts)),
        only=wanted,
        skip=unwanted,
        selectors=tuple(s for s in _split(selectors) if reading.tried(_selector, s) is not None),
        resolver=reading.tried(_resolver, resolver),
        timeout=reading.tried(_timeout, timeout) or 0.0,
        trust=reading.tried(_trust, trust),
        hosts=hosts,
        form=form,
        files=files,
        baseline=reading.tried(partial(_older, "--baseline"), baseline),
        before=reading.tried(partial(_older, "--diff"), diff),
    )
    reading.end()
    return found


def is_inventory(target: str) -> bool:
    """Return whether a target means an inventory: a path, its file, or a folder that is not just called as a domain."""
    path = Path(target)
    if not target or "://" in target:
        return False
    if "/" in target or target == "inventory.py":
        return True
    try:
        verified_name(target)
    except ValueError:
        # Path raises an error for what is too long to be a name, such as a whole list of domains in quotes.
        return os.path.isdir(target)  # noqa: PTH112
    return (path / "inventory.py").is_file()


class _Reading:
    """Reads argument by argument, so that a mistake in one never hides those of another."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def end(self) -> None:
        if len(self.wrong) == 1:
            raise UsageError(f"{self.wrong[0]}; nothing was asked.")
        if self.wrong:
            lines = "\n".join(f"  {line}" for line in self.wrong)
            raise UsageError(f"{len(self.wrong)} mistakes; nothing was asked.", lines)

    def tried(self, parse: Callable[[T], U], value: T | None) -> U | None:
        if value is None:
            return None
        try:
            return parse(value)
        except ValueError as error:
            self.wrong.append(str(error))
        except UsageError as error:
            self.wrong.append(error.what.rstrip(".") + (f" ({error.hint.rstrip('.')})" if error.hint else ""))
        return None

    def targets(self, targets: Sequence[str]) -> tuple[Path | None, tuple[str, ...]]:
        if not targets:
            self.wrong.append("name what to verify: an inventory, or domains")
        inventories = [target for target in targets if is_inventory(target)]
        if inventories and len(targets) > 1:
            self.wrong.append(f"{plain(inventories[0])} is an inventory: it is verified alone, with all its domains")
        domains = [self.tried(_domain, target) for target in targets if target not in inventories]
        return (Path(inventories[0]) if inventories else None), tuple(dict.fromkeys(d for d in domains if d))

    def names(self, option: str, values: Iterable[str]) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(_split(values)))
        for name in found:
            if name not in CHECKS and name not in GROUPS:
                self.wrong.append(f"{option} {plain(name)}: no such check ({_close(name, (*CHECKS, *GROUPS))})")
        return tuple(name for name in found if name in CHECKS or name in GROUPS)

    def choice(self, checks: Collection[str], *, inventory: bool, hosts: bool) -> None:
        if hosts and not inventory:
            self.wrong.append("--hosts: only an inventory says how hosts are logged in to")
        made = any(_made(name, inventory=inventory, hosts=hosts) for name in checks)
        if not checks:
            self.wrong.append("--only and --skip leave no check")
        elif not made and not inventory:
            self.wrong.append("--only: these checks compare with an inventory, and none is named")
        elif not made:
            self.wrong.append("--only: these checks look at hosts from the inside: add --hosts")

    def formats(self, values: Sequence[str], *, changes: bool) -> tuple[str, tuple[tuple[Path, str], ...]]:
        shown: list[str] = []
        files: dict[Path, str] = {}
        for value in values:
            form, equals, file = value.partition("=")
            if form not in FORMS:
                self.wrong.append(f"--format {plain(form)}: no such form ({_close(form, FORMS)})")
            elif not equals:
                shown.append(form)
            elif not file:
                self.wrong.append(f"--format {form}=: name a file, as in {form}=report.{form}")
            elif Path(file) in files:
                self.wrong.append(f"--format {form}={plain(file)}: another form goes to that file")
            else:
                files[Path(file)] = form
        if len(shown) > 1:
            self.wrong.append(
                f"--format {' and '.join(shown)}: only one goes to standard output; name files for others"
            )
        form = shown[0] if shown else "text"
        if changes and form not in _CHANGES:
            self.wrong.append(f"--diff: changes are shown as {' or '.join(_CHANGES)}, not as {form}")
        return form, tuple(files.items())


def _made(name: str, *, inventory: bool, hosts: bool) -> bool:
    return {"an inventory": inventory, "--hosts": hosts}.get(CHECKS[name].needs, True)


def _split(values: Iterable[str]) -> Iterator[str]:
    for value in values:
        yield from filter(None, (part.strip().lower() for part in value.split(",")))


def _chosen(names: Collection[str]) -> frozenset[str]:
    """Return the checks that names and groups stand for; all of them for none."""
    return frozenset(name for name, check in CHECKS.items() if not names or {name, check.group} & set(names))


def _close(name: str, known_names: Sequence[str]) -> str:
    close = get_close_matches(name, known_names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known_names[-len(GROUPS) :])}"


def _domain(text: str) -> str:
    try:
        return verified_name(text)
    except ValueError as error:
        folder = "" if "." in text else "no folder of that name is here, and it is "
        raise ValueError(f"{plain(text) or repr(text)}: {folder}{error}{_meant(text)}") from None


def _meant(text: str) -> str:
    """Return what somebody may have meant who gave an address, a URL, or a list in quotes."""
    names = text.split()
    host = text.partition("://")[2].partition("/")[0].partition(":")[0] or text.rpartition("@")[2]
    try:
        if len(names) > 1 and all(map(verified_name, names)):
            return "; name several without quotes around all of them"
        return f"; did you mean {verified_name(host)}?" if host != text else ""
    except ValueError:
        return ""


def _selector(text: str) -> str:
    try:
        return selector_name(text)
    except ValueError as error:
        raise ValueError(f"--selector {plain(text)}: {error}") from None


def _timeout(text: str) -> float:
    low, high = _SECONDS
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not low <= seconds <= high:
        raise ValueError(f"--timeout {plain(text)}: seconds, from {low:g} to {high:g}")
    return seconds


def _resolver(text: str) -> str:
    try:
        resolver_at(text)
    except UsageError as error:
        raise ValueError(f"--resolver {plain(text)}: {error.what} {error.hint}".rstrip(".")) from None
    return text


def _older(option: str, path: Path) -> tuple[Finding, ...]:
    try:
        return known.read(path)
    except UsageError as error:
        raise UsageError(f"{option} {error.what}", error.hint) from None


def _trust(path: Path) -> Path:
    try:
        return authorities(path)
    except ValueError as error:
        raise ValueError(f"--trust {plain(path)}: {error}") from None
