"""The tree of errors. Each says what happened, to what, and what to do next.

::

    SendwrightError                  exit 1 unless said otherwise
    ├── UsageError                   exit 2: nothing was tried
    │   └── InventoryError           every mistake of an inventory, each with its place
    ├── StateError                   the state folder: unreadable, damaged, in use
    │   └── PassphraseError          a private key cannot be opened
    ├── SecretError                  a named secret (env, file, command) has no value
    ├── HostError                    one host; the others are still served
    │   ├── Unreachable              no TCP connection, or no SSH behind it
    │   ├── HostKeyMismatch          the host's key is not the one that the inventory names
    │   ├── LoginRefused             SSH key, user or sudo refused
    │   ├── PreflightFailed          the host lacks something; nothing was changed
    │   └── ConvergeFailed           an operation failed half-way; running again heals
    ├── DnsError                     one zone; the others are still served
    │   ├── ServerUnreachable        a name server or an API does not answer
    │   ├── NotAllowed               TSIG key or token refused
    │   ├── WorldMoved               the records are no longer as they were read
    │   ├── NotDelegated             nobody is known to serve the zone
    │   ├── ForeignRecord            a record of somebody else is in the way
    │   └── TooManyLookups           an SPF record would be an error for every receiver
    ├── AuthorityError               one certificate; the others are still issued, and the old one stays
    │   ├── AuthorityUnreachable     the ACME server does not answer, or not by ACME
    │   ├── AuthorityRefused         it refused the account, the order or a name
    │   ├── RateLimited              it wants no more orders for a while
    │   └── NotProvable              a name cannot be proven to be ours; the authority was not asked
    │       └── NotShown             what would prove some of its names cannot be shown; others could be proven
    ├── PlanMoved                    the world is no longer as a saved plan saw it
    ├── LabError                     the lab cannot run or did not come up
    └── ProofFailed                  everything was carried out, and the outcome is not what was promised
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


class SendwrightError(Exception):
    """Report a failure that a person can mend.

    Arguments: ``what`` happened and to what, one sentence; ``hint``: what to do next, one sentence.
    Neither may ever hold a secret.
    """

    exit_code = 1

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what} {self.hint}".strip()

    def __reduce__(self) -> tuple[object, ...]:
        # Hosts are converged in processes of their own: errors travel home by pickle, whatever their signature.
        return (_rebuild, (type(self), self.args, self.__dict__))


def _rebuild(kind: type[SendwrightError], args: tuple[object, ...], state: dict[str, object]) -> SendwrightError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


def refused_by_system(error: OSError) -> SendwrightError:
    """Return what a person can do about an error of the operating system that nobody else spoke about."""
    what = f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror or error}."
    return SendwrightError(what, "Mend its permissions or the room on its disk; running again goes on from here.")


class UsageError(SendwrightError):
    """Report bad usage or bad input; nothing was tried."""

    exit_code = 2


@dataclass(frozen=True)
class Problem:
    """One mistake in an inventory: its place (``domains › example.com › dmarc``), what is wrong, what is allowed."""

    place: str
    what: str
    allowed: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.what}" + (f" ({self.allowed})" if self.allowed else "")


class InventoryError(UsageError):
    """Report every mistake of an inventory at once."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        count = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        super().__init__(f"{source}: {count}; nothing was tried.", "\n".join(f"  {p}" for p in problems))
        self.source = source
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return f"{self.what}\n{self.hint}"


class StateError(SendwrightError):
    """Report a state folder that cannot be used."""


class PassphraseError(StateError):
    """Report a private key that cannot be opened, without ever quoting the passphrase."""


class SecretError(SendwrightError):
    """Report a secret that is named in the inventory and has no value."""


class HostError(SendwrightError):
    """Report a failure of one host; the others are still served."""

    def __init__(self, host: str, what: str, hint: str = "") -> None:
        super().__init__(f"{host}: {what}", hint)
        self.host = host


class Unreachable(HostError):
    """Report a host that cannot be connected to."""


class HostKeyMismatch(HostError):
    """Report a host whose SSH key is not the one that the inventory names; nothing was sent."""


class LoginRefused(HostError):
    """Report a host that refuses the SSH login or sudo."""


class PreflightFailed(HostError):
    """Report what a host lacks; nothing was changed on it."""


class ConvergeFailed(HostError):
    """Report an operation that failed on a host: what was applied, what was not."""


class DnsError(SendwrightError):
    """Report a failure of one zone; the others are still served."""

    def __init__(self, zone: str, what: str, hint: str = "") -> None:
        super().__init__(f"zone {zone}: {what}", hint)
        self.zone = zone


class ServerUnreachable(DnsError):
    """Report a name server or an API that does not answer."""


class NotAllowed(DnsError):
    """Report a key or token that the provider refuses."""


class WorldMoved(DnsError):
    """Report records that changed between the plan and the apply; nothing was written."""


class ForeignRecord(DnsError):
    """Report somebody else's record in the way of ours; it stays."""


class AuthorityError(SendwrightError):
    """A certificate of one host could not be had. ``host``: whose; what it serves stays as it is."""

    def __init__(self, host: str, what: str, hint: str = "") -> None:
        super().__init__(f"{host}: {what}", hint)
        self.host = host


class AuthorityUnreachable(AuthorityError):
    """The ACME server does not answer, or what answers is none."""


class AuthorityRefused(AuthorityError):
    """The ACME server refused the account, the order, or the proof of a name."""


class RateLimited(AuthorityError):
    """The ACME server wants no more orders for a while (RFC 8555 section 6.6)."""


class NotProvable(AuthorityError):
    """A name cannot be proven to be ours: its zone is not ours to write, or it does not point here."""


class NotShown(NotProvable):
    """Answers to challenges cannot be shown, and the authority was not told to look. ``names``: whose answers."""

    def __init__(self, names: Collection[str], cause: SendwrightError) -> None:
        first = min(names)
        super().__init__(first, cause.what.removeprefix(f"{first}: "), cause.hint)
        self.names = frozenset(names)


class PlanMoved(SendwrightError):
    """Report that a plan made now is not the saved one; nothing was changed. ``differences``: a line each, few."""

    def __init__(self, differences: Sequence[str]) -> None:
        shown = "".join(f"  {line}\n" for line in differences)
        super().__init__(
            "the world is not as the saved plan has it, so nothing was changed.",
            f"{shown}Look at it, and make a new plan with --out.",
        )


class NotDelegated(DnsError):
    """Report a zone that nobody is known to serve: it may be filled, but what is in it is not seen."""


class TooManyLookups(DnsError):
    """Report an SPF record that would pass the limit of ten lookups (RFC 7208 section 4.6.4); nothing was written."""


class LabError(SendwrightError):
    """Report a lab that cannot run here, or did not come up."""


class ProofFailed(SendwrightError):
    """Report a proof that did not hold after everything was carried out."""
