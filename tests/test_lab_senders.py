"""What the log of a stranger's server tells of its mail."""

from collections import Counter

from sendwright.lab.senders import tally

LOG = """\
Nov 22 10:00:00 dns postfix/smtp[7]: Verified TLS connection established to mx1.example.com[203.0.113.10]:25: TLSv1.3
Nov 22 10:00:00 dns postfix/smtp[7]: 4dLk: to=<postmaster@example.com>, relay=mx1.example.com[203.0.113.10]:25, \
delay=0.1, delays=0/0/0.1/0, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4dLm)
Nov 22 10:00:01 dns postfix/smtp[8]: 4dLn: Server certificate not verified
Nov 22 10:00:01 dns postfix/smtp[8]: 4dLn: to=<abuse@example.com>, relay=mx2.example.com[203.0.113.11]:25, \
delay=0.1, delays=0/0/0.1/0, dsn=4.7.5, status=deferred (Server certificate not verified)
Nov 22 10:00:02 dns postfix/smtp[8]: 4dLo: to=<abuse@example.com>, relay=none, delay=0, delays=0/0/0/0, \
dsn=4.7.5, status=deferred (TLSA lookup error for mx2.example.com:25)
Nov 22 10:00:03 dns postfix/error[9]: 4dLp: to=<abuse@example.com>, relay=none, delay=0, delays=0/0/0/0, \
dsn=4.4.1, status=deferred (delivery temporarily suspended: TLSA lookup error)
Nov 22 10:00:04 dns postfix/smtp[8]: Untrusted TLS connection established to mx2.example.com[203.0.113.11]:25: TLSv1.3
"""


def test_a_log_is_counted_by_what_became_of_mail_and_of_handshakes() -> None:
    """A message that Postfix does not even try is deferred like one that it tried; each says why."""
    found = tally(LOG.splitlines())

    assert found.statuses == Counter(sent=1, deferred=3)
    assert (found.delivered, found.deferred, found.verified) == (1, 3, 1)
    assert found.handshakes == Counter({("Verified", "mx1.example.com"): 1, ("Untrusted", "mx2.example.com"): 1})
    assert found.why == (
        "mx2.example.com: Server certificate not verified",
        "none: TLSA lookup error for mx2.example.com:25",
        "none: delivery temporarily suspended: TLSA lookup error",
    )


def test_a_quiet_log_is_no_mail() -> None:
    """Nothing was sent where nothing is told."""
    assert tally([]).statuses == Counter()
