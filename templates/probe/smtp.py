"""Print what the SMTP service at an address and a port offers, before TLS and inside it.

Run on a host, from templates/probe/smtp.py: never installed. Prints {"name": as it calls
itself, "before": EHLO keywords, "inside": those inside TLS, or null without TLS, "certificate": base64 of DER, or ""}.
"""

import base64
import json
import smtplib
import ssl
import sys

address, port = sys.argv[1], int(sys.argv[2])
# Whom the certificate names is judged elsewhere: a self-signed one is as it should be.
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE

# The HELO name exists nowhere (RFC 6761); port 465 is TLS from the first byte (RFC 8314 section 3.3).
caller, implicit = "probe.invalid", port == 465
smtp: smtplib.SMTP = (
    smtplib.SMTP_SSL(address, port, caller, timeout=15, context=context)
    if implicit
    else smtplib.SMTP(address, port, caller, timeout=15)
)
before, inside, certificate = [], None, b""
if not implicit:
    smtp.ehlo()
    before = sorted(smtp.esmtp_features)
    if "starttls" in before:
        smtp.starttls(context=context)
if isinstance(smtp.sock, ssl.SSLSocket):
    certificate = smtp.sock.getpeercert(binary_form=True) or b""
    smtp.ehlo()
    inside = sorted(smtp.esmtp_features)
name = (smtp.ehlo_resp or b"?").decode("ascii", "replace").splitlines()[0]
smtp.quit()
found = {"name": name, "before": before, "inside": inside}
print(json.dumps({**found, "certificate": base64.b64encode(certificate).decode("ascii")}))
