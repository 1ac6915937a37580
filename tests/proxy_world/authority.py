# SPDX-License-Identifier: GPL-3.0-or-later
"""An authority of one test: its key is gone when the test ends, and nothing else trusts it."""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIFE = datetime.timedelta(days=1)


def make_authority(directory: Path, names: list[str]) -> tuple[Path, Path]:
    """(its own certificate, one of the names with its key), both PEM files in the directory."""
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _each in range(2))
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dynabridge test authority")])
    root = _certificate(authority, authority, authority_key, authority_key, x509.BasicConstraints(True, 0), [])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dynabridge test server")])
    leaf = _certificate(subject, authority, server_key, authority_key, x509.BasicConstraints(False, None), names)
    bundle, server = directory / "authority.pem", directory / "server.pem"
    bundle.write_bytes(root)
    server.touch(mode=0o600)
    server.write_bytes(leaf + _private(server_key))
    return bundle, server


def _certificate(subject, issuer, key, signer, constraints, names) -> bytes:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - LIFE)
        .not_valid_after(now + LIFE)
        .add_extension(constraints, critical=True)
    )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _private(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
