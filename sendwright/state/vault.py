"""Private keys in the state folder: sealed with the passphrase when written, opened only while they are needed."""

import os
import threading
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath

from sendwright import secrets
from sendwright.declared import EnvSecret
from sendwright.errors import PassphraseError, SecretError, StateError
from sendwright.service import Sealed
from sendwright.stack import KeyStore
from sendwright.state import files, seal
from sendwright.state.asking import Ask, at_terminal

_UNENCRYPTED = (
    'or keep keys unencrypted, in so many words, in group_data/all.py: key_store = {"unencrypted": '
    '"I know that anybody who reads this folder can sign as us"}'
)


class Vault:
    """The private files below one state folder; the passphrase is looked up at the first need and then kept.

    ``ask``: who is asked for it where the variable that should hold it is not set.
    """

    def __init__(
        self,
        path: Path,
        key_store: KeyStore,
        base: Path,
        environ: Mapping[str, str] = os.environ,
        ask: Ask = at_terminal,
    ) -> None:
        self._ask = ask
        self._path = path
        self._key_store = key_store
        self._base = base
        self._environ = environ
        # Of the folder's keys; None until one was opened or is to be sealed.
        self._salt: bytes | None = None
        self._tried = False
        self._agreeing = threading.Lock()

    def sealed(self, pem: bytes) -> bytes:
        """Return what to write for a private key: sealed, or plain where the key store says so. Threads may share it.

        Raises PassphraseError when there is no passphrase, or another one than the folder's other keys have.
        """
        return pem if self._key_store.unencrypted else seal.seal(pem, *self._agreed())

    def get(self, sealed: Sealed) -> bytes:
        """Return a private key's plain form; StateError for a lost, damaged or exchanged file, PassphraseError."""
        path = self._file(sealed.name)
        content = files.read(path)
        if content is None:
            raise StateError(f"the private key {path} is lost.", "Restore it from git or a backup.")
        pem = self._open(path, content)
        if seal.digest(pem) != sealed.sha256:
            raise files.damaged(path, "it is not the key that the story beside it tells of")
        return pem

    def untold(self, name: str) -> bytes:
        """Return the plain form of a private key that no story tells of; raises as ``get`` does."""
        path = self._file(name)
        return self._open(path, files.read(path) or b"")

    def _file(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or parts[0] == "/":
            raise StateError(f"{name!r} does not lie in the state folder.", "Nothing outside of it is ever opened.")
        return self._path / name

    def _open(self, path: Path, content: bytes) -> bytes:
        try:
            # What lies there decides, not the declaration: a key store that was switched keeps its older keys readable.
            pem = seal.unseal(content, self._derivation if seal.is_sealed(content) else None)
        except seal.Damaged:
            raise files.damaged(path, "it holds no private key") from None
        except seal.WrongPassphrase:
            raise PassphraseError(
                f"{path} cannot be opened with this passphrase.", "Name the one that it was sealed with."
            ) from None
        if seal.is_sealed(content):
            self._tried, self._salt = True, self._salt or seal.salt_of(content)
        return pem

    def _agreed(self) -> tuple[seal.Derivation, bytes]:
        """Return the passphrase after it opened a key that is there: a typing error would split the folder.

        With it comes the salt of the keys that are there, so that all are opened by a single derivation.
        """
        with self._agreeing:
            derivation = self._derivation
            if not self._tried:
                for path in self._private():
                    content = files.read(path)
                    if content is not None and seal.is_sealed(content):
                        self._open(path, content)
                        break
                self._tried = True
            self._salt = self._salt or seal.new_salt()
            return derivation, self._salt

    @cached_property
    def _derivation(self) -> seal.Derivation:
        what = f"the passphrase of the private keys in {self._path}"
        try:
            return seal.Derivation(secrets.resolve(self._key_store.passphrase, self._base, what, self._environ))
        except SecretError as error:
            told = self._asked() if isinstance(self._key_store.passphrase, EnvSecret) else None
            if told:
                return seal.Derivation(told)
            raise PassphraseError(error.what, f"{error.hint.rstrip('.')}, {_UNENCRYPTED}.") from None

    def _asked(self) -> str | None:
        found = (files.read(path) for path in self._private())
        known = any(content is not None and seal.is_sealed(content) for content in found)
        return self._ask(f"Passphrase of the private keys in {self._path}", new=not known)

    def _private(self) -> Iterator[Path]:
        yield from files.below(self._path / "keys", ".pem")
        yield from files.below(self._path / "tls", ".key")
        yield from files.below(self._path / "accounts", ".key")
