"""The values of secrets that an inventory names: looked up when needed, kept nowhere, quoted never."""

import os
import re
import subprocess
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from sendwright import children
from sendwright.declared import EnvSecret, FileSecret, SecretRef
from sendwright.errors import SecretError
from sendwright.escape import plain

# Long enough to touch a hardware key, short enough that a hanging agent is noticed.
_SECONDS = 60.0
_MOST_BYTES = 65536
# Where the inventories that we write keep secrets; the lab's settings hold none.
_OURS = re.compile("SENDWRIGHT_(?!LAB_)")


def resolve(
    ref: SecretRef, base: Path, what: str, environ: Mapping[str, str] = os.environ, seconds: float = _SECONDS
) -> str:
    """Return a secret's value without one final newline.

    Arguments: ``base``: where relative paths start (the inventory folder); ``what``: what the secret is for, for
    messages; ``seconds``: how long a command may take. Raises SecretError, which never holds the value or anything that
    a command printed.
    """
    if isinstance(ref, EnvSecret):
        value = environ.get(ref.env)
        if value is None:
            raise SecretError(f"{what}: the environment variable {ref.env} is not set.", f"Set it: export {ref.env}=…")
        return _checked(value, what, f"the environment variable {ref.env}")
    if isinstance(ref, FileSecret):
        path = base / Path(ref.file).expanduser()
        return _checked(_decoded(_read(path, what), what, str(path)), what, str(path))
    program = plain(ref.command[0])
    return _checked(_decoded(_run(ref.command, base, what, seconds), what, program), what, f"the command {program}")


def inheritable(
    keep: Collection[str] = (), environ: Mapping[str, str] = os.environ, *, without: SecretRef | None = None
) -> dict[str, str]:
    """Return the environment for other processes: without our own variables, which hold passphrases and keys.

    Arguments: ``keep``: names that the process needs all the same; ``without``: a secret that it must not see either,
    whatever its variable is called.
    """
    secret = without.env if isinstance(without, EnvSecret) else None
    shown = {name: value for name, value in environ.items() if name in keep or not _OURS.match(name)}
    return {name: value for name, value in shown.items() if name != secret}


def _checked(value: str, what: str, source: str) -> str:
    value = value.removesuffix("\n")
    if not value.strip():
        raise SecretError(f"{what}: {source} holds nothing.", "A secret must not be empty.")
    return value


def _decoded(raw: bytes, what: str, source: str) -> str:
    if len(raw) > _MOST_BYTES:
        raise SecretError(f"{what}: {source} gives more than {_MOST_BYTES} bytes.", "That is no secret: name another.")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        # "from None": the exception would carry the bytes along.
        raise SecretError(f"{what}: {source} gives no UTF-8 text.", "Name a source of text.") from None


def _read(path: Path, what: str) -> bytes:
    try:
        if not path.is_file():
            raise SecretError(f"{what}: there is no file {path}.", "Create it, or name another in the inventory.")
        with path.open("rb") as file:
            return file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise SecretError(f"{what}: {path} cannot be read: {error.strerror}.", "Mend its permissions.") from None


def _run(command: tuple[str, ...], base: Path, what: str, seconds: float) -> bytes:
    program = plain(command[0])
    try:
        # Standard error is dropped too: tools have been seen to print what they decrypted.
        with children.running(command, base, inheritable(), subprocess.DEVNULL) as process:
            output = _output(process, time.monotonic() + seconds)
            status = 0 if len(output) > _MOST_BYTES else process.wait(seconds)
    except (TimeoutError, subprocess.TimeoutExpired):
        raise SecretError(
            f"{what}: the command {program} gave no answer in {seconds:g} s.",
            "Run it by hand to see what it waits for.",
        ) from None
    except OSError as error:
        raise SecretError(
            f"{what}: the command {program} cannot be started: {error.strerror}.", "Install it, or mend the inventory."
        ) from None
    if status != 0:
        raise SecretError(
            f"{what}: the command {program} failed with status {status}.", "Run it by hand to see what it says."
        )
    return output


def _output(process: "subprocess.Popen[bytes]", deadline: float) -> bytes:
    output = b""
    for chunk in children.output(process, deadline):
        output += chunk
        if len(output) > _MOST_BYTES:
            break
    return output
