# What the tests rehearse: a host of each family of set-ups, two domains, one of them on the first host only.
senders = [
    ("mx1.example.com", {"egress": [{"public": "203.0.113.10"}, {"public": "2001:db8::10"}]}),
    ("mx2.example.com", {"egress": [{"public": "203.0.113.11"}], "_sudo": True, "ssh_user": "admin"}),
]
