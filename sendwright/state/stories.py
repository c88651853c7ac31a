"""How remembered things are written: JSON for people and for git, in a stable order, checked when it is read back."""

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sendwright.generation import Lineage
from sendwright.mistakes import place
from sendwright.names import AuthorityUrl, DomainName, Sha256Hex
from sendwright.state.files import damaged
from sendwright.state.model import Claim, DkimKey, PendingOrder, User

Thing = TypeVar("Thing")


class CertificateStory(BaseModel):
    """One certificate of a host; its chain lies in the file that the digest names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=0, le=9999)
    mode: str
    issuer: AuthorityUrl | None = None
    chain_sha256: Sha256Hex
    not_before: AwareDatetime
    not_after: AwareDatetime


class NextStory(BaseModel):
    """The key that a host's certificates will have next."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ecdsa", "rsa"]
    key_sha256: Sha256Hex
    spki: Sha256Hex
    created: AwareDatetime
    fresh_at: AwareDatetime | None = None


class TlsStory(BaseModel):
    """What a host has for TLS: it names every file of it, so that a change of all of them is the change of this one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: DomainName
    key_sha256: Sha256Hex | None = None
    certificates: tuple[CertificateStory, ...] = ()
    next: NextStory | None = None


class AccountStory(BaseModel):
    """An account with an authority; its key lies in the file that the digest names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    directory: AuthorityUrl
    uri: AuthorityUrl | None
    key_sha256: Sha256Hex


class AuthorityStory(BaseModel):
    """What lies beside the internal authority's certificate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    chain_sha256: Sha256Hex
    key_sha256: Sha256Hex


KEY = TypeAdapter(DkimKey)
USERS = TypeAdapter(tuple[User, ...])
LINEAGE = TypeAdapter(Lineage)
CLAIMS = TypeAdapter(tuple[Claim, ...])
TLS = TypeAdapter(TlsStory)
ACCOUNT = TypeAdapter(AccountStory)
ORDER = TypeAdapter(PendingOrder)
AUTHORITY = TypeAdapter(AuthorityStory)


def dump(adapter: TypeAdapter[Any], thing: object) -> bytes:
    """Return a thing as JSON text: one setting a line, so that a diff in git reads well.

    Raises ValueError for what could not be read back: written, it would shut the folder for every later run.
    """
    content = adapter.dump_json(thing, indent=2) + b"\n"
    try:
        adapter.validate_json(content)
    except ValidationError as error:
        raise ValueError(f"{type(thing).__name__}: {error.errors(include_input=False)[0]['msg']}") from None
    return content


def parse(adapter: TypeAdapter[Thing], content: bytes, path: Path) -> Thing:
    """Return what ``dump`` wrote; StateError naming the file when it is something else."""
    try:
        return adapter.validate_json(content)
    except ValidationError as error:
        # Inputs are left out: a damaged users.json would put password hashes on the screen.
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = place(*first["loc"])
        raise damaged(path, f"{where}: {first['msg']}" if where else first["msg"]) from None
