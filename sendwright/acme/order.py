"""One order from beginning to end, or from where a killed run has left it (RFC 8555 section 7.4)."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import requests
from acme import challenges as kinds
from acme import errors, messages
from acme.client import ClientV2

from sendwright import certs, foreign_chains, tlsa
from sendwright.acme.limits import Patience
from sendwright.acme.network import Network
from sendwright.acme.proof import Challenge, Prove
from sendwright.acme.refusals import Refusal, Refused, not_acme, unproven
from sendwright.errors import AuthorityRefused, AuthorityUnreachable
from sendwright.escape import plain
from sendwright.state import seal
from sendwright.state.model import PendingOrder

if TYPE_CHECKING:
    from sendwright.state.folder import StateFolder

# It becomes a file's name on hosts; real ones have 43 characters.
_LONGEST_TOKEN = 200
_LONGEST_PAUSE = 30.0
_GOES_ON = "Run again: its order goes on from where it is."
_PLACE, _LOOK, _PROVE, _ISSUE = "take an order", "show an order", "look at proofs", "issue the certificate"


@dataclass(frozen=True)
class Wish:
    """A certificate of a host: its number, its names, and the key that it is for."""

    host: str
    number: int
    names: tuple[str, ...]
    key_pem: bytes = field(repr=False)


@dataclass(frozen=True)
class Asked:
    """A name that is still to be proven: what the authority has for it, and the challenge that is taken."""

    authorization: messages.AuthorizationResource
    body: messages.ChallengeBody
    challenge: Challenge


@dataclass(frozen=True)
class Orders:
    """An authority that knows us, as it takes orders. ``url``: of its directory. All raise Refused."""

    net: Network
    directory: messages.Directory
    url: str
    folder: "StateFolder"
    patience: Patience
    progress: Callable[[str], None]

    def issue(self, wish: Wish, prove: Prove, kind_of: Callable[[str], str]) -> str:
        """Return the chain for a wish, leaf first; what ``prove`` raises passes."""
        order = self._resumed(wish)
        if order is not None and order.body.status == messages.STATUS_VALID:
            leaf = self._finished(order, wish)
            if not _worn(leaf):
                return self._come(leaf, wish)
            order = None
        order = order or self._begun(wish)
        if asked := self._asked(order, wish, kind_of):
            self.progress(f"{wish.host}: proving {_names(asked)} to {self.net.title}")
            with prove(tuple(a.challenge for a in asked)):
                self._answer(asked)
                self._await(asked)
        return self._come(self._finished(order, wish), wish)

    def _come(self, leaf: foreign_chains.Leaf, wish: Wish) -> str:
        # Not left for later: the next renewal would find it, and take the old certificate for its own.
        self.folder.forget_order(wish.host, wish.number)
        return leaf.chain

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
            if refused.code is None or refused.refusal.kind is not AuthorityRefused:
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

    def _asked(self, order: messages.OrderResource, wish: Wish, kind_of: Callable[[str], str]) -> list[Asked]:
        with self.net.asked(_LOOK):
            names = [_name(a.body) for a in order.authorizations]
            if len(set(names)) != len(names) or not set(names) <= set(wish.names):
                raise Refused(not_acme(self.net.title, _PLACE, "wants other names proven than were ordered"))
            left = [a for a in order.authorizations if a.body.status != messages.STATUS_VALID]
            return [self._taken(a, _name(a.body), kind_of(_name(a.body))) for a in left]

    def _taken(self, authorization: messages.AuthorizationResource, name: str, kind: str) -> Asked:
        """Return the challenge of that kind for a name."""
        offered = {str(body.chall.typ): body for body in authorization.body.challenges}
        body = offered.get(kind)
        if body is None or not isinstance(body.chall, kinds.KeyAuthorizationChallenge):
            ways = ", ".join(plain(way) for way in list(offered)[:5])
            what = f"{self.net.title} lets nobody prove {name} by {kind}, only by {ways or 'nothing'}."
            hint = "Choose another challenge for this host (tls › challenge), or another authority."
            raise Refused(Refusal(AuthorityRefused, what, hint))
        token = str(body.chall.encode("token"))
        if len(token) > _LONGEST_TOKEN or self.net.key is None:
            raise Refused(not_acme(self.net.title, _LOOK))
        return Asked(authorization, body, Challenge(name, kind, token, body.chall.key_authorization(self.net.key)))

    def _answer(self, asked: Sequence[Asked]) -> None:
        with self.net.asked(_PROVE):
            for one in asked:
                # What a killed run has answered is being looked at.
                if one.body.status == messages.STATUS_PENDING:
                    self._client.answer_challenge(one.body, one.body.chall.response(self.net.key))

    def _await(self, asked: Sequence[Asked]) -> None:
        """Wait until the authority has looked at every name; Refused names those that it does not believe."""
        waiting, failed = list(asked), list[messages.Authorization]()

        def look() -> bool:
            for one in tuple(waiting):
                now = self._client.poll(one.authorization)[0].body
                if now.status != messages.STATUS_PENDING:
                    waiting.remove(one)
                if now.status not in {messages.STATUS_PENDING, messages.STATUS_VALID}:
                    failed.append(now)
            return not waiting

        if not self._watched(look, _PROVE, self.patience.proof):
            what = f"{self.net.title} has not looked at {_names(waiting)} in {self.patience.proof:g} s."
            raise Refused(Refusal(AuthorityUnreachable, what, _GOES_ON))
        if failed:
            raise unproven(self.net.title, failed, {a.challenge.name: a.challenge.kind for a in asked})

    def _finished(self, order: messages.OrderResource, wish: Wish) -> foreign_chains.Leaf:
        """Return what comes of an order whose names are proven."""
        body = order.body

        def look() -> bool:
            nonlocal body
            if body.status in {messages.STATUS_PENDING, messages.STATUS_READY}:
                body = self._finalized(order)
            elif body.status != messages.STATUS_VALID:
                body = self._now(order.uri)
            if body.status == messages.STATUS_INVALID:
                raise errors.IssuanceError(body.error) if body.error else errors.Error("it says nothing")
            return body.status == messages.STATUS_VALID and bool(body.certificate)

        if not self._watched(look, _ISSUE, self.patience.issuance):
            what = f"{self.net.title} has issued nothing for {wish.host} in {self.patience.issuance:g} s."
            raise Refused(Refusal(AuthorityUnreachable, what, _GOES_ON))
        with self.net.asked(_ISSUE):
            chain = self._post(str(body.certificate), None).text
        try:
            return foreign_chains.wanted(chain, tlsa.spki_of_key(wish.key_pem), wish.names)
        except foreign_chains.Unusable as unusable:
            raise Refused(not_acme(self.net.title, _ISSUE, f"answers with what {unusable}")) from None

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

    def _watched(self, look: Callable[[], bool], doing: str, seconds: float) -> bool:
        """Look until there is nothing to wait for, as often as the authority asks for; False when time is up."""
        deadline = time.monotonic() + seconds
        while True:
            with self.net.asked(doing):
                if look():
                    return True
            if time.monotonic() > deadline:
                return False
            time.sleep(min(max(self.net.asked_to_wait(), self.patience.step), _LONGEST_PAUSE))

    def _pending(self, wish: Wish, url: str) -> PendingOrder:
        names = tuple(sorted(wish.names))
        return PendingOrder(wish.host, wish.number, self.url, url, seal.digest(wish.key_pem), names)

    def _post(self, url: str, body: messages.NewOrder | None) -> requests.Response:
        return self.net.post(url, body, new_nonce_url=self.directory["newNonce"])


def _worn(leaf: foreign_chains.Leaf) -> bool:
    """Tell whether a certificate is from so long ago that its renewal is due (``renewal``)."""
    return datetime.now(UTC) >= leaf.not_after - (leaf.not_after - leaf.not_before) / 3


def _name(body: messages.Authorization) -> str:
    """Return the name that an authorization is for, as hosts' names are written."""
    return str(body.identifier.value).lower() if body.identifier else ""


def _names(asked: Sequence[Asked]) -> str:
    names = [a.challenge.name for a in asked]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
