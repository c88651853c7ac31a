"""What ``sendwright certs`` shows and answers, as data."""

from dataclasses import dataclass, field
from datetime import datetime

from sendwright.errors import SendwrightError
from sendwright.provision import Result


@dataclass(frozen=True)
class Settings:
    """What the command line asks for. ``limit``: host names, empty for all; ``new_key``: change the key, too.

    ``force``: order even what is not due; ``wait``: stay until clocks ran out.
    """

    limit: frozenset[str] = frozenset()
    new_key: bool = False
    force: bool = False
    wait: bool = True
    trust_new_hosts: bool = False


@dataclass(frozen=True)
class Listed:
    """One certificate, as the state folder has it.

    ``mode``: how it was got; ``wanted``: how the inventory wants it; ``kind``: ``ecdsa`` or ``rsa``; ``spki``: the
    digest of its key; ``used``: where it is shown, as ``smtp mx1.example.com`` or ``https mta-sts.example.com``;
    ``renew_from``: when its renewal begins, None where nobody here renews it; ``next_spki``: of the key after this one;
    ``next_fresh_at``: from when that may be used; ``renewed_by``: ``controller``, ``host`` or ``somebody else``.
    """

    host: str
    number: int
    mode: str
    wanted: str
    names: tuple[str, ...]
    issuer: str
    kind: str
    spki: str
    not_before: datetime
    not_after: datetime
    renew_from: datetime | None
    renewed_by: str
    used: tuple[str, ...] = ()
    next_spki: str | None = None
    next_fresh_at: datetime | None = None


@dataclass(frozen=True)
class Done:
    """What came of one certificate; ``what`` is ``kept``, ``issued``, ``renewed``, ``new key`` or ``waiting``."""

    host: str
    number: int
    what: str
    why: str = ""
    until: datetime | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of it. ``done``: host by host; ``waiting``: for what, until when."""

    result: Result
    done: tuple[Done, ...] = ()
    errors: tuple[SendwrightError, ...] = ()
    waiting: tuple[str, ...] = ()
    listed: tuple[Listed, ...] = field(default=())
