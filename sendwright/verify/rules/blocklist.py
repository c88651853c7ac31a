"""Whether addresses and domains are on lists that receivers ask (RFC 5782)."""

from sendwright.verify.finding import Check, also

ADDRESS = Check(
    "blocklist.address",
    "No address is on a blocklist",
    "Receivers that use the list refuse the mail",
    "RFC 5782, 2 and 5",
    others=also("miab"),
)
DOMAIN = Check(
    "blocklist.domain",
    "The domain is on no blocklist",
    "Receivers that use the list refuse mail that names it",
    "RFC 5782, 3",
    others=also("miab"),
)

CHECKS = (ADDRESS, DOMAIN)
