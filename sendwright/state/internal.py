"""The internal authority: ``tls/ca.json``, ``.pem`` and ``.key``, once a host uses it."""

from pathlib import Path
from typing import TYPE_CHECKING

from sendwright.service import Sealed
from sendwright.state import files, layout, seal, stories
from sendwright.state.tls import chain_in
from sendwright.state.vault import Vault

if TYPE_CHECKING:
    from sendwright.certs import Authority

_KEY = "tls/ca.key"


class InternalFiles:
    """The files of the internal authority in a state folder."""

    def __init__(self, path: Path, vault: Vault) -> None:
        self._story = path / "tls" / "ca.json"
        self._vault = vault

    def chain(self) -> str | None:
        """Return its certificate as PEM text, or None when there is none; what a kill left of it is none."""
        found = self._read()
        return None if found is None else found[0]

    def authority(self) -> "Authority | None":
        """Open it, or return None when there is none yet; needs the passphrase."""
        if (found := self._read()) is None:
            return None
        from sendwright.certs import Authority

        chain, story = found
        return Authority(chain, self._vault.get(Sealed(_KEY, story.key_sha256)))

    def save(self, authority: "Authority") -> None:
        """Write three files that belong together: without the story none counts, so it goes first and comes last."""
        story = stories.AuthorityStory(
            chain_sha256=layout.sha256(authority.certificate), key_sha256=seal.digest(authority.key_pem)
        )
        private = self._vault.sealed(authority.key_pem)
        files.remove(self._story)
        files.write(self._story.with_suffix(".key"), private)
        files.write(self._story.with_suffix(".pem"), authority.certificate.encode("ascii"))
        files.write(self._story, stories.dump(stories.AUTHORITY, story))

    def _read(self) -> tuple[str, stories.AuthorityStory] | None:
        content, pem = files.read(self._story), files.read(self._story.with_suffix(".pem"))
        if content is None or pem is None or not self._story.with_suffix(".key").exists():
            return None
        story = stories.parse(stories.AUTHORITY, content, self._story)
        chain = chain_in(self._story.with_suffix(".pem"), pem)
        return (chain, story) if layout.sha256(chain) == story.chain_sha256 else None
