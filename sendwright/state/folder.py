"""The ``state/`` folder: the only reader and writer of what cannot be observed.

::

    keys/DOMAIN/SELECTOR.json    a DKIM key's story, for people and git
    keys/DOMAIN/SELECTOR.pem     its private part, encrypted with the passphrase
    past/DOMAIN/SELECTOR.TIME.json   the story of a key that was removed, whose selector another one has by now
    tls/HOST.json .pem .key      a certificate's story, its chain, its private key (encrypted)
    tls/ca.json .pem .key        the internal authority, once there is one
    users.json                   logins, with hashes of their passwords
    claims.json                  the ledger of the records that we wrote
    generation.json              how often it was written with, which hosts hold too, and when last, and by whom
    applies/ZONE/TIME.json       what was written to a zone, and what stood there before

All of it is for the owner alone. The passphrase is asked for only when a private key is opened or saved.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
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
from sendwright.state.journal import Journal
from sendwright.state.locking import locked
from sendwright.state.model import Certificate, Claim, DkimKey, KeyStage, State, User
from sendwright.state.vault import Vault

if TYPE_CHECKING:
    from sendwright.certs import Authority
    from sendwright.inventory import Inventory

Thing = TypeVar("Thing")

_NEEDS_NO_PRIVATE_PART = frozenset({KeyStage.REVOKED, KeyStage.REMOVED})
_PEM_CHAIN = re.compile(rb"(?:-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n)+")
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

    @classmethod
    def of(cls, declared: "Inventory") -> Self:
        """Return the state folder of an inventory."""
        return cls(declared.state_dir, declared.stack.key_store, declared.folder)

    def load(self) -> State:
        """Read everything but private keys; needs no passphrase. A folder that is not there yet holds nothing."""
        return State(
            keys=tuple(self._keys()),
            certificates=tuple(self._certificates()),
            users=self._read(stories.USERS, self.path / "users.json") or (),
            claims=self.claims(),
            authority=self._authority_chain(),
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

    def save_certificate(self, certificate: Certificate, private_pem: bytes | None = None) -> None:
        """Write a host's certificate and, unless it kept its key, the private part."""
        private = None if private_pem is None else self._sealed(private_pem, certificate.key)
        story = stories.CertificateStory(
            host=certificate.host,
            mode=certificate.mode,
            chain_sha256=_sha256(certificate.chain),
            key_sha256=certificate.key.sha256,
            not_before=certificate.not_before,
            not_after=certificate.not_after,
        )
        self._save_pair(certificate.host, certificate.chain, private, stories.dump(stories.CERTIFICATE, story))

    def authority(self) -> "Authority | None":
        """Open the internal authority, or return None when there is none yet; needs the passphrase."""
        path = self.path / "tls" / "ca.json"
        story = self._read(stories.AUTHORITY, path)
        chain = self._authority_chain()
        if story is None or chain is None:
            return None
        from sendwright.certs import Authority

        return Authority(chain, self._vault.get(Sealed("tls/ca.key", story.key_sha256)))

    def save_authority(self, authority: "Authority") -> None:
        """Write the internal authority."""
        key = Sealed("tls/ca.key", seal.digest(authority.key_pem))
        story = stories.AuthorityStory(chain_sha256=_sha256(authority.certificate), key_sha256=key.sha256)
        private = self._sealed(authority.key_pem, key)
        self._save_pair("ca", authority.certificate, private, stories.dump(stories.AUTHORITY, story))

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

    def _certificates(self) -> Iterator[Certificate]:
        for path in files.below(self.path / "tls", ".json"):
            if path.stem == "ca":
                continue
            story = self._read(stories.CERTIFICATE, path)
            chain = self._chain(path)
            if story is None or chain is None or _sha256(chain) != story.chain_sha256:
                continue  # a killed run's half: it is issued again
            if story.host != path.stem:
                raise files.damaged(path, f"it tells of {story.host}")
            key = Sealed(f"tls/{story.host}.key", story.key_sha256)
            yield Certificate(story.host, story.mode, chain, key, story.not_before, story.not_after)

    def _authority_chain(self) -> str | None:
        path = self.path / "tls" / "ca.json"
        story = self._read(stories.AUTHORITY, path)
        chain = self._chain(path)
        return chain if story is not None and chain is not None and _sha256(chain) == story.chain_sha256 else None

    def _chain(self, story: Path) -> str | None:
        content = files.read(story.with_suffix(".pem"))
        if content is None or not story.with_suffix(".key").exists():
            return None
        # It goes to hosts as it is, so nothing but PEM may stand in it.
        if not _PEM_CHAIN.fullmatch(content):
            raise files.damaged(story.with_suffix(".pem"), "it holds something else than certificates")
        return content.decode("ascii")

    def _save_pair(self, name: str, chain: str, private: bytes | None, story: bytes) -> None:
        """Write three files that belong together: without the story none counts, so it goes first and comes last."""
        path = self.path / "tls" / f"{name}.json"
        files.remove(path)
        if private is not None:
            files.write(path.with_suffix(".key"), private)
        files.write(path.with_suffix(".pem"), chain.encode("ascii"))
        files.write(path, story)

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


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
