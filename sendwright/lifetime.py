"""When a renewal is late, by the certificate's own life: six days or ninety, the rule is the same. Pure."""

from datetime import datetime


def overdue_from(not_before: datetime, not_after: datetime) -> datetime:
    """Return from when on a certificate should long have been renewed: two ninths of its life are left.

    Renewal begins with a third (``renewal``). A third of that time later it was tried and failed, or nothing tries.
    """
    return not_after - (not_after - not_before) * 2 / 9
