"""What an authority wants to have proven for an order, and its look at the proofs (RFC 8555 section 7.5)."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from acme import challenges as kinds
from acme import messages
from acme.client import ClientV2

from sendwright.acme.network import Network
from sendwright.acme.proof import Challenge
from sendwright.acme.refusals import Refusal, Refused, not_acme, unfinished, unproven
from sendwright.errors import AuthorityRefused
from sendwright.escape import plain

# It becomes a file's name on hosts; real ones have 43 characters.
_LONGEST_TOKEN = 200
_LOOK, _PROVE = "show an order", "look at proofs"


@dataclass(frozen=True)
class Asked:
    """A name that is still to be proven: what the authority has for it, and the challenge that is taken."""

    authorization: messages.AuthorizationResource
    body: messages.ChallengeBody
    challenge: Challenge


@dataclass(frozen=True)
class Proofs:
    """Names and an authority that does not believe us yet. All raise Refused."""

    net: Network
    client: ClientV2

    def asked(
        self, order: messages.OrderResource, names: Collection[str], kind_of: Callable[[str], str]
    ) -> tuple[Asked, ...]:
        """Return what is left to prove of an order for these names, each by the kind of challenge that is wanted."""
        ways = {name: kind_of(name) for name in names}
        with self.net.asked(_LOOK):
            found = [_name(a.body) for a in order.authorizations]
            if len(set(found)) != len(found) or not set(found) <= set(names):
                raise Refused(not_acme(self.net.title, _LOOK, "wants other names proven than were ordered"))
            left = [a for a in order.authorizations if a.body.status != messages.STATUS_VALID]
            return tuple(self._taken(a, _name(a.body), ways[_name(a.body)]) for a in left)

    def given(self, asked: Sequence[Asked]) -> None:
        """Have the authority look, and wait until it has; Refused names those that it does not believe."""
        with self.net.asked(_PROVE):
            for one in asked:
                # What a killed run has answered is being looked at.
                if one.body.status == messages.STATUS_PENDING:
                    self.client.answer_challenge(one.body, one.body.chall.response(self.net.key))
        waiting, failed = list(asked), list[messages.Authorization]()

        def look() -> bool:
            for one in tuple(waiting):
                now = self.client.poll(one.authorization)[0].body
                if now.status != messages.STATUS_PENDING:
                    waiting.remove(one)
                if now.status not in {messages.STATUS_PENDING, messages.STATUS_VALID}:
                    failed.append(now)
            return not waiting

        seconds = self.net.patience.proof
        if not self.net.watched(look, _PROVE, seconds):
            raise Refused(unfinished(self.net.title, f"not looked at {listed(waiting)}", seconds))
        if failed:
            raise unproven(self.net.title, failed, {a.challenge.name: a.challenge.kind for a in asked})

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


def listed(asked: Sequence[Asked]) -> str:
    """Return names for a sentence."""
    names = [a.challenge.name for a in asked]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _name(body: messages.Authorization) -> str:
    """Return the name that an authorization is for, as hosts' names are written."""
    return str(body.identifier.value).lower() if body.identifier else ""
