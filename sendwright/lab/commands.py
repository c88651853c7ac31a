"""Commands run to their end, whose failure is told in one sentence."""

import subprocess
from collections.abc import Mapping, Sequence

from sendwright.errors import LabError


def run(
    argv: Sequence[str],
    *,
    of: str = "",
    shown: Sequence[str] = (),
    given: str = "",
    check: bool = True,
    timeout: float = 60,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command and return what it printed; ``given`` is its standard input, ``timeout`` is in seconds.

    Raises LabError if it takes longer or, with ``check``, if it fails; the error begins with ``of`` and shows
    the command as ``shown``, where the words that only lead to it are left out.
    """
    title = f"{of}`{' '.join(shown or argv)}`"
    try:
        done = subprocess.run(
            argv, input=given, capture_output=True, text=True, check=False, timeout=timeout, env=env, errors="replace"
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"{title} did not end within {timeout:.0f} s.") from None
    if check and done.returncode:
        raise LabError(f"{title} ended with {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done
