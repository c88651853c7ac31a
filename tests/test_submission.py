"""Whom a message is submitted to: the host that shows the certificate of the state folder, and nobody else."""

import ssl
from pathlib import Path

import pytest

from sendwright.submission import pinned
from tests.lab.verify import certificates

AUTHORITY = certificates.authority()
OURS, OTHER = (certificates.leaf(AUTHORITY, "mx1.example.com") for _ in range(2))


def shake(context: ssl.SSLContext, shown: certificates.Signed, folder: Path) -> None:
    """Shake hands with a server that shows a certificate; SSLError when it is not taken."""
    (folder / "shown.pem").write_text(shown.pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "shown.pem")
    to, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(back, to, server_hostname="mx1.example.com")
    taking = server.wrap_bio(to, back, server_side=True)
    for side in (client, taking, client, taking):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


def test_a_certificate_is_taken_without_the_root_of_its_authority(tmp_path: Path) -> None:
    """What an authority issues comes without its root."""
    shake(pinned(OURS.public), OURS, tmp_path)


@pytest.mark.parametrize("chain", [OURS.public, OURS.public + AUTHORITY.public], ids=["alone", "with its authority"])
def test_another_certificate_of_the_same_authority_is_not_taken(chain: str, tmp_path: Path) -> None:
    """Even for the same name: who has it may not be the host."""
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(pinned(chain), OTHER, tmp_path)
