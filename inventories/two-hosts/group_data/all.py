dns = {
    "main": {
        "provider": "rfc2136",
        "server": "192.0.2.53",
        "tsig": {"name": "sendwright", "secret": {"env": "SENDWRIGHT_TSIG"}},
    },
}
domains = {
    "example.com": {"dns": "main", "receive": {"aliases": {"sales": None}}},
    "example.org": {
        "dns": "main",
        "hosts": ["mx1.example.com"],
        "dmarc": {"policy": "quarantine"},
        "receive": {"forward": "forwarded@inbox.example", "aliases": {"archive": None}},
    },
}
