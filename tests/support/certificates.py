# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of a test's own, signed by an authority that the client trusts, good ones and expired ones."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["Authority"]

DAY = dt.timedelta(days=1)
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Authority:
    """An authority: its certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def read(cls, certificate: Path, key: Path) -> Authority:
        """Return the authority that lies in PEM files."""
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey), f"{key} is not a key of an elliptic curve"
        return cls(x509.load_pem_x509_certificate(certificate.read_bytes()), loaded)

    @classmethod
    def make(cls, file: Path) -> Authority:
        """Make an authority, and leave its certificate in a file."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("authority of a test")
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        made = (
            _begun(name, name, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(own, critical=False)
            .sign(key, hashes.SHA256())
        )
        file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        return cls(made, key)

    def issue(self, file: Path, *, address: str = LOOPBACK, expired: bool = False) -> Path:
        """Leave a certificate for an address, with its key, in a file; an expired one ended yesterday."""
        key = ec.generate_private_key(ec.SECP256R1())
        identifier = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        made = (
            _begun(_name("proxy of a test"), self.certificate.subject, key, end=-DAY if expired else DAY)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + pem)
        return file


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, end: dt.timedelta = DAY) -> x509.CertificateBuilder:
    """Return a certificate to be, that ends so long from now."""
    now = dt.datetime.now(tz=dt.UTC)
    return x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number(), now - 2 * DAY, now + end)
