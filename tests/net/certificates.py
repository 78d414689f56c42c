"""Certificates for tests, made by the openssl command: an authority, and what it signs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files."""

    cert: Path
    key: Path


class Authority:
    """An authority of its own, whose files live in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.pair = Pair(directory / "ca.pem", directory / "ca.key")
        _openssl(
            "req", "-x509", *_KEY, *_files(self.pair), "-subj", "/CN=Test authority", "-days", "2", *_USAGE
        )

    def issue(self, name: str, serial: int = 1) -> Pair:
        """A certificate for this machine's loopback names."""
        pair = Pair(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        request = self.directory / f"{name}.csr"
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(_EXTENSIONS)
        out = ("-keyout", str(pair.key), "-out", str(request))
        _openssl("req", *_KEY, *out, "-subj", f"/CN={name}")
        signer = ("-CA", str(self.pair.cert), "-CAkey", str(self.pair.key), "-set_serial", str(serial))
        _openssl(
            *("x509", "-req", "-in", str(request), *signer, "-days", "2"),
            *("-extfile", str(extensions), "-out", str(pair.cert)),
        )
        return pair


# What strict verification wants to see.
_USAGE = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
_EXTENSIONS = """subjectAltName=DNS:localhost,IP:127.0.0.1
authorityKeyIdentifier=keyid
subjectKeyIdentifier=hash
"""
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _files(pair: Pair) -> tuple[str, ...]:
    return "-keyout", str(pair.key), "-out", str(pair.cert)


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
