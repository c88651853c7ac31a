"""Worlds that the deploys are rendered for: small inventories with fixed keys, certificate and users."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from sendwright.deploys.material import Material
from sendwright.service import Sealed
from sendwright.stack import DkimAlgorithm, Domain, Host, Rehearsal, Stack
from sendwright.state.model import Certificate, DkimKey, KeyStage, User

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HOST = "mx1.example.com"
RECEIVE = {
    "maildir": {"aliases": {"hello": None, "boss": "boss@elsewhere.example"}},
    "forward": {"forward": "me@elsewhere.example"},
}


@pytest.fixture(scope="session")
def make_stack() -> Callable[..., Stack]:
    """Two domains on one host: example.com receives here, example.net elsewhere."""

    def make(
        *,
        ipv6: bool = True,
        receive: str | dict[str, object] = "maildir",
        state: str = "active",
        rehearsal: Rehearsal | None = None,
        algorithms: tuple[str, ...] = ("rsa", "ed25519"),
        name: str = HOST,
        bind: bool = True,
        tls: str | dict[str, object] = "self-signed",
        mta_sts: dict[str, object] | None = None,
    ) -> Stack:
        addresses = ["203.0.113.10", "2001:db8::10"][: 2 if ipv6 else 1]
        egress = [{"public": address, **({} if bind else {"bind": None})} for address in addresses]
        host = Host.model_validate(
            {"name": name, "ssh": {"hostname": name}, "egress": egress, "state": state, "tls": tls}
        )
        dkim = {"algorithms": algorithms}
        received = RECEIVE[receive] if isinstance(receive, str) else receive
        domains = (
            Domain.model_validate(
                {"name": "example.com", "dns": "main", "dkim": dkim, "receive": received, "mta_sts": mta_sts}
            ),
            Domain.model_validate({"name": "example.net", "dns": "main", "dkim": dkim, "mx": "elsewhere"}),
        )
        server = {"provider": "rfc2136", "server": "192.0.2.53", "tsig": {"name": "a", "secret": {"env": "ANY"}}}
        return Stack.model_validate(
            {"hosts": (host,), "domains": domains, "rehearsal": rehearsal, "dns": {"main": server}}
        )

    return make


@pytest.fixture(scope="session")
def make_key() -> Callable[..., DkimKey]:
    """A key whose digest and age are as fixed as its selector."""

    def make(
        domain: str, algorithm: DkimAlgorithm, stage: KeyStage, proven_on: tuple[str, ...] = (), serial: int = 1
    ) -> DkimKey:
        return DkimKey(
            domain=domain,
            selector=f"sw{algorithm}{serial}",
            algorithm=algorithm,
            public="AAAA",
            pem_sha256=f"{serial:064x}",
            created=NOW.replace(day=serial),
            stage=stage,
            proven_on=proven_on,
        )

    return make


@pytest.fixture(scope="session")
def make_material(make_key: Callable[..., DkimKey]) -> Callable[..., Material]:
    """Keys of both domains; those of the domains in ``live`` are proven on the host and sign."""

    def make(*, live: tuple[str, ...] = (), extra: tuple[DkimKey, ...] = (), host: str = HOST) -> Material:
        keys = [
            make_key(domain, algorithm, KeyStage.SIGNING, (host,))
            if domain in live
            else make_key(domain, algorithm, KeyStage.PUBLISHED)
            for domain in ("example.com", "example.net")
            for algorithm in DkimAlgorithm
        ]
        sealed = Sealed(f"tls/{host}.pem", "f" * 64)
        return Material(
            certificate=Certificate(host, "self-signed", "-----CHAIN-----\n", sealed, NOW, NOW),
            keys=(*keys, *extra),
            users=(
                User("app", "$argon2id$v=19$m=65536,t=3,p=1$app", ("example.com", "example.net")),
                User("anna", "$argon2id$v=19$m=65536,t=3,p=1$anna", ("anna@example.com", "anna@example.net")),
            ),
        )

    return make
