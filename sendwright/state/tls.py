"""What hosts have for TLS: one key each, the certificates around it, and the key that comes next.

``tls/HOST.json`` names every other file, by their content. New files are written first, then that one, then what it
does not name any more goes: whoever is killed between any two of these leaves the old or the new, whole.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sendwright.errors import StateError
from sendwright.service import Sealed
from sendwright.state import files, layout, seal, stories
from sendwright.state.model import Certificate, NextKey
from sendwright.state.vault import Vault

_PEM_CHAIN = re.compile(rb"(?:-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n)+")


class TlsFiles:
    """The folder ``tls/`` of a state folder, but for the internal authority in it."""

    def __init__(self, path: Path, vault: Vault) -> None:
        self._path = path / "tls"
        self._vault = vault

    def certificates(self) -> Iterator[Certificate]:
        """Yield all certificates; StateError for any whose key or chain is lost: others may know that key (TLSA)."""
        for story in self._stories():
            if story.key_sha256 is not None and not (key := self._key(story.host, story.key_sha256)).exists():
                raise StateError(
                    f"the private key {key} is lost.",
                    "Restore it from git or a backup: senders may know this key, and refuse any other (DANE).",
                )
            yield from self._of(story)

    def next_keys(self) -> Iterator[NextKey]:
        """Yield the keys that come next. One whose file is lost is none: nobody was ever shown it."""
        for story in self._stories():
            if (coming := story.next) and self._key(story.host, coming.key_sha256).exists():
                key = layout.tls_sealed(story.host, coming.key_sha256)
                yield NextKey(story.host, key, coming.spki, coming.created, coming.fresh_at, coming.kind)

    def save(self, certificates: Sequence[Certificate], private_pem: bytes | None) -> None:
        """Put certificates of one host in the place of those with their numbers, all at once.

        Those that have another key go with that key; a key that was to come next is the present one from now on.
        ``private_pem``: the key of all of them, None for one that lies here already.
        """
        host, key = certificates[0].host, certificates[0].key
        before = self._story(host)
        if any((c.host, c.key) != (host, key) for c in certificates) or key != layout.tls_sealed(host, key.sha256):
            raise ValueError("certificates that are saved together are of one host and one key")
        self._keep_key(before, key, private_pem)
        for certificate in certificates:
            chain = self._path / layout.tls_chain(host, layout.sha256(certificate.chain))
            files.write(chain, certificate.chain.encode("ascii"))
        kept = before.certificates if before.key_sha256 == key.sha256 else ()
        of = {each.number: each for each in (*kept, *map(_told, certificates))}
        coming = None if before.next and before.next.key_sha256 == key.sha256 else before.next
        after = tuple(of[number] for number in sorted(of))
        self._point(stories.TlsStory(host=host, key_sha256=key.sha256, certificates=after, next=coming))

    def forget(self, host: str, numbers: Iterable[int]) -> None:
        """Remove certificates of a host that are needed no more; never the one that it takes mail with."""
        before, gone = self._story(host), set(numbers) - {0}
        after = tuple(c for c in before.certificates if c.number not in gone)
        if after != before.certificates:
            self._point(before.model_copy(update={"certificates": after}))

    def save_next(self, coming: NextKey, private_pem: bytes | None) -> None:
        """Remember which key comes next, or what became known of it; ``private_pem`` as for ``save``."""
        before = self._story(coming.host)
        self._keep_key(before, coming.key, private_pem)
        story = stories.NextStory(
            kind=coming.kind,
            key_sha256=coming.key.sha256,
            spki=coming.spki,
            created=coming.created,
            fresh_at=coming.fresh_at,
        )
        self._point(before.model_copy(update={"next": story}))

    def forget_next(self, host: str) -> None:
        """Remove the key that was to come next."""
        before = self._story(host)
        if before.next:
            self._point(before.model_copy(update={"next": None}))

    def untold(self, host: str) -> bytes | None:
        """Return the private key of a host that nothing tells of, or None.

        A run was killed as it made it, or ``tls/HOST.json`` was lost: then senders may know it. StateError for several,
        of which nobody can say which is shown.
        """
        if self._story(host).key_sha256 is not None:
            return None
        found = [path for path in self._files_of(host) if path.suffix == ".key"]
        if len(found) > 1:
            raise StateError(
                f"{self._pointer(host)} is lost, and {len(found)} private keys of that host are there.",
                "Restore it from git or a backup; otherwise remove all of them but the one that the host has.",
            )
        return self._vault.untold(f"{self._path.name}/{found[0].name}") if found else None

    def _of(self, story: stories.TlsStory) -> Iterator[Certificate]:
        for each in story.certificates:
            path = self._path / layout.tls_chain(story.host, each.chain_sha256)
            if (content := files.read(path)) is None:
                raise StateError(f"the certificate {path} is lost.", "Restore it from git or a backup.")
            chain = chain_in(path, content)
            if layout.sha256(chain) != each.chain_sha256 or story.key_sha256 is None:
                raise files.damaged(path, "it is not the certificate that the story beside it tells of")
            key = layout.tls_sealed(story.host, story.key_sha256)
            yield Certificate(
                story.host, each.mode, chain, key, each.not_before, each.not_after, each.number, each.issuer
            )

    def _keep_key(self, before: stories.TlsStory, key: Sealed, private_pem: bytes | None) -> None:
        path, known = self._key(before.host, key.sha256), {before.key_sha256, before.next and before.next.key_sha256}
        if key.sha256 in known and path.exists():
            return
        if private_pem is None or seal.digest(private_pem) != key.sha256:
            raise StateError(f"the private key for {key.name} is not the one that was announced.", "This is a bug.")
        files.write(path, self._vault.sealed(private_pem))

    def _point(self, story: stories.TlsStory) -> None:
        files.write(self._pointer(story.host), stories.dump(stories.TLS, story))
        named = {layout.tls_chain(story.host, c.chain_sha256) for c in story.certificates}
        for sha256 in (story.key_sha256, story.next and story.next.key_sha256):
            if sha256:
                named.add(self._key(story.host, sha256).name)
        if story.key_sha256 is None:
            return
        # What a killed run left goes with what is replaced.
        for path in self._files_of(story.host):
            if path.name not in named:
                files.remove(path)

    def _files_of(self, host: str) -> Iterator[Path]:
        ours = re.compile(rf"{re.escape(host)}\.[0-9a-f]{{16}}\.(key|pem)")
        for path in (*files.below(self._path, ".key"), *files.below(self._path, ".pem")):
            if path.parent == self._path and ours.fullmatch(path.name):
                yield path

    def _stories(self) -> Iterator[stories.TlsStory]:
        for path in files.below(self._path, ".json"):
            if path.stem != "ca":
                yield self._read(path) or stories.TlsStory(host=path.stem)

    def _story(self, host: str) -> stories.TlsStory:
        return self._read(self._pointer(host)) or stories.TlsStory(host=host)

    def _read(self, path: Path) -> stories.TlsStory | None:
        if (content := files.read(path)) is None:
            return None
        story = stories.parse(stories.TLS, content, path)
        if self._pointer(story.host) != path:
            raise files.damaged(path, f"it tells of {story.host}")
        return story

    def _pointer(self, host: str) -> Path:
        return self._path / f"{host}.json"

    def _key(self, host: str, sha256: str) -> Path:
        return self._path.parent / layout.tls_sealed(host, sha256).name


def chain_in(path: Path, content: bytes) -> str:
    """Return the chain that a file holds; StateError unless it is nothing but PEM: it goes to hosts as it is."""
    if not _PEM_CHAIN.fullmatch(content):
        raise files.damaged(path, "it holds something else than certificates")
    return content.decode("ascii")


def _told(certificate: Certificate) -> stories.CertificateStory:
    return stories.CertificateStory(
        number=certificate.number,
        mode=certificate.mode,
        issuer=certificate.issuer,
        chain_sha256=layout.sha256(certificate.chain),
        not_before=certificate.not_before,
        not_after=certificate.not_after,
    )
