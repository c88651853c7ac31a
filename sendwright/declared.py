"""What every part of the declaration is made of: frozen models, and secrets that are named, never written."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from sendwright.names import Argument, EnvironmentName, PlainPath


class Model(BaseModel):
    """A frozen part of the declaration; unknown settings are mistakes, not extras."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EnvSecret(Model):
    """A secret in an environment variable."""

    env: EnvironmentName


class FileSecret(Model):
    """A secret in a file; relative paths start at the inventory folder."""

    file: PlainPath


class CommandSecret(Model):
    """A secret that a command prints (pass, sops, op): an argument list, never a shell line."""

    command: tuple[Annotated[Argument, Field(min_length=1)], ...] = Field(min_length=1)


def _secret_kind(data: Any) -> str | None:
    if isinstance(data, Mapping):
        kinds = {("env",): "EnvSecret", ("file",): "FileSecret", ("command",): "CommandSecret"}
        return kinds.get(tuple(data))
    return type(data).__name__ if isinstance(data, Model) else None


# One clear mistake instead of one for each form that a secret can have, and never the text that was written there.
SECRET = Discriminator(
    _secret_kind, custom_error_type="secret", custom_error_message="a secret is named, never written"
)
NamedFile = Annotated[FileSecret, Tag("FileSecret")]
NamedCommand = Annotated[CommandSecret, Tag("CommandSecret")]
SecretRef = Annotated[Annotated[EnvSecret, Tag("EnvSecret")] | NamedFile | NamedCommand, SECRET]
