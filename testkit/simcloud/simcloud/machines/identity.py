"""Signs instance identity documents with keys of this cloud's own, as AWS does with each region's.

`signature` is of the document by an RSA key of 1024 bits, `rsa2048` a PKCS #7 message that holds the document. The
certificates to check them with are at `/_sim/identity`, in the place of those in AWS's documentation.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from .. import account


class Signer:
    """One cloud's keys."""

    def __init__(self) -> None:
        self._short = rsa.generate_private_key(65537, 1024)
        self._long = rsa.generate_private_key(65537, 2048)
        self._short_certificate, self._long_certificate = _certify(self._short), _certify(self._long)

    def sign(self, document: bytes) -> bytes:
        """Returns what `instance-identity/signature` serves."""
        return base64.encodebytes(self._short.sign(document, padding.PKCS1v15(), hashes.SHA256())).strip()

    def sign_pkcs7(self, document: bytes) -> bytes:
        """Returns what `instance-identity/rsa2048` serves: PEM without its first and last line."""
        builder = pkcs7.PKCS7SignatureBuilder().set_data(document)
        builder = builder.add_signer(self._long_certificate, self._long, hashes.SHA256())
        options = [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCerts]
        return base64.encodebytes(builder.sign(serialization.Encoding.DER, options)).strip()

    def describe(self) -> dict[str, str]:
        """Returns the certificates in PEM."""
        return {
            "signature": self._short_certificate.public_bytes(serialization.Encoding.PEM).decode(),
            "rsa2048": self._long_certificate.public_bytes(serialization.Encoding.PEM).decode(),
        }


def document(instance: Any) -> bytes:
    """Returns an instance's identity document."""
    facts = {
        "accountId": account.ACCOUNT,
        "architecture": "x86_64",
        "availabilityZone": instance.availability_zone,
        "billingProducts": None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": None,
        "imageId": instance.image_id,
        "instanceId": instance.id,
        "instanceType": instance.instance_type,
        "kernelId": None,
        "pendingTime": instance.launch_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "privateIp": instance.private_ip,
        "ramdiskId": None,
        "region": instance.region_name,
        "version": "2017-09-30",
    }
    return json.dumps(facts, indent=2).encode()


def _certify(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simcloud instance identity")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
    return builder.sign(key, hashes.SHA256())
