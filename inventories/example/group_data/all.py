# Everything that is not a host. Secrets are only named here: {"env": NAME}, {"file": PATH} or {"command": [ARGV]}.

# Where DNS records are published: a primary name server that takes dynamic updates (RFC 2136) signed with TSIG.
dns = {
    "main": {
        "provider": "rfc2136",
        "server": "192.0.2.53",
        "tsig": {"name": "sendwright", "secret": {"env": "SENDWRIGHT_TSIG"}},
    },
}

# The domains that send. Everything has a default: RSA and Ed25519 signatures, SPF, DMARC that only watches
# (policy "none") with reports to dmarc@ the domain, MX here for bounces, postmaster@ and abuse@.
domains = {
    "example.com": {
        "dns": "main",
        # "receive": {"forward": "you@example.net"},    # else kept in a Maildir on the host
        # "mx": "elsewhere",                            # its mail is received by somebody else
        # "dmarc": {"policy": "quarantine"},            # once the reports look right
        # "mta_sts": {"mode": "enforce"},               # the same; needs "tls": "acme"
    },
    # "old.example": {"dns": "main", "sends": False},   # sends no mail: locked, so that nobody can send as it
}

# Who issues certificates for hosts with "tls": "acme". Try the staging authority first: it is patient, and nobody
# trusts what it issues.
# acme = {"directory": "staging", "contact": ["mailto:you@example.net"]}

# Private keys rest in state/, encrypted with a passphrase from this variable (the default):
# key_store = {"passphrase": {"env": "SENDWRIGHT_PASSPHRASE"}}
