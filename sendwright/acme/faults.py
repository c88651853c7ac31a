"""Why the answers of some names cannot be shown: all of them are said at once, so that others are ordered without."""

from sendwright.errors import NotShown, SendwrightError

Faults = dict[str, SendwrightError]
"""What went wrong, by name."""


def refuse(faults: Faults) -> None:
    """Raise one NotShown about all of these names, if there are any, with the first one's reason."""
    if faults:
        raise NotShown(faults, faults[min(faults)])
