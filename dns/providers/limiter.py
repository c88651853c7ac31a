"""How often an API may be asked: counted by ourselves until its headers say more, for all who share one token.

The headers are those of the IETF's draft on rate limits, as Cloudflare sends them: ``Ratelimit`` (what is left, and
until when), ``Ratelimit-Policy`` (the quota and its window), ``retry-after`` (with a refusal, 429).
"""

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

_ITEM = re.compile(r'"?([\w-]{1,64})"?((?:\s*;\s*[a-z]+=\d{1,9})+)')
_PARAMETER = re.compile(r"([a-z]+)=(\d+)")
_OURS = ""
_LONGEST_DOUBLING = 64.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Policy:
    """So many requests in so many seconds."""

    requests: int
    seconds: float


@dataclass(frozen=True)
class Window:
    """What is left of a quota until ``ends`` (seconds of the clock); it is full again after that."""

    left: int
    ends: float


@dataclass(frozen=True)
class Allowance:
    """What may still be asked, as far as is known. Pure; times are seconds of one clock.

    ``policy`` holds until headers say more; ``policies`` and ``windows`` are what they said, by name; ``closed``: until
    when all is refused; ``refusals``: how many came one after the other.
    """

    policy: Policy
    policies: Mapping[str, Policy] = field(default_factory=dict)
    windows: Mapping[str, Window] = field(default_factory=dict)
    closed: float = 0.0
    refusals: int = 0

    def wait(self, now: float) -> float:
        """Return the seconds until another request may be sent."""
        used_up = [window.ends for window in self.windows.values() if window.left <= 0]
        return max(0.0, *(until - now for until in (self.closed, *used_up)))

    def spent(self, now: float) -> "Allowance":
        """Return the same after one more request."""
        windows = self.windows or {_OURS: Window(self.policy.requests, now + self.policy.seconds)}
        return replace(self, windows={name: self._one_less(name, window, now) for name, window in windows.items()})

    def told(self, headers: Mapping[str, str], now: float) -> "Allowance":
        """Return the same after an answer; what its headers do not say in a form that we know stays as it was."""
        policies = {
            name: Policy(said["q"], said["w"])
            for name, said in _items(headers.get("ratelimit-policy", ""))
            if said.get("q") and "w" in said
        }
        windows = {
            name: Window(said["r"], now + said["t"])
            for name, said in _items(headers.get("ratelimit", ""))
            if "r" in said and "t" in said
        }
        return replace(self, policies=policies or self.policies, windows=windows or self.windows, refusals=0)

    def refused(self, headers: Mapping[str, str], now: float) -> "Allowance":
        """Return the same after a refusal (429): closed until ``retry-after``, or for a whole window if it is silent.

        Each refusal in a row waits at least twice as long as the last, lest an API that says "0 seconds" be stormed.
        """
        told = self.told(headers, now)
        after = headers.get("retry-after", "").strip()
        seconds = float(after) if re.fullmatch(r"\d{1,9}", after) else told.wait(now) or self.policy.seconds
        closed = now + max(seconds, min(2.0**self.refusals, _LONGEST_DOUBLING))
        return replace(told, closed=closed, refusals=self.refusals + 1)

    def _one_less(self, name: str, window: Window, now: float) -> Window:
        if now < window.ends:
            return replace(window, left=window.left - 1)
        policy = self.policies.get(name, self.policy)
        return Window(policy.requests - 1, now + policy.seconds)


class OutOfPatience(Exception):
    """Report that a request would have to wait too long; ``seconds``: for how long still."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.0f} s")
        self.seconds = seconds


@dataclass
class Limiter:
    """Lets requests pass as fast as all who share it may ask.

    Arguments: ``title``: whom they ask; ``patience``: seconds that one request may wait in all; ``report`` is told of
    each wait.
    """

    title: str
    allowance: Allowance
    patience: float = 600.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    report: Callable[[str], None] = _log.warning

    def turn(self, waited: float = 0.0) -> float:
        """Wait until a request may be sent, and count it; return the seconds that it has waited in all.

        Arguments: ``waited``: seconds that the same request has waited already. Raises OutOfPatience instead of waiting
        longer than the patience allows.
        """
        pause = self.allowance.wait(self.clock())
        if pause:
            if waited + pause > self.patience:
                raise OutOfPatience(pause)
            self.report(f"{self.title} takes no more requests for {pause:.0f} s: waiting")
            self.sleep(pause)
        self.allowance = self.allowance.spent(self.clock())
        return waited + pause

    def told(self, headers: Mapping[str, str]) -> None:
        """Learn from an answer's headers (names in lower case)."""
        self.allowance = self.allowance.told(headers, self.clock())

    def refused(self, headers: Mapping[str, str]) -> None:
        """Learn from a refusal (429)."""
        self.allowance = self.allowance.refused(headers, self.clock())


def _items(header: str) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield each item of a header as its name and its parameters."""
    for name, parameters in _ITEM.findall(header[:4096]):
        yield name, {key: int(value) for key, value in _PARAMETER.findall(parameters)}
