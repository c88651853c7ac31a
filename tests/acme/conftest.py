"""An authority on loopback for each test, and ours that speaks with it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sendwright import certs, tlsa
from sendwright.acme.authority import Authority
from sendwright.acme.limits import Patience
from sendwright.acme.proof import Prove
from sendwright.stack import AcmeAuthority, KeyStore
from sendwright.state import layout
from sendwright.state.folder import StateFolder
from tests.acme.standin import StandIn, running

HOST = "mx1.example.com"
NAMES = (HOST, "mta-sts.example.com")
UNENCRYPTED = KeyStore(unencrypted="I know that anybody who reads this folder can sign as us")
#: However busy this machine is, an authority on it answers in time.
PATIENT = Patience(pause=5, step=0.02)
#: For authorities that never answer.
SHORT = Patience(silence=1, request=1, pause=2, proof=1, issuance=1, step=0.02)
KEY = certs.new_key("ecdsa")


@dataclass
class Customer:
    """Somebody with a state folder, who orders from a stand-in; ``said``: the lines of progress."""

    standin: StandIn
    place: Path
    said: list[str] = field(default_factory=list)
    patience: Patience = PATIENT

    @property
    def folder(self) -> StateFolder:
        """The state folder, as a new run opens it."""
        return StateFolder(self.place / "state", UNENCRYPTED)

    def authority(self, **settings: Any) -> Authority:
        """Return the authority as a run that begins now sees it."""
        given = {"directory": self.standin.directory, "trust": str(self.standin.trust), **settings}
        declared = AcmeAuthority.model_validate(given)
        return Authority(declared, self.place, self.folder, self.said.append, self.patience)

    def issue(
        self,
        prove: Prove | None = None,
        kind_of: Callable[[str], str] = lambda _: "dns-01",
        key: bytes = KEY,
        names: tuple[str, ...] = NAMES,
        **settings: Any,
    ) -> str:
        """Have one certificate issued in a run of its own, and keep it."""
        chain = self.ordered(prove, kind_of, key, names, **settings)
        self.keep(chain, key, names)
        self.folder.forget_order(HOST, 0)
        return chain

    def ordered(
        self,
        prove: Prove | None = None,
        kind_of: Callable[[str], str] = lambda _: "dns-01",
        key: bytes = KEY,
        names: tuple[str, ...] = NAMES,
        **settings: Any,
    ) -> str:
        """Have one issued in a run that dies before it has kept it."""
        return self.authority(**settings).issue(HOST, 0, names, key, prove or self.standin.prove, kind_of)

    def keep(self, chain: str, key: bytes = KEY, names: tuple[str, ...] = NAMES) -> None:
        """Keep a certificate in the state folder."""
        sealed = layout.tls_key(HOST, key)
        certificate = certs.from_chain(HOST, chain, sealed, tlsa.spki_of_key(key), names)
        self.folder.save_certificate(certificate, key)


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[StandIn]:
    """An authority that knows nobody yet."""
    with running(tmp_path) as server:
        yield server


@pytest.fixture
def customer(standin: StandIn, tmp_path: Path) -> Customer:
    """A customer that the authority has never seen."""
    return Customer(standin, tmp_path)
