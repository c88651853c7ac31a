"""What sendwright wrote, nobody declares any more, and stays all the same: named, so that a person can decide.

Pure. Mail that was signed or sent before still lies in queues and mailboxes, and is judged by SPF and DKIM as they are
then (RFC 6376 section 3.6.1, RFC 7208 section 2.4).
"""

from dataclasses import replace

from sendwright.dns.plan import Changes, Delete, Write

_MOST_NAMES = 5


def without_withdrawals(changes: Changes) -> tuple[Changes, tuple[str, ...]]:
    """Return the changes without withdrawals of SPF and DKIM, and a sentence that says which records stay and why."""
    staying = [w for w in changes.writes if isinstance(w, Delete) and _mail_relies_on(w)]
    if not staying:
        return changes, ()
    names = _few(sorted({w.name for w in staying}))
    sentence = (
        f"zone {changes.zone}: no longer declared, but left, because mail that is still on its way is judged by it: "
        f"SPF and DKIM (TXT) at {names}. Remove them by hand when no queue can hold such mail any more."
    )
    return replace(changes, writes=tuple(w for w in changes.writes if w not in staying)), (sentence,)


def _mail_relies_on(write: Write) -> bool:
    if not isinstance(write, Delete) or write.type != "TXT":
        return False
    return "._domainkey." in write.name or write.seen.lower().startswith('"v=spf1')


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
