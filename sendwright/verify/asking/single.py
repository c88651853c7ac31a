"""The `dns.transport.Ask` of a real run: questions to single servers, each once, from any thread."""

from collections import Counter
from collections.abc import Callable, Sequence
from ipaddress import ip_address

import dns.message

from sendwright.dns.transport import NoAnswer, Question, query
from sendwright.verify.asking.dns_exchange import Resolver
from sendwright.verify.asking.flights import Done, Flights
from sendwright.verify.reserved import reserved

_Came = dns.message.Message | NoAnswer
# By address, whether over TCP, and the domain: who says nothing of one, or that way, may still answer otherwise.
_Way = tuple[str, bool, str]

_PORT = 53
_SILENCES = 2
# A server that drops a question now and then is no silent one.
_ANSWERS = 8


class Asking:
    """Ask name servers, and the run's resolver at its own port. Plays `dns.transport.Ask`.

    An address that says nothing of a domain twice is not asked about it again, or a server of ill will that answers
    little could have us wait for long; every eight answers make up for one more silence. Who speaks for a zone (NS),
    which is one question, is always asked.
    ``anywhere``: whether reserved addresses are asked as well: what strangers' records name must not be something that
    listens inside our own network; ``ask``: asks a server at a port.
    """

    def __init__(
        self, resolver: Resolver, *, anywhere: bool, ask: Callable[[Question, int], dns.message.Message] = query
    ) -> None:
        self._resolver = resolver
        self._anywhere = anywhere
        self._ask = ask
        self._flights: Flights[Question, _Came] = Flights(self._fetch)
        self._silences: Counter[_Way] = Counter()
        self._answers: Counter[_Way] = Counter()

    def __call__(self, question: Question, /) -> dns.message.Message:
        """Return the server's message; NoAnswer if it says nothing."""
        (came,) = self._flights.get((question,))
        if isinstance(came, NoAnswer):
            # A new one each time: an exception that several threads raise collects the tracebacks of all.
            raise NoAnswer(str(came), no_route=came.no_route)
        return came

    def _fetch(self, questions: Sequence[Question], done: Done[Question, _Came]) -> None:
        for question in questions:
            done(question, self._came(question))

    def _came(self, question: Question) -> _Came:
        way = question.server, question.stream, ".".join(question.name.split(".")[-2:])
        own = question.recurse and question.server == str(self._resolver.address)
        if not own and not self._anywhere and (what := reserved(ip_address(question.server))):
            return NoAnswer(f"its address is reserved ({what}), so nobody elsewhere reaches it")
        limited = not own and question.type != "NS"
        if limited and self._silences[way] >= _SILENCES + self._answers[way] // _ANSWERS:
            return NoAnswer("not asked any more, for it left questions before unanswered")
        try:
            came = self._ask(question, self._resolver.port if own else _PORT)
        except NoAnswer as silence:
            # Two threads may count at the same time, and lose one: it only takes a question more.
            self._silences[way] += not silence.no_route
            return silence
        self._answers[way] += 1
        return came
