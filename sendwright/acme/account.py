"""The account that certificates are ordered with: made at first use, one for each directory, its key sealed."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acme import errors, messages
from acme.client import ClientV2
from josepy.jwk import JWK

from sendwright import certs, secrets
from sendwright.acme.network import Network
from sendwright.acme.refusals import EXTERNAL_ACCOUNT, MEND, Refusal, Refused, not_acme
from sendwright.errors import AuthorityError, AuthorityRefused, SecretError
from sendwright.escape import plain
from sendwright.stack import AcmeAuthority, ExternalAccount
from sendwright.state import layout
from sendwright.state.model import Account

if TYPE_CHECKING:
    from sendwright.state.folder import StateFolder

_HMAC = re.compile(r"[A-Za-z0-9+/_-]{16,1024}={0,2}")


@dataclass(frozen=True)
class Accounts:
    """The account of an inventory with the authority of a directory.

    Arguments: ``url``: of the directory; ``base``: where relative paths of secrets start; ``progress``: is told when an
    account is made, and of the terms that this agrees to.
    """

    declared: AcmeAuthority
    url: str
    title: str
    folder: "StateFolder"
    base: Path
    progress: Callable[[str], None]

    def enter(self, net: Network, directory: messages.Directory) -> tuple[JWK, messages.RegistrationResource]:
        """Return the account's key and the account; it is made unless the authority knows it. Raises Refused.

        ``net`` speaks for it from then on.
        """
        kept, pem = self._kept()
        net.key = JWK.load(pem)
        client = ClientV2(directory, net)
        found = self._found(client, net, kept.uri) if kept.uri else None
        found = found or self._made(client, net)
        if kept.uri != found.uri or not found.uri:
            self._save(found.uri, pem)
        net.account = found
        return net.key, found

    def _kept(self) -> tuple[Account, bytes]:
        """Return the account as it is remembered and its private key, made and kept before anybody is told of it.

        An authority may take the word of an external account once only: a key that a killed run lost would waste it.
        """
        kept = self.folder.account(self.url)
        if kept is not None:
            return kept, self.folder.open(kept.key)
        pem = certs.new_key("ecdsa")
        made = Account(self.url, None, layout.account_key(self.url, pem))
        self.folder.save_account(made, pem)
        return made, pem

    def _found(self, client: ClientV2, net: Network, uri: str) -> messages.RegistrationResource | None:
        """Return the account that the authority has; None where it has forgotten it, as those for tests do."""
        name = f"accounts/{layout.tag(layout.sha256(self.url))}.json"
        closed = f"If the account is closed, remove {name} from the state folder: the next run makes another one."
        known = messages.RegistrationResource(uri=uri, body=messages.Registration())
        try:
            with net.asked("find our account", closed):
                found = client.query_registration(known)
        except Refused as refused:
            if refused.code != "accountDoesNotExist":
                raise
            net.account = None
            return None
        if set(found.body.contact) == set(self.declared.contact):
            return found
        with net.asked("note our new contact"):
            # Not with all that it says of the account: the library cannot send that back.
            return client.update_registration(known, messages.Registration(contact=self.declared.contact))

    def _made(self, client: ClientV2, net: Network) -> messages.RegistrationResource:
        given: dict[str, Any] = {"contact": self.declared.contact} if self.declared.contact else {}
        with net.asked("open an account", EXTERNAL_ACCOUNT if self.declared.external_account else MEND):
            if self.declared.external_account is not None:
                given["external_account_binding"] = self._binding(self.declared.external_account, client, net)
            elif client.external_account_required():
                what = f"{self.title} opens accounts only for customers of its own (external account binding)."
                raise Refused(Refusal(AuthorityRefused, what, EXTERNAL_ACCOUNT))
            terms = client.directory.meta.terms_of_service
            self.progress(f"opening an account with {self.title}" + (f"; its terms: {plain(terms)}" if terms else ""))
            try:
                return client.new_account(messages.NewRegistration.from_data(terms_of_service_agreed=True, **given))
            except errors.ConflictError as known:
                # A run that was killed has made it.
                return messages.RegistrationResource(uri=known.location, body=messages.Registration())

    def _binding(self, external: ExternalAccount, client: ClientV2, net: Network) -> dict[str, Any]:
        try:
            secret = secrets.resolve(external.hmac, self.base, "acme › external_account › hmac").strip()
        except SecretError as error:
            raise Refused(Refusal(AuthorityError, error.what, error.hint)) from None
        if not _HMAC.fullmatch(secret):
            what = "acme › external_account › hmac: what it names is no HMAC key."
            raise Refused(Refusal(AuthorityError, what, "Name it as the authority prints it: in base64url."))
        if net.key is None:
            raise ValueError("an external account is bound to a key")
        return messages.ExternalAccountBinding.from_data(net.key.public_key(), external.kid, secret, client.directory)

    def _save(self, uri: object, pem: bytes) -> None:
        try:
            account = Account(self.url, str(uri), layout.account_key(self.url, pem))
            self.folder.save_account(account, pem)
        except ValueError:
            raise Refused(not_acme(self.title, "open an account")) from None
