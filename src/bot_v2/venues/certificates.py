"""A certificate for 127.0.0.1 that lives for a day, for clients that speak nothing but TLS."""

from __future__ import annotations

import ssl
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot_v2.simulation.clock import utc_now
from bot_v2.venues.server import HOST

LIFETIME: Final = timedelta(days=1)
_ALLOWANCE: Final = timedelta(minutes=5)


@attrs.frozen
class ThrowawayTls:
    """A server's side of TLS, and what its clients have to trust."""

    context: ssl.SSLContext
    """What the server speaks TLS with."""
    certificate_file: Path
    """The certificate, as a PEM: what REQUESTS_CA_BUNDLE or SSL_CERT_FILE is to name."""


def throwaway_tls(folder: Path) -> ThrowawayTls:
    """Make a key and a certificate for 127.0.0.1 in a folder.

    Args:
        folder: where the certificate and, readable by its owner alone, the key are written.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bot-v2 venue on this machine")])
    now = utc_now()
    addresses = x509.SubjectAlternativeName(
        [x509.IPAddress(ip_address(HOST)), x509.DNSName("localhost")]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _ALLOWANCE)
        .not_valid_after(now + LIFETIME)
        .add_extension(addresses, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "venue-certificate.pem", folder / "venue-key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.touch(mode=0o600)
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return ThrowawayTls(context, certificate_file)
