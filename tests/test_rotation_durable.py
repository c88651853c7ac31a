"""A rotation on a machine that is thrown away: what DNS says for good is known to the folder that lives on."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import pytest

from benchmarks.rotation import Counting, domains
from sendwright.dns.providers.base import Edit
from sendwright.dns.slots import revokes
from sendwright.report.progress import Progress
from sendwright.rotating import Asked, rotate
from sendwright.stack import KeyStore
from sendwright.state.folder import StateFolder
from sendwright.state.model import KeyStage

PUSH = ("sh", "-c", "[ ! -e down ] && rm -rf pushed && cp -r state pushed")


@dataclass
class Watched(Counting):
    """A provider that looks at the ``copy`` of the folder that lives on whenever a key is revoked.

    ``fails``: after the first change of DNS nothing can be pushed any more.
    """

    copy: StateFolder | None = None
    fails: bool = False
    revoked: int = 0

    def apply(self, zone: str, edits: Collection[Edit]) -> None:
        """Apply edits."""
        assert self.copy
        stories = {key.record_name: key for key in self.copy.load().keys}
        for edit in edits:
            if edit.after and any(revokes(edit.name, edit.type, value) for value in edit.after.values):
                assert stories[edit.name].stage is KeyStage.REVOKED
                self.revoked += 1
        super().apply(zone, edits)
        if self.fails:
            (self.copy.path.parent / "down").touch()


@pytest.mark.parametrize("fails", [False, True])
def test_no_key_is_revoked_in_dns_before_that_is_pushed(fails: bool) -> None:
    """A runner that dies in between would leave a folder by which hosts sign with that key."""
    with domains(1) as due:
        store = KeyStore.model_validate({"passphrase": {"file": "passphrase"}, "push": PUSH})
        declared = replace(due.declared, stack=due.declared.stack.model_copy(update={"key_store": store}))
        provider = Watched(due.provider.held, copy=StateFolder(declared.folder / "pushed", store), fails=fails)
        due.servers.provider = provider
        leaked = frozenset(key.record_name for key in due.folder.load().keys)
        means = replace(due.means, opener=lambda *_: provider)

        found = rotate(declared, Asked(leaked=leaked), Progress(), sleep=lambda _: None, means=means)

    assert provider.revoked == (0 if fails else len(leaked))
    assert bool(found.errors) is fails
