"""Certificates for tests, made by openssl: an authority, and what it signs."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.brokers.broker import Missing

DAYS = "2"
"""How long they are good for: longer than any run of the tests."""


class Certificate(NamedTuple):
    """A certificate and its key, each a PEM file."""

    file: Path
    key: Path

    @property
    def together(self) -> Path:
        """Key and certificate in one file, as Kafka's own keystores of type PEM want them."""
        both = self.file.with_suffix(".both.pem")
        both.write_text(self.key.read_text() + self.file.read_text())
        return both


def authority(folder: Path, name: str) -> Certificate:
    """A new authority, which nobody trusts yet.

    Raises:
        Missing: There is no openssl.
    """
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    _openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-days", DAYS, "-subj", f"/CN={name}", "-keyout", made.key, "-out", made.file),
    )
    return made


def signed(signer: Certificate, name: str, addresses: Sequence[str] = ()) -> Certificate:
    """A certificate for a name, by an authority.

    Args:
        signer: The authority.
        name: Its common name.
        addresses: What a server is reached by, as `IP:127.0.0.1`; none for a client's.
    """
    folder = signer.file.parent
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName={','.join(addresses)}\n" if addresses else "")
    _openssl(
        *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-subj", f"/CN={name}", "-keyout", made.key, "-out", request),
    )
    _openssl(
        *("x509", "-req", "-in", request, "-CA", signer.file, "-CAkey", signer.key),
        *("-CAcreateserial", "-days", DAYS, "-extfile", extensions, "-out", made.file),
    )
    return made


def _openssl(*arguments: object) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        message = "no openssl on the PATH"
        raise Missing(message)
    subprocess.run([openssl, *map(str, arguments)], check=True, capture_output=True, timeout=60)
