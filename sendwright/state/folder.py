"""The ``state/`` folder: the only reader and writer of what cannot be observed.

::

    keys/DOMAIN/SELECTOR.json    a DKIM key's story, for people and git
    keys/DOMAIN/SELECTOR.pem     its private part, encrypted with the passphrase
    past/DOMAIN/SELECTOR.TIME.json   the story of a key that was removed, whose selector another one has by now
    tls/HOST.json                what a host has for TLS; it names the other files by their content
    tls/HOST.TAG.key .pem        its private key and the one that comes next (encrypted), its chains
    tls/ca.json .pem .key        the internal authority, once there is one
    accounts/TAG.json .TAG.key   an account with an ACME authority, its key (encrypted)
    orders/HOST.NUMBER.json      an order that an authority has not finished
    users.json                   logins, with hashes of their passwords
    claims.json                  the ledger of the records that we wrote
    generation.json              how often it was written with, which hosts hold too, and when last, and by whom
    applies/ZONE/TIME.json       what was written to a zone, and what stood there before

All of it is for the owner alone. The passphrase is asked for only when a private key is opened or saved.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from pydantic import TypeAdapter

from sendwright.errors import StateError
from sendwright.generation import Lineage
from sendwright.service import Sealed
from sendwright.stack import KeyStore
from sendwright.state import files, ledger, seal, stories
from sendwright.state.asking import Ask, at_terminal
from sendwright.state.authorities import AuthorityFiles
from sendwright.state.internal import InternalFiles
from sendwright.state.journal import Journal
from sendwright.state.locking import locked
from sendwright.state.model import Account, Certificate, Claim, DkimKey, KeyStage, NextKey, PendingOrder, State, User
from sendwright.state.tls import TlsFiles
from sendwright.state.vault import Vault

if TYPE_CHECKING:
    from sendwright.certs import Authority
    from sendwright.inventory import Inventory

Thing = TypeVar("Thing")

_NEEDS_NO_PRIVATE_PART = frozenset({KeyStage.REVOKED, KeyStage.REMOVED})
_AT_ONCE = 16
_IGNORED_BY_GIT = b".lock\n.pushed\n.*.tmp\n"


class StateFolder:
    """One inventory's state folder. Every method raises StateError when the folder cannot be used.

    Arguments: ``base``: where relative paths of the passphrase's source start (the inventory folder; the folder above
    ``path`` unless given); ``environ``: where an environment variable is looked up; ``ask``: who is asked for a
    passphrase whose variable is not set.
    """

    def __init__(
        self,
        path: Path,
        key_store: KeyStore,
        base: Path | None = None,
        environ: Mapping[str, str] = os.environ,
        ask: Ask = at_terminal,
    ) -> None:
        self.path = path
        self.journal = Journal(path / "applies")
        self._vault = Vault(path, key_store, path.parent if base is None else base, environ, ask)
        self._tls = TlsFiles(path, self._vault)
        self._internal = InternalFiles(path, self._vault)
        self._authorities = AuthorityFiles(path, self._vault)

    @classmethod
    def of(cls, declared: "Inventory") -> Self:
        """Return the state folder of an inventory."""
        return cls(declared.state_dir, declared.stack.key_store, declared.folder)

    def load(self) -> State:
        """Read everything but private keys; needs no passphrase. A folder that is not there yet holds nothing."""
        return State(
            keys=tuple(self._keys()),
            certificates=self.certificates(),
            users=self._read(stories.USERS, self.path / "users.json") or (),
            claims=self.claims(),
            authority=self._internal.chain(),
            next_keys=self.next_keys(),
        )

    def past(self) -> tuple[DkimKey, ...]:
        """Read the stories of removed keys whose selector another one has by now; they are in no ``load``."""
        found = (self._read(stories.KEY, path) for path in files.below(self.path / "past", ".json"))
        return tuple(key for key in found if key is not None)

    def open(self, sealed: Sealed) -> bytes:
        """Return a private key's unencrypted PEM, exactly as it is installed; StateError or PassphraseError."""
        return self._vault.get(sealed)

    def save_key(self, key: DkimKey, private_pem: bytes | None = None) -> None:
        """Write a DKIM key's story and, for a new key, its private part; durable when this returns.

        The story comes first: a run that is killed in between leaves the story of a key that nobody has seen, which
        ``load`` skips. Publish only after this returned. A removed key whose selector the new one takes is history.
        """
        story = self._story(key)
        if private_pem is None:
            files.write(story, stories.dump(stories.KEY, key))
            return
        content = self._sealed(private_pem, key.sealed)
        self._archive(story)
        if story.with_suffix(".pem").exists() and self._read(stories.KEY, story) != key:
            raise StateError(
                f"there is a private key at {story.with_suffix('.pem')} already.", "It is never overwritten."
            )
        files.write(story, stories.dump(stories.KEY, key))
        files.write(story.with_suffix(".pem"), content)

    def save_keys(self, keys: Iterable[DkimKey]) -> None:
        """Write the stories of many keys, each whole or as it was; all are durable when this returns.

        Several at a time: nearly all that it takes is waiting until the disk has flushed each.
        """
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(self.save_key, keys):
                pass

    def certificates(self) -> tuple[Certificate, ...]:
        """Read the certificates of hosts alone."""
        return tuple(self._tls.certificates())

    def next_keys(self) -> tuple[NextKey, ...]:
        """Read the keys that hosts' certificates will have next alone."""
        return tuple(self._tls.next_keys())

    def save_certificate(self, certificate: Certificate, private_pem: bytes | None = None) -> None:
        """Write one of a host's certificates; see ``save_certificates``."""
        self._tls.save((certificate,), private_pem)

    def save_certificates(self, certificates: Sequence[Certificate], private_pem: bytes | None = None) -> None:
        """Write certificates of one host and one key, all at once, in the place of those with their numbers.

        Its other ones go where they have another key. ``private_pem``: the key; None for one that the folder has, as
        that of the host or as its next: then that one is next no more. After a kill there are the old ones or the new.
        """
        self._tls.save(certificates, private_pem)

    def forget_certificates(self, host: str, numbers: Iterable[int]) -> None:
        """Remove certificates of a host that are needed no more; number 0 stays."""
        self._tls.forget(host, numbers)

    def untold_key(self, host: str) -> bytes | None:
        """Return the TLS key of a host whose story is not there, or None; needs the passphrase. See ``TlsFiles``."""
        return self._tls.untold(host)

    def save_next_key(self, coming: NextKey, private_pem: bytes | None = None) -> None:
        """Write which key a host's certificates will have next, in the place of any other one.

        ``private_pem`` None: the same key as before, and more is known of it.
        """
        self._tls.save_next(coming, private_pem)

    def forget_next_key(self, host: str) -> None:
        """Remove the key that a host's certificates were to have next."""
        self._tls.forget_next(host)

    def authority(self) -> "Authority | None":
        """Open the internal authority, or return None when there is none yet; needs the passphrase."""
        return self._internal.authority()

    def save_authority(self, authority: "Authority") -> None:
        """Write the internal authority."""
        self._internal.save(authority)

    def account(self, directory: str) -> Account | None:
        """Return the account with the ACME authority of that directory's URL, or None."""
        return self._authorities.account(directory)

    def save_account(self, account: Account, key_pem: bytes) -> None:
        """Write an account and its key, whose name is ``layout.account_key``; ValueError for a URI that is none."""
        self._authorities.save_account(account, key_pem)

    def order(self, host: str, number: int) -> PendingOrder | None:
        """Return the order that was begun for a certificate of a host, or None."""
        return self._authorities.order(host, number)

    def save_order(self, order: PendingOrder) -> None:
        """Write that an order was begun; ValueError for a URL that is none."""
        self._authorities.save_order(order)

    def forget_order(self, host: str, number: int) -> None:
        """Forget an order: its certificate came, or nothing will come of it."""
        self._authorities.forget_order(host, number)

    def save_users(self, users: Iterable[User]) -> None:
        """Replace all users."""
        ordered = tuple(sorted(users, key=lambda user: user.login))
        files.write(self.path / "users.json", stories.dump(stories.USERS, ordered))

    def claims(self) -> tuple[Claim, ...]:
        """Read the ledger alone."""
        return self._read(stories.CLAIMS, self.path / "claims.json") or ()

    def claim(self, claims: Iterable[Claim]) -> tuple[Claim, ...]:
        """Enter values in the ledger, before they are written to DNS; return those that were not there."""
        claims = tuple(claims)
        if not claims:
            return ()
        after, new = ledger.entered(self.claims(), claims)
        self._save_claims(after)
        return new

    def mark(self, claims: Iterable[Claim]) -> None:
        """Put claims in the place of those on the same values: their clocks started or stopped."""
        if claims := tuple(claims):
            before = self.claims()
            if (after := ledger.marked(before, claims)) != before:
                self._save_claims(after)

    def release(self, claims: Iterable[Claim]) -> None:
        """Strike values from the ledger, after they were withdrawn from DNS."""
        if claims := tuple(claims):
            before = self.claims()
            if (after := ledger.released(before, claims)) != before:
                self._save_claims(after)

    def lineage(self) -> Lineage | None:
        """Read which generation the folder is at; None when it has never written to a host."""
        return self._read(stories.LINEAGE, self.path / "generation.json")

    def save_lineage(self, lineage: Lineage | None) -> None:
        """Write which generation the folder is at, before a host hears of it; None: it has never written to one."""
        path = self.path / "generation.json"
        if lineage is None:
            files.remove(path)
        else:
            files.write(path, stories.dump(stories.LINEAGE, lineage))

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other run on this machine out while the block runs; StateError names the process that is in."""
        with locked(self.path):
            if not (self.path / ".gitignore").exists():
                files.write(self.path / ".gitignore", _IGNORED_BY_GIT)
            yield

    def _archive(self, story: Path) -> None:
        """Keep what was at a selector that is used again: its story, and not the private part that nothing needs."""
        old = self._read(stories.KEY, story)
        if old is None or old.stage is not KeyStage.REMOVED:
            return
        time = f"{old.created.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        files.write(self.path / "past" / old.domain / f"{old.selector}.{time}.json", stories.dump(stories.KEY, old))
        files.remove(story.with_suffix(".pem"))

    def _keys(self) -> Iterator[DkimKey]:
        for pem in files.below(self.path / "keys", ".pem"):
            if not pem.with_suffix(".json").exists():
                raise StateError(
                    f"{pem} is a private key without its story.",
                    f"Restore {pem.with_suffix('.json').name} from git or a backup; if nobody ever published this key, "
                    "remove it.",
                )
        for path in files.below(self.path / "keys", ".json"):
            key = self._read(stories.KEY, path)
            if key is None:
                continue
            if self._story(key) != path:
                raise files.damaged(path, f"it tells of {key.selector} of {key.domain}")
            if path.with_suffix(".pem").exists() or key.stage in _NEEDS_NO_PRIVATE_PART:
                yield key
            elif key.stage is not KeyStage.GENERATED:
                raise StateError(
                    f"the private key of {path} is lost.",
                    f"Restore {path.with_suffix('.pem').name} from git or a backup; without it this key cannot sign.",
                )

    def _sealed(self, pem: bytes, expected: Sealed) -> bytes:
        if seal.digest(pem) != expected.sha256:
            raise StateError(
                f"the private key for {expected.name} is not the one that was announced.", "This is a bug."
            )
        return self._vault.sealed(pem)

    def _save_claims(self, claims: tuple[Claim, ...]) -> None:
        files.write(self.path / "claims.json", stories.dump(stories.CLAIMS, claims))

    def _story(self, key: DkimKey) -> Path:
        return self.path / "keys" / key.domain / f"{key.selector}.json"

    def _read(self, adapter: TypeAdapter[Thing], path: Path) -> Thing | None:
        content = files.read(path)
        return None if content is None else stories.parse(adapter, content, path)
