"""What ``sendwright rotate`` is asked for: every mistake in its options at once, before anything is tried."""

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches

from sendwright.errors import UsageError
from sendwright.lines import NEW
from sendwright.rotating import Asked
from sendwright.signing import by_domain
from sendwright.stack import Stack
from sendwright.state.model import DkimKey, KeyStage

_GONE = frozenset({KeyStage.REVOKED, KeyStage.REMOVED})
_FEW = 5


def asked(
    stack: Stack,
    keys: Iterable[DkimKey],
    domains: Collection[str],
    leaked: Collection[str],
    *,
    start: bool = False,
    status: bool = False,
    wait: bool = False,
    trust_new_hosts: bool = False,
) -> Asked:
    """Return what the options ask for; UsageError says all that is wrong with them.

    Arguments: ``keys``: all that are remembered, needed for ``leaked`` only; ``leaked``: as a person names keys,
    by their domain or by SELECTOR._domainkey.DOMAIN.
    """
    wanted, names, keys = _normal(domains), _normal(leaked), tuple(keys)
    of = by_domain(keys)
    wrong = [*_contradictions(names, start=start, status=status, wait=wait)]
    wrong += [f"--domain {d!r}: {why}" for d in wanted if (why := _no_domain(stack, d))]
    wrong += [f"--force-new {n!r}: {why}" for n in names if (why := _no_leak(stack, of[_domain(n)], wanted, n))]
    if wrong:
        raise _refused(wrong)
    # Whoever has a private key has it under each selector that it was imported at.
    leaks = {k.public for n in names for k in _meant(of[_domain(n)], n) if k.stage not in _GONE}
    found = {k.record_name for k in keys if k.public in leaks and k.stage not in _GONE}
    return Asked(frozenset(wanted), start, frozenset(found), trust_new_hosts)


def _normal(names: Collection[str]) -> list[str]:
    return list(dict.fromkeys(name.removesuffix(".").lower() for name in names))


def _contradictions(names: Collection[str], *, start: bool, status: bool, wait: bool) -> Iterator[str]:
    others = {"--start": start, "--force-new": bool(names), "--wait": wait}
    if status and any(others.values()):
        given = " and ".join(option for option, is_given in others.items() if is_given)
        yield f"--status only looks: it does not go with {given}"


def _no_domain(stack: Stack, name: str) -> str:
    """Say why no key of this domain rotates; empty if there is no reason."""
    found = next((d for d in stack.domains if d.name == name), None)
    if found:
        return "" if found.sends else "it sends no mail, so it has no keys"
    names = [d.name for d in stack.domains]
    if close := get_close_matches(name, names, n=1):
        return f"no such domain in the inventory (did you mean {close[0]}?)"
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return f"no such domain in the inventory (it has {', '.join(names[:_FEW])}{more})"


def _no_leak(stack: Stack, keys: Collection[DkimKey], domains: Collection[str], name: str) -> str:
    """Say why this cannot be a key that leaked; empty if it can."""
    domain = _domain(name)
    if why := _no_domain(stack, domain):
        return why
    if domains and domain not in domains:
        return "--domain leaves its domain out"
    meant = _meant(keys, name)
    live = [k for k in keys if k.stage not in _GONE]
    if not meant and name != domain:
        shown = ", ".join(k.record_name for k in live[-_FEW:]) or "none"
        return f"no such key; keys of {domain} that verify: {shown}"
    if any(k in live for k in meant):
        return ""
    if name == domain:
        return "it has no key that verifies anything"
    return f"that key is {meant[0].stage} already: nothing that it signs verifies any more"


def _meant(keys: Collection[DkimKey], name: str) -> list[DkimKey]:
    """Return the keys that a person means; of a domain not those that were made because another one leaked."""
    return [k for k in keys if name == k.record_name or (name == k.domain and not _replaces(k, keys))]


def _replaces(key: DkimKey, keys: Collection[DkimKey]) -> bool:
    line = (k for k in keys if k.algorithm is key.algorithm and k.leaked and k.leaked <= key.created)
    return key.stage in NEW and any(line)


def _domain(name: str) -> str:
    return name.partition("._domainkey.")[2] or name


def _refused(wrong: list[str]) -> UsageError:
    if len(wrong) == 1:
        return UsageError(f"{wrong[0]}; nothing was tried.")
    return UsageError(f"{len(wrong)} mistakes; nothing was tried.", "\n".join(f"  {line}" for line in wrong))
