"""What is remembered of ACME authorities: accounts with them, and orders that they have not finished."""

from pathlib import Path

from sendwright.errors import StateError
from sendwright.state import files, layout, seal, stories
from sendwright.state.model import Account, PendingOrder
from sendwright.state.vault import Vault


class AuthorityFiles:
    """The folders ``accounts/`` and ``orders/`` of a state folder."""

    def __init__(self, path: Path, vault: Vault) -> None:
        self._path = path
        self._vault = vault

    def account(self, directory: str) -> Account | None:
        """Return the account with an authority; None for one whose key is lost, too: another one does as well."""
        path = self._account(directory)
        if (content := files.read(path)) is None:
            return None
        story = stories.parse(stories.ACCOUNT, content, path)
        if story.directory != directory:
            raise files.damaged(path, f"it tells of {story.directory}")
        key = layout.account_sealed(directory, story.key_sha256)
        return Account(directory, story.uri, key) if (self._path / key.name).exists() else None

    def save_account(self, account: Account, key_pem: bytes) -> None:
        """Write an account: its key, then what names it, and then an older key goes."""
        if account.key != layout.account_key(account.directory, key_pem):
            raise StateError(
                f"the private key for {account.key.name} is not the one that was announced.", "This is a bug."
            )
        before = self.account(account.directory)
        story = stories.AccountStory(directory=account.directory, uri=account.uri, key_sha256=seal.digest(key_pem))
        content = stories.dump(stories.ACCOUNT, story)
        if before is None or before.key != account.key:
            files.write(self._path / account.key.name, self._vault.sealed(key_pem))
        files.write(self._account(account.directory), content)
        if before is not None and before.key != account.key:
            files.remove(self._path / before.key.name)

    def order(self, host: str, number: int) -> PendingOrder | None:
        """Return the order that was begun for a certificate of a host, or None."""
        path = self._order(host, number)
        if (content := files.read(path)) is None:
            return None
        order = stories.parse(stories.ORDER, content, path)
        if (order.host, order.number) != (host, number):
            raise files.damaged(path, f"it tells of {order.host}")
        return order

    def save_order(self, order: PendingOrder) -> None:
        """Write that an order was begun; ValueError for a URL that is none."""
        files.write(self._order(order.host, order.number), stories.dump(stories.ORDER, order))

    def forget_order(self, host: str, number: int) -> None:
        """Forget an order: it came, or nothing will come of it."""
        files.remove(self._order(host, number))

    def _account(self, directory: str) -> Path:
        return self._path / "accounts" / f"{layout.tag(layout.sha256(directory))}.json"

    def _order(self, host: str, number: int) -> Path:
        return self._path / "orders" / f"{host}.{number}.json"
