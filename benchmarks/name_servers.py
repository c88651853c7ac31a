"""Name servers and a resolver in memory, which serve what a provider in memory holds and count what they are asked."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rrset

from benchmarks.declared import Memory
from sendwright.dns.rdata import rdata
from sendwright.dns.transport import Question
from sendwright.dns.zones import ancestry

#: Whom every zone is delegated to, and the zone of all of them.
SERVERS = {"ns1.example.net": "192.0.2.1", "ns2.example.net": "192.0.2.2"}
RESOLVER = "127.0.0.1"
_ABOVE, _ABOVE_AT = "above.example.net", "192.0.2.53"


@dataclass
class NameServers:
    """The world that a provider's zones are served to. What it says is fresh at once: nothing is remembered for long.

    ``asked``: how often each question was asked; ``seconds``: how long answering took.
    """

    provider: Memory
    asked: Counter[Question] = field(default_factory=Counter)
    seconds: float = 0.0

    def __call__(self, question: Question) -> dns.message.Message:
        """Answer a question."""
        started = time.thread_time()
        self.asked[question] += 1
        answer = dns.message.make_response(dns.message.make_query(question.name, question.type))
        if not question.recurse:
            answer.flags |= dns.flags.AA
        values = [rdata(question.type, value) for value in self._values(question)]
        answer.answer = [dns.rrset.from_rdata_list(question.name + ".", 0, values)] if values else []
        self.seconds += time.thread_time() - started
        return answer

    def resolver(self) -> str:
        """Return the resolver's address."""
        return RESOLVER

    def lookup(self, name: str) -> bytes | None:
        """Answer TXT as live DNS does, in one piece."""
        answer = self(Question(RESOLVER, name, "TXT", recurse=True)).answer
        return b"".join(answer[0][0].strings) if answer else None

    def _values(self, question: Question) -> Iterable[str]:
        name, kind = question.name, question.type
        delegated = name in self.provider.held
        if kind == "NS":
            return [f"{server}." for server in SERVERS] if delegated else [f"{_ABOVE}."]
        if kind == "SOA":
            return [f"ns1.example.net. h.{name}. 1 1 1 1 0"]
        addresses = {**SERVERS, _ABOVE: _ABOVE_AT}
        if name in addresses:
            return [addresses[name]] if kind == "A" else []
        zone = next((above for above in ancestry(name) if above in self.provider.held), None)
        found = self.provider.held[zone].get((name, kind)) if zone else None
        return found.values if found else []
