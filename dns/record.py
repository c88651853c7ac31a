"""One value that a zone should hold, as data."""

from dataclasses import dataclass

from sendwright.plan import Stage

TTL = 3600


@dataclass(frozen=True)
class Record:
    """One value that a zone should hold.

    ``name`` is lower case without a final dot; ``ttl`` in seconds; ``value`` is canonical master-file text (``rdata``);
    ``why`` is a line for people; ``stage`` is when it may be written first. ``replaces``: the inventory consents to
    withdrawing what others have in the same record set. ``tightens``: an SPF record whose verdict on everybody else may
    become stricter only at that stage; None: at once. ``implied``: which settings behind a DMARC record, or a
    policy for TLS, nobody declared in so many words: a default takes nobody's place.
    """

    name: str
    type: str
    ttl: int
    value: str
    why: str
    stage: Stage = Stage.EXPAND
    replaces: bool = False
    tightens: Stage | None = None
    implied: frozenset[str] = frozenset()
