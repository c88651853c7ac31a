"""Whether there is colour."""

import os
from collections.abc import Mapping


def wanted(environ: Mapping[str, str] = os.environ) -> bool | None:
    """Return False where NO_COLOR is set and not empty (no-color.org), else None: a terminal decides."""
    return False if environ.get("NO_COLOR") else None
