"""One order from beginning to end, or from where a killed run has left it (RFC 8555 section 7.4)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import requests
from acme import errors, messages
from acme.client import ClientV2

from sendwright import certs, foreign_chains, tlsa
from sendwright.acme.network import Network
from sendwright.acme.proof import Prove
from sendwright.acme.proofs import Proofs, listed
from sendwright.acme.refusals import Refused, not_acme, unfinished
from sendwright.foreign_chains import Leaf
from sendwright.state import seal
from sendwright.state.model import PendingOrder

if TYPE_CHECKING:
    from sendwright.state.folder import StateFolder

_PLACE, _LOOK, _ISSUE = "take an order", "show an order", "issue the certificate"
# Of its life: where its renewal is due (``renewal``), a certificate is not worth installing.
_WORN = 3


@dataclass(frozen=True)
class Wish:
    """A certificate of a host: its number, its names, and the key that it is for."""

    host: str
    number: int
    names: tuple[str, ...]
    key_pem: bytes = field(repr=False)


@dataclass(frozen=True)
class Orders:
    """An authority that knows us, as it takes orders. ``url``: of its directory. All raise Refused."""

    net: Network
    directory: messages.Directory
    url: str
    folder: "StateFolder"
    progress: Callable[[str], None]

    def issue(self, wish: Wish, prove: Prove, kind_of: Callable[[str], str]) -> str:
        """Return the chain for a wish, leaf first; what ``prove`` raises passes.

        The order stays in the folder until whoever keeps the chain has done so: a run that has to get several, and
        fails at the next one, would else order the first anew each time.
        """
        try:
            return self._issued(wish, prove, kind_of).chain
        except Refused as refused:
            if not refused.refusal.passing:
                self.folder.forget_order(wish.host, wish.number)
            raise

    def _issued(self, wish: Wish, prove: Prove, kind_of: Callable[[str], str]) -> Leaf:
        order = self._resumed(wish)
        if order is not None and order.body.status == messages.STATUS_VALID:
            if leaf := self._left(order, wish):
                return leaf
            order = None
        order = order or self._begun(wish)
        proofs = Proofs(self.net, self._client)
        if asked := proofs.asked(order, wish.names, kind_of):
            self.progress(f"{wish.host}: proving {listed(asked)} to {self.net.title}")
            with prove(tuple(a.challenge for a in asked)):
                proofs.given(asked)
        return self._finished(order, wish)

    def _left(self, order: messages.OrderResource, wish: Wish) -> Leaf | None:
        """Return the certificate that a killed run did not keep; None where it is gone, or not worth it any more.

        Nor is it if the folder has it already: then somebody wants another one.
        """
        try:
            leaf = self._finished(order, wish)
        except Refused as refused:
            if refused.refusal.passing:
                raise
            return None
        worn = datetime.now(UTC) >= leaf.not_after - (leaf.not_after - leaf.not_before) / _WORN
        return None if worn or any(c.chain == leaf.chain for c in self.folder.certificates()) else leaf

    @property
    def _client(self) -> ClientV2:
        return ClientV2(self.directory, self.net)

    def _resumed(self, wish: Wish) -> messages.OrderResource | None:
        """Return the order that an earlier run has begun, unless nothing can come of it any more."""
        kept = self.folder.order(wish.host, wish.number)
        if kept is None or kept != self._pending(wish, kept.url):
            return None
        try:
            order = self._shown(kept.url, wish)
        except Refused as refused:
            if refused.refusal.passing:
                raise
            return None
        alive = {messages.STATUS_PENDING, messages.STATUS_VALID}
        useless = order.body.status == messages.STATUS_INVALID or (
            order.body.status == messages.STATUS_PENDING
            and any(a.body.status not in alive for a in order.authorizations)
        )
        if useless:
            return None
        self.progress(f"{wish.host}: going on with the order that an earlier run began")
        return order

    def _begun(self, wish: Wish) -> messages.OrderResource:
        self.progress(f"{wish.host}: ordering a certificate from {self.net.title}")
        identifiers = [messages.Identifier(typ=messages.IDENTIFIER_FQDN, value=name) for name in wish.names]
        with self.net.asked(_PLACE):
            # By hand, because the library asks for every authorization before anybody learns what the order is called.
            answer = self._post(self.directory["newOrder"], messages.NewOrder(identifiers=identifiers))
            url = str(answer.headers["Location"])
        try:
            self.folder.save_order(self._pending(wish, url))
        except ValueError:
            raise Refused(not_acme(self.net.title, _PLACE)) from None
        return self._shown(url, wish)

    def _shown(self, url: str, wish: Wish) -> messages.OrderResource:
        """Return an order as it is now, with its authorizations, after a look at whether it is what was ordered."""
        with self.net.asked(_LOOK):
            body = self._now(url)
            ordered = sorted(str(identifier.value).lower() for identifier in body.identifiers)
            urls = body.authorizations if body.status == messages.STATUS_PENDING else ()
            if ordered != sorted(wish.names) or len(urls) > len(wish.names):
                raise Refused(not_acme(self.net.title, _PLACE, "answers with another order than was placed"))
            empty = messages.Authorization()
            found = [self._client.poll(messages.AuthorizationResource(uri=u, body=empty))[0] for u in urls]
            csr = certs.csr(wish.key_pem, wish.names)
            return messages.OrderResource(body=body, uri=url, authorizations=found, csr_pem=csr)

    def _finished(self, order: messages.OrderResource, wish: Wish) -> Leaf:
        """Return what comes of an order whose names are proven."""
        body, seconds = order.body, self.net.patience.issuance

        def look() -> bool:
            nonlocal body
            if body.status in {messages.STATUS_PENDING, messages.STATUS_READY}:
                body = self._finalized(order)
            elif body.status != messages.STATUS_VALID:
                body = self._now(order.uri)
            if body.status == messages.STATUS_INVALID:
                raise errors.IssuanceError(body.error) if body.error else errors.Error("it says nothing")
            return body.status == messages.STATUS_VALID and bool(body.certificate)

        if not self.net.watched(look, _ISSUE, seconds):
            raise Refused(unfinished(self.net.title, f"issued nothing for {wish.host}", seconds))
        with self.net.asked(_ISSUE):
            chain = self._post(str(body.certificate), None).text
        try:
            return foreign_chains.wanted(chain, tlsa.spki_of_key(wish.key_pem), wish.names)
        except foreign_chains.Unusable as unusable:
            raise Refused(not_acme(self.net.title, _ISSUE, f"answers with a chain that {unusable}")) from None

    def _finalized(self, order: messages.OrderResource) -> messages.Order:
        try:
            body: messages.Order = self._client.begin_finalization(order).body
        except messages.Error as error:
            # All its names are proven, and the order itself has not heard of it yet.
            if error.code != "orderNotReady":
                raise
            return self._now(order.uri)
        return body

    def _now(self, url: str) -> messages.Order:
        body: messages.Order = messages.Order.from_json(self._post(url, None).json())
        return body

    def _pending(self, wish: Wish, url: str) -> PendingOrder:
        names = tuple(sorted(wish.names))
        return PendingOrder(wish.host, wish.number, self.url, url, seal.digest(wish.key_pem), names)

    def _post(self, url: str, body: messages.NewOrder | None) -> requests.Response:
        return self.net.post(url, body, new_nonce_url=self.directory["newNonce"])
