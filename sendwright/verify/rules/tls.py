"""TLS of mail servers on 25, 465 and 587 (RFC 3207, RFC 8314, RFC 7817)."""

from sendwright.verify.finding import Check, also

OFFERED = Check(
    "tls.offered",
    "The server offers TLS, and the handshake succeeds",
    "Mail travels readable, or senders who insist on TLS defer it",
    "RFC 3207, 4",
    needs="port 25",
    others=also("internet.nl", "checkdmarc", "testssl", "sslyze"),
)
CHAIN = Check(
    "tls.chain",
    "The chain leads to an authority that is trusted",
    "Senders that enforce MTA-STS refuse to deliver; mail programs warn",
    "RFC 8461, 4.2; RFC 8314, 3",
    needs="port 25",
    others=also("internet.nl", "checkdmarc", "miab", "testssl", "sslyze"),
)
NAME = Check(
    "tls.name",
    "The certificate is for the server's name",
    "Senders that enforce MTA-STS refuse to deliver",
    "RFC 8461, 4.1; RFC 9525, 6",
    needs="port 25",
    others=also("internet.nl", "checkdmarc", "testssl", "sslyze", "miab"),
)
DAYS = Check(
    "tls.days",
    "The certificate stays valid for a while",
    "When it runs out, senders that verify stop delivering",
    "RFC 5280, 4.1.2.5",
    needs="port 25",
    others=also("testssl", "sslyze", "miab"),
)
PROTOCOLS = Check(
    "tls.protocols",
    "TLS 1.2 or newer is spoken, and nothing older",
    "Old versions can be read on the way, and audits fail",
    "RFC 8996, 4 and 5",
    needs="port 25",
    others=also("internet.nl", "testssl", "sslyze"),
)
CIPHERS = Check(
    "tls.ciphers",
    "No cipher suite is accepted that does not protect",
    "What NULL, EXPORT, DES, RC4 or 3DES encrypt, or a suite without certificate, can be read on the way",
    "RFC 9325, 4.1; RFC 7465, 2",
    needs="port 25",
    others=also("internet.nl", "testssl", "sslyze"),
)
KEY_EXCHANGE = Check(
    "tls.key-exchange",
    "Keys are agreed on with forward secrecy, and Diffie-Hellman has a prime of at least 2,048 bits",
    "Recorded mail can be read later; strict clients refuse short primes",
    "RFC 9325, 4.1 and 4.5",
    needs="port 25",
    others=also("internet.nl", "testssl", "sslyze"),
)
LEGACY = Check(
    "tls.legacy",
    "TLS does not compress, and renegotiates securely",
    "Secrets leak by their length (CRIME); OpenSSL 3 refuses to connect to what does not renegotiate securely",
    "RFC 9325, 3.3 and 3.5; RFC 5746, 3.6",
    needs="port 25",
    others=also("internet.nl", "testssl", "sslyze"),
)
KEY = Check(
    "tls.key",
    "The key is RSA of at least 2,048 bits or a curve of 256",
    "Weak keys can be broken; some clients refuse them",
    "RFC 9325, 4.5",
    needs="port 25",
    others=also("internet.nl", "testssl", "sslyze"),
)
SIGNATURE = Check(
    "tls.signature",
    "No certificate of the chain is signed with MD5 or SHA-1",
    "Such a certificate can be forged, and is refused",
    "RFC 9155, 2; RFC 9325, 4.2",
    needs="port 25",
    others=also("internet.nl", "testssl", "sslyze"),
)
SAME = Check(
    "tls.same",
    "Every address and port shows the same certificate",
    "One of several hosts was forgotten: deliveries fail at random",
    "RFC 7672, 3.1",
    needs="port 25",
)
DESIRED = Check(
    "tls.as-desired",
    "The certificate is the one of the state folder",
    "The host serves something that nobody rolled out",
    "RFC 7672, 3.1.1",
    needs="an inventory",
)

CHECKS = (OFFERED, CHAIN, NAME, DAYS, PROTOCOLS, CIPHERS, KEY_EXCHANGE, LEGACY, KEY, SIGNATURE, SAME, DESIRED)
