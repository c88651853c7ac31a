"""Have the certificates that hosts lack: decide with which key, prove the names, order, and remember what came.

Nothing that a host shows is touched here: what came is in the state folder, and hosts are brought to it afterwards.
What cannot be had is said, host by host; everything else goes on.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from sendwright import certs, issuing, renewal, sts
from sendwright.acme import provable
from sendwright.acme.proof import Prove
from sendwright.allotment import allot
from sendwright.errors import NotShown, SendwrightError, StateError
from sendwright.inventory import Inventory
from sendwright.issuing import Issued
from sendwright.publication import Internet
from sendwright.renewal import Hold, Known, Order, Use, Wanted
from sendwright.renewing import Done
from sendwright.report.progress import Progress
from sendwright.stack import AcmeTls, CertificateFile, Host, Stack
from sendwright.state.folder import StateFolder
from sendwright.state.model import Certificate, State


@dataclass(frozen=True)
class Asked:
    """What somebody asks for: another key, certificates that are not due, or the authority's own opinion of when."""

    new_key: bool = False
    force: bool = False
    suggestions: bool = False


NOTHING = Asked()


class Told(Protocol):
    """What senders can know of hosts; ``publication.Publication`` plays it."""

    @property
    def internet(self) -> Internet:
        """How everybody else's view of DNS is got."""
        ...

    def tlsa_known(self, host: str, /) -> Known:
        """Return what senders can know of a host's keys."""
        ...


class Issuer(Protocol):
    """Who issues certificates; ``acme.authority.Authority`` plays it."""

    url: str

    def issue(
        self,
        host: str,
        number: int,
        names: Sequence[str],
        key_pem: bytes,
        prove: Prove,
        kind_of: Callable[[str], str],
        /,
    ) -> str:
        """Return a chain in PEM; AuthorityError when there is none to be had."""
        ...

    def window(self, host: str, chain: str, /) -> datetime | None:
        """Return when a renewal is suggested to begin, None where nothing is suggested."""
        ...


def pending(
    stack: Stack, state: State, host: Host, url: str, now: datetime, told: bool, asked: Asked = NOTHING
) -> Iterator[tuple[int, str]]:
    """Yield which certificates of a host have to be ordered, by number, and why. Pure; nobody is asked.

    Arguments: ``url``: the authority's directory; ``told``: whether TLSA records of ours stand.
    """
    if not isinstance(host.tls, AcmeTls) and not asked.new_key:
        return
    for number, wanted in _wanted(stack, state, host, url, asked).items():
        held = certs.held(found) if (found := _numbered(state, host, number)) else None
        coming = state.next_of(host.name)
        kind = coming.kind if coming else ""
        known = Known(told=told, served=frozenset([coming.spki] if coming else []))
        match renewal.decide(held, coming, kind, wanted, known, now):
            case Order(_, why):
                yield number, why
            case Hold(why, _, instead):
                yield number, instead.why if instead else why


