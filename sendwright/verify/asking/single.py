"""The `dns.transport.Ask` of a real run: questions to single servers, each once, from any thread."""

from collections.abc import Sequence

import dns.message

from sendwright.dns.transport import NoAnswer, Question, query
from sendwright.verify.asking.dns_exchange import Resolver
from sendwright.verify.asking.flights import Done, Flights

_Came = dns.message.Message | NoAnswer


class Asking:
    """Ask name servers, and the run's resolver at its own port. Plays `dns.transport.Ask`."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._flights: Flights[Question, _Came] = Flights(self._fetch)

    def __call__(self, question: Question, /) -> dns.message.Message:
        """Return the server's message; NoAnswer if it says nothing."""
        (came,) = self._flights.get((question,))
        if isinstance(came, NoAnswer):
            # A new one each time: an exception that several threads raise collects the tracebacks of all.
            raise NoAnswer(str(came), no_route=came.no_route)
        return came

    def _fetch(self, questions: Sequence[Question], done: Done[Question, _Came]) -> None:
        for question in questions:
            own = question.recurse and question.server == str(self._resolver.address)
            try:
                done(question, query(question, port=self._resolver.port) if own else query(question))
            except NoAnswer as silence:
                done(question, silence)
