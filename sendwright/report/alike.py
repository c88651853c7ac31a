"""Steps of a rotation that are alike are told in one line: whose they are, and the reason that they share."""

import re
from collections.abc import Callable, Iterable, Sequence

from sendwright.escape import printable
from sendwright.lines import Step

# As many names stand for all.
_NAMES = 3


def alike(steps: Iterable[Step], kind: Callable[[Step], object]) -> list[list[Step]]:
    """Return steps in groups of one kind each, in the order of their first ones."""
    groups: dict[object, list[Step]] = {}
    for step in steps:
        groups.setdefault(kind(step), []).append(step)
    return list(groups.values())


def reason(step: Step) -> tuple[str, ...]:
    """Return the reason without the names that are the key's own: what is the same for many keys is told once."""
    return tuple(_around(step)[::2])


def _around(step: Step) -> list[str]:
    """The reason in pieces: every second one is a name that is the key's own."""
    line = step.line
    names = [name for key in line.keys for name in (key.txt_name, key.record_name)]
    # A selector without a digit may be a word of the sentence, and a host's name says which host it is.
    names += [k.selector for k in line.keys if any(map(str.isdigit, k.selector))]
    names += [line.domain] if line.domain not in line.hosts else []
    own = [re.escape(name) for name in dict.fromkeys(names) if name in step.why]
    return re.split(rf"(?<![\w.-])({'|'.join(own)})(?![\w-]|\.\w)", step.why) if own else [step.why]


def _shared_reason(steps: Sequence[Step]) -> str:
    """The reason of all of them, with the first selectors in their places."""
    places = zip(*(_around(step) for step in steps), strict=True)
    return "".join(_first(place) for place in places)


def _first(names: Iterable[str]) -> str:
    found = list(dict.fromkeys(names))
    if len(found) > 1 and any("." in name for name in found):
        return "its own name"  # whose that is stands beside it
    return " or ".join(found[:_NAMES]) + (", …" if len(found) > _NAMES else "")


def whose(steps: Sequence[Step]) -> tuple[str, str]:
    """Return how many keys they are about, and the names of the first ones."""
    if len(steps) <= _NAMES:
        return str(len(steps)), ", ".join(_name(step) for step in steps)
    domains = list(dict.fromkeys(step.line.domain for step in steps))
    more = ", …" if len(domains) > _NAMES else ""
    return str(len(steps)), ", ".join(domains[:_NAMES]) + more


def _name(step: Step) -> str:
    return step.key.record_name if step.key else f"{step.line.domain} {step.line.algorithm}"


def why(steps: Sequence[Step]) -> str:
    """Return the reason of steps that are alike, with the hosts on which they are done."""
    told = _shared_reason(steps)
    hosts = list(dict.fromkeys(host for step in steps for host in step.hosts))
    if steps[0].waits or not hosts:
        return flat(told)
    return flat(f"{told}: {', '.join(hosts[:_NAMES])}{', …' if len(hosts) > _NAMES else ''}")


def flat(text: str) -> str:
    """Return text as one printable line."""
    return printable(" ".join(text.split()))