class Certifier:
    """One way through the certificates of some hosts. ``done``, ``errors`` and ``waiting``: what came of each.

    Arguments: ``dns``: looked at already; ``prove``: how names are proven; ``begin`` is called before
    anything is written.
    """

    def __init__(
        self,
        declared: Inventory,
        folder: StateFolder,
        dns: Told,
        progress: Progress,
        authority: Issuer,
        prove: Prove,
        asked: Asked,
        begin: Callable[[], None],
    ) -> None:
        self.done: list[Done] = []
        self.errors: list[SendwrightError] = []
        self.waiting: list[str] = []
        self._stack, self._base = declared.stack, declared.folder
        self._folder = folder
        self._dns = dns
        self._progress = progress
        self._authority = authority
        self._prove = prove
        self._asked = asked
        self._begin = begin

    def obtain(self, names: Iterable[str]) -> None:
        """Obtain what these hosts lack, one host after the other; raises StateError only."""
        for name in names:
            host = self._stack.host(name)
            if isinstance(host.tls, CertificateFile):
                continue
            try:
                self._host(host)
            except StateError:
                raise
            except SendwrightError as error:
                self.errors.append(error)

    def _host(self, host: Host) -> None:
        state, now = self._folder.load(), datetime.now(UTC)
        wanted = _wanted(self._stack, state, host, self._authority.url, self._asked)
        first = _numbered(state, host, 0)
        coming, known = state.next_of(host.name), self._known(host, first)
        kind = coming.kind if coming else ""
        # The first one decides about the key; all others have the same.
        decision = renewal.decide(certs.held(first) if first else None, coming, kind, wanted[0], known, now)
        late = isinstance(decision, Hold)
        if isinstance(decision, Hold):
            self._hold(host, decision)
            decision = decision.instead
        if decision is not None and decision.use is not Use.CURRENT:
            if self._changed_key(host, decision, wanted):
                return
            # Whatever keeps the other key away, nothing that ends waits for it.
            wanted = {number: replace(each, renew_now=False) for number, each in wanted.items()}
            decision = None
        for number, each in wanted.items():
            found = _numbered(state, host, number)
            held = certs.held(found) if found else None
            due = decision.why if decision and number == 0 else renewal.due(held, each, now, known.window)
            foreign = found is not None and first is not None and found.key != first.key
            if not isinstance(host.tls, AcmeTls):
                continue
            if due or foreign:
                self._renew(host, number, each, due or "its key is another than the host's", found)
            elif found and not (late and number == 0):  # the last word about each counts: its key is waited for
                self.done.append(Done(host.name, number, "kept", "", _renewed_from(found, each)))
        if gone := {c.number for c in state.certificates_of(host.name)} - wanted.keys():
            self._begin()
            self._folder.forget_certificates(host.name, gone)

    def _known(self, host: Host, first: Certificate | None) -> Known:
        known = self._dns.tlsa_known(host.name)
        if self._asked.suggestions and first and first.mode == "acme" and host.tls.mode == "acme":
            return replace(known, window=self._authority.window(host.name, first.chain))
        return known

    def _hold(self, host: Host, hold: Hold) -> None:
        until = f" until {hold.until:%Y-%m-%d %H:%M:%S} UTC" if hold.until else ""
        self.waiting.append(f"{host.name}: its key changes later: {hold.why}{until}")
        self.done.append(Done(host.name, 0, "waiting", hold.why, hold.until))

    def _renew(self, host: Host, number: int, wanted: Wanted, why: str, found: Certificate | None) -> None:
        first = self._folder.load().certificate_of(host.name)
        names = self._provable(host, number, wanted)
        if first is None or names is None:
            return
        issued = self._ordered_as_far(host, number, wanted, names, self._folder.open(first.key), why)
        (made,) = issuing.take(host.name, (issued,), self._folder, self._authority.url)
        self._say(host, made, "renewed" if found and found.mode == "acme" else "issued", why)

    def _changed_key(self, host: Host, order: Order, wanted: dict[int, Wanted]) -> bool:
        """Change a host's key, and return whether that could be done; why not is in ``errors``."""
        try:
            return self._change_key(host, order, wanted)
        except StateError:
            raise
        except SendwrightError as error:
            self.errors.append(error)
            return False

    def _change_key(self, host: Host, order: Order, wanted: dict[int, Wanted]) -> bool:
        self._begin()
        coming = issuing.make_next(host, self._folder, datetime.now(UTC))
        if isinstance(host.tls, AcmeTls):
            issued = []
            for number, each in wanted.items():
                names = self._provable(host, number, each)
                if names is None or each.names != {*names}:
                    return False  # a name that is shown today would be lost with the old key
                issued.append(self._ordered(host, number, names, self._folder.open(coming.key), order.why))
            made = issuing.promote(host.name, issued, self._folder, self._authority.url)
        else:
            made = (issuing.renew_with_next(host, self._folder, self._base, datetime.now(UTC)),)
        # The one after it is told of at once: should this one leak, its successor must not wait for clocks.
        if host.dane:
            issuing.make_next(host, self._folder, datetime.now(UTC))
        for each_made in made:
            self._say(host, each_made, "new key", order.why)
        return True

    def _provable(self, host: Host, number: int, wanted: Wanted) -> tuple[str, ...] | None:
        """Return the names to order, without those that cannot be proven; None where nothing is left to order."""
        bad = provable.unprovable(self._stack, host, sorted(wanted.names), self._dns.internet)
        self.errors += bad.values()
        names = tuple(sorted((n for n in wanted.names if n not in bad), key=lambda n: (n != host.name, n)))
        if not names or (host.name in wanted.names and host.name in bad):
            return None
        held = _numbered(self._folder.load(), host, number)
        # Without a name that is new, another certificate would be the same as the one that there is.
        if bad and held and held.mode == "acme" and set(names) <= certs.held(held).names:
            late = renewal.due(certs.held(held), replace(wanted, names=frozenset(names)), datetime.now(UTC))
            return names if late else None
        return names

    def _ordered_as_far(
        self, host: Host, number: int, wanted: Wanted, names: tuple[str, ...], key: bytes, why: str
    ) -> Issued:
        """Order without names whose answers cannot be shown, where that is better than what there is."""
        held = _numbered(self._folder.load(), host, number)
        while True:
            try:
                return self._ordered(host, number, names, key, why)
            except NotShown as error:
                names = tuple(n for n in names if n not in error.names)
                if not _better(host, wanted, names, held):
                    raise
                self.errors.append(error)

    def _ordered(self, host: Host, number: int, names: tuple[str, ...], key: bytes, why: str) -> Issued:
        self._begin()
        shown = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
        with self._progress.step(f"a certificate for {shown} ({why})"):
            chain = self._authority.issue(
                *(host.name, number, names, key, self._prove), lambda name: provable.kind_of(self._stack, host, name)
            )
        return Issued(number, names, chain)

    def _say(self, host: Host, made: Certificate, what: str, why: str) -> None:
        self.done.append(Done(host.name, made.number, what, why, made.not_after))


