"""The authority that the inventory names, as everybody else here sees it: it issues, or it says why not.

What speaks ACME is imported when it is first asked for something.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sendwright.acme import directories
from sendwright.acme.limits import PATIENCE, Patience
from sendwright.acme.proof import Prove
from sendwright.stack import AcmeAuthority

if TYPE_CHECKING:
    from acme.messages import Directory, RegistrationResource
    from josepy.jwk import JWK

    from sendwright.acme.network import Network
    from sendwright.acme.order import Orders
    from sendwright.acme.refusals import Refused
    from sendwright.inventory import Inventory
    from sendwright.state.folder import StateFolder

_NEEDED = ("newNonce", "newAccount", "newOrder")


class Authority:
    """One authority in one run; several hosts may ask it at once.

    Arguments: ``base``: where relative paths of the declaration start; ``progress``: is told what goes on, a line each;
    ``patience``: how long it may take.
    """

    def __init__(
        self,
        declared: AcmeAuthority,
        base: Path,
        folder: "StateFolder",
        progress: Callable[[str], None],
        patience: Patience = PATIENCE,
    ) -> None:
        self.url = directories.url(declared)
        self.title = directories.title(self.url)
        self._declared = declared
        self._base = base
        self._folder = folder
        self._progress = progress
        self._patience = patience
        self._turn = threading.Lock()
        self._refused: Refused | None = None
        self._mute = False
        self._directory: Directory | None = None
        self._account: tuple[JWK, RegistrationResource] | None = None

    @classmethod
    def of(cls, declared: "Inventory", folder: "StateFolder", progress: Callable[[str], None]) -> Self:
        """Return the authority of an inventory; nobody is asked anything yet."""
        return cls(declared.stack.acme, declared.folder, folder, progress)

    def issue(
        self,
        host: str,
        number: int,
        names: Sequence[str],
        key_pem: bytes,
        prove: Prove,
        kind_of: Callable[[str], str],
    ) -> str:
        """Order a certificate of a host and return its chain in PEM, leaf first.

        An order that an earlier run has begun for the same key and names goes on from where it is, until its
        certificate is in the state folder (``issuing.take`` forgets it, too). Arguments: ``number``: the certificate's;
        ``key_pem``: the unencrypted key that it is for; ``prove``: shows what the authority looks for, and what it
        raises passes; ``kind_of``: which challenge to take for a name. Raises AuthorityError; then nothing has changed
        but what is remembered of the order.
        """
        from sendwright.acme.order import Wish
        from sendwright.acme.refusals import Refused

        try:
            return self._orders().issue(Wish(host, number, tuple(names), key_pem), prove, kind_of)
        except Refused as refused:
            raise refused.refusal.of(host) from None

    def window(self, host: str, chain: str) -> datetime | None:
        """Return when the authority wants a certificate renewed (RFC 9773), None where it does not say; never raises.

        Arguments: ``chain``: PEM, leaf first. Each call draws its own moment of the window that the authority gives.
        """
        from acme.client import ClientV2

        from sendwright.acme.refusals import Refused

        if self._mute:
            return None
        try:
            net = self._network(self._patience.brief)
            client = ClientV2(self._suggesting(net), net)
            with net.asked("suggest when to renew"):
                when, _ = client.renewal_time(chain.encode())
                return when.astimezone(UTC) if when else None
        except Refused as refused:
            self._progress(f"{host}: {refused.refusal.what} Its certificate is renewed by its age.")
            return None

    def _orders(self) -> "Orders":
        from sendwright.acme.order import Orders

        net = self._network(self._patience)
        directory = self._known(net)
        net.key, net.account = self._entered(net, directory)
        return Orders(net, directory, self.url, self._folder, self._progress)

    def _network(self, patience: Patience) -> "Network":
        from sendwright.acme.network import Network, roots

        declared = self._declared.trust
        trust = None if declared is None else self._base / Path(declared).expanduser()
        if trust is not None:
            roots(trust)
        return Network(self.title, trust, patience)

    def _suggesting(self, net: "Network") -> "Directory":
        """Return the same as ``_known`` in little time: who takes too long is asked for nothing but orders."""
        from sendwright.acme.refusals import Refused

        with self._turn:
            try:
                return self._shown(net)
            except Refused:
                self._mute = True
                raise

    def _known(self, net: "Network") -> "Directory":
        """Return what the authority's directory says; it is asked for once."""
        with self._turn, self._remembered():
            return self._shown(net)

    def _shown(self, net: "Network") -> "Directory":
        from acme.client import ClientV2

        if self._directory is None:
            with net.asked("show its directory"):
                found = ClientV2.get_directory(self.url, net)
                missing = [name for name in _NEEDED if not isinstance(found[name], str)]
                if missing:
                    raise KeyError(*missing)
                self._directory = found
        return self._directory

    def _entered(self, net: "Network", directory: "Directory") -> "tuple[JWK, RegistrationResource]":
        """Return the key of our account and the account, which is looked for, or made, once."""
        from sendwright.acme.account import Accounts

        with self._turn, self._remembered():
            if self._account is None:
                place = Accounts(self._declared, self.url, self.title, self._folder, self._base, self._progress)
                self._account = place.enter(net, directory)
            return self._account

    @contextmanager
    def _remembered(self) -> Iterator[None]:
        """Raise at once what was refused before: not every host waits for an authority that does not answer."""
        from sendwright.acme.refusals import Refused

        if self._refused is not None:
            raise self._refused
        try:
            yield
        except Refused as refused:
            self._refused = refused
            raise
