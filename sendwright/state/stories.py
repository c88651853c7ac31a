"""How remembered things are written: JSON for people and for git, in a stable order, checked when it is read back."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from sendwright.generation import Lineage
from sendwright.mistakes import place
from sendwright.names import DomainName, Sha256Hex
from sendwright.state.files import damaged
from sendwright.state.model import Claim, DkimKey, User

Thing = TypeVar("Thing")


class CertificateStory(BaseModel):
    """What lies beside a certificate: enough to know whether all three files belong together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: DomainName
    mode: str
    chain_sha256: Sha256Hex
    key_sha256: Sha256Hex
    not_before: AwareDatetime
    not_after: AwareDatetime


class AuthorityStory(BaseModel):
    """What lies beside the internal authority's certificate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    chain_sha256: Sha256Hex
    key_sha256: Sha256Hex


KEY = TypeAdapter(DkimKey)
USERS = TypeAdapter(tuple[User, ...])
LINEAGE = TypeAdapter(Lineage)
CLAIMS = TypeAdapter(tuple[Claim, ...])
CERTIFICATE = TypeAdapter(CertificateStory)
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