def _wanted(stack: Stack, state: State, host: Host, url: str, asked: Asked) -> dict[int, Wanted]:
    acme = host.tls if isinstance(host.tls, AcmeTls) else None
    held = {c.number: certs.held(c).names for c in state.certificates_of(host.name) if c.mode == "acme"}
    names = sts.names(stack, host) if acme else (host.name,)
    return {
        number: Wanted(
            host.name,
            frozenset(chunk),
            kind=acme.key if acme else "ecdsa",
            issuer=url if acme else None,
            mode=host.tls.mode,
            by_host=acme is not None and acme.renewal == "host" and number == 0,
            new_key=asked.new_key,
            renew_now=asked.force,
        )
        for number, chunk in allot(names, held).items()
    }


def _numbered(state: State, host: Host, number: int) -> Certificate | None:
    return next((c for c in state.certificates_of(host.name) if c.number == number), None)


def _better(host: Host, wanted: Wanted, names: Collection[str], held: Certificate | None) -> bool:
    """Whether a certificate with these names alone is better than none, or than the one that there is.

    Of those that it has, none is lost before it must be: others' servers may be mended in time.
    """
    if not names or (host.name in wanted.names and host.name not in names):
        return False
    if held is None or held.mode != "acme":
        return True
    found, now = certs.held(held), datetime.now(UTC)
    begins = renewal.renew_from(found, host.name, by_host=wanted.by_host)
    ending = now >= begins + (found.not_after - begins) / 2
    due = renewal.due(found, replace(wanted, names=frozenset(names)), now)
    return due is not None and (ending or found.names & wanted.names <= {*names})


def _renewed_from(found: Certificate, wanted: Wanted) -> datetime:
    return renewal.renew_from(certs.held(found), wanted.host, by_host=wanted.by_host)
