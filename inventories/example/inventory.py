# The hosts that send: a group is a list, as in pyinfra. Each name is a host's HELO name, its PTR, and its A and AAAA.
#
#   sendwright rehearse .    try all of this on this machine first; nothing leaves it
#   sendwright plan .        what would change; touches nothing
#   sendwright provision .   shows the plan, asks, carries it out, verifies

senders = [
    (
        "mx1.example.com",
        {
            # The addresses that receivers see. Behind 1:1 NAT add "bind": the private address.
            # Without an IPv6 address the host sends over IPv4 only.
            "egress": [{"public": "203.0.113.10"}, {"public": "2001:db8::10"}],
            # A certificate of Let's Encrypt, renewed with its key kept; TLSA records and MTA-STS follow by themselves.
            # Without it the host signs its own, which is enough for other servers, and not for mail programs.
            # "tls": "acme",
            # How to reach and trust it, once it is a real host:
            # "ssh_user": "admin",
            # "_sudo": True,
            # "ssh_key": "~/.ssh/id_ed25519",
            # "ssh_host_key": "SHA256:…",  # ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub, on the host
        },
    ),
]
