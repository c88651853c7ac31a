"""Offer a server what it should refuse, one connection at a time, and hear what it agrees to: `Parameters`.

Only its first flight is read, and no handshake is ever finished.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sendwright.verify.rules.tls import CIPHERS, KEY_EXCHANGE, LEGACY
from sendwright.verify.speaking import hello, suites
from sendwright.verify.speaking.conversation import Endpoint, Parameters
from sendwright.verify.speaking.hello import Answer, Malformed
from sendwright.verify.speaking.suites import CURVES, FINITE_FIELD, STATIC, Weakness
from sendwright.verify.speaking.wire import Closed, Fallen, Unreached, Wire

CHECKS = frozenset({CIPHERS.name, KEY_EXCHANGE.name, LEGACY.name})
"""The checks for which weak TLS is offered."""
Begun = Callable[[], AbstractContextManager[Wire]]
"""Connects as far as the handshake; Unreached and Fallen where that fails."""

_MOST_OFFERS = 3
_MOST_RECORDS = 32


def gather(begun: Begun, endpoint: Endpoint, wanted: frozenset[str]) -> Parameters:
    """Return what a server agrees to; ``wanted``: which of `CHECKS` are chosen, so that nothing is asked in vain.

    A server that hangs up on an offer has refused it, as one that says so; whatever else goes wrong ends the asking.
    """
    asking = _Asking(begun, endpoint)
    try:
        asking.everything(wanted)
    except (Unreached, Fallen, Malformed) as error:
        asking.unasked = str(error)
    answers = [answer for answer in asking.answers if answer.suite is not None]
    return Parameters(
        weak=None if asking.weak is None else tuple(asking.weak),
        group=asking.group,
        static=asking.static,
        compresses=any(answer.compresses for answer in answers) if answers else None,
        renegotiates=all(answer.renegotiates for answer in answers) if answers else None,
        refused=asking.refused,
        unasked=asking.unasked,
    )


@dataclass
class _Asking:
    """What is known so far, as in `Parameters`: it may end at any time."""

    begun: Begun
    endpoint: Endpoint
    weak: list[str] | None = None
    group: int | None = None
    static: bool | None = None
    refused: bool = False
    unasked: str = ""

    def __post_init__(self) -> None:
        self.answers: list[Answer] = []

    def everything(self, wanted: frozenset[str]) -> None:
        if CIPHERS.name in wanted:
            self._weak()
        if KEY_EXCHANGE.name in wanted:
            self.group = self._offered(FINITE_FIELD).group
        if wanted - {CIPHERS.name} and not any(answer.suite is not None for answer in self.answers):
            found = self._offered((*CURVES, *FINITE_FIELD, *STATIC))
            self.static, self.refused = found.suite in STATIC, found.suite is None

    def _weak(self) -> None:
        # On port 25 suites without a certificate are for senders who would not look at it, and harm nobody else:
        # Postfix takes them on purpose. Others are not hidden behind them if they are not offered there.
        done = [Weakness.ANONYMOUS] if self.endpoint.port == 25 else []
        for _ in range(_MOST_OFFERS):
            answer = self._offered(suites.weak(done))
            self.weak = self.weak or []
            if answer.suite is None:
                return
            self.weak.append(suites.name(answer.suite))
            # A server with a preference takes the least weak of all: what is worse is seen without that.
            done.append(suites.weakness(self.weak[-1]))

    def _offered(self, offered: Sequence[int]) -> Answer:
        with self.begun() as wire:
            try:
                wire.begin(hello.offer(offered, self.endpoint.name, os.urandom(32)))
                answer = _answered(wire, offered)
            except Closed:
                answer = Answer()
        self.answers.append(answer)
        return answer


def _answered(wire: Wire, offered: Sequence[int]) -> Answer:
    records: list[bytes] = []
    try:
        while len(records) < _MOST_RECORDS:
            header = wire.take(hello.HEADER)
            records.append(header + wire.take(hello.size(header)))
            if (answer := hello.answer(records, offered)) is not None:
                return answer
    except Closed:
        if hello.agreed(records):
            raise Malformed("it agreed, and then closed the connection") from None
        raise
    raise Malformed("its first flight does not end")
