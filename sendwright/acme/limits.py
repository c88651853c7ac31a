"""How long an authority may take. Nothing that it does, or fails to do, holds a run up for longer."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Patience:
    """All in seconds.

    ``silence``: without an octet of an answer; ``request``: for a whole answer, however it trickles in; ``pause``: the
    longest that a run waits because the authority asks it to come back (``Retry-After``), else it is told when;
    ``proof``: until the authority has looked at all names; ``issuance``: until an order that is proven has its
    certificate; ``step``: between two looks at what it does, unless it asks for more.
    """

    silence: float = 20
    request: float = 45
    pause: float = 30
    proof: float = 300
    issuance: float = 300
    step: float = 1

    @property
    def brief(self) -> "Patience":
        """For a question whose answer a run can do without."""
        return replace(self, silence=min(self.silence, 10), request=min(self.request, 15), pause=0)


PATIENCE = Patience()
