"""A certificate authority for one test session."""

import pathlib
from typing import NamedTuple

from .process import run


class Certificate(NamedTuple):
    cert: pathlib.Path  # with the CA's certificate behind it
    key: pathlib.Path


class TestCA:
    """Makes server certificates with openssl; `ca.cert` is what clients trust."""

    __test__ = False  # not a test class, whatever its name

    def __init__(self, directory: pathlib.Path):
        self.directory = directory
        self.cert = directory / "ca.pem"
        self.key = directory / "ca.key"
        self.made: dict[tuple, Certificate] = {}
        self._key(self.key)
        run("openssl", "req", "-new", "-x509", "-key", self.key, "-out", self.cert, "-days", "30",
            "-subj", "/CN=Packetboat test CA",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    @staticmethod
    def _key(path: pathlib.Path):
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
        path.chmod(0o644)  # each server copies it and sets its own owner

    def server(self, *names: str, days: int = 20) -> Certificate:
        """A certificate for these names (or addresses); days=-1 has expired."""
        wanted = (names, days)
        if wanted not in self.made:
            self.made[wanted] = self._make(names, days)
        return self.made[wanted]

    def expired(self, *names: str) -> Certificate:
        return self.server(*names, days=-1)

    def wrong_name(self) -> Certificate:
        return self.server("somebody-else.example")

    def _make(self, names, days) -> Certificate:
        stem = self.directory / f"server{len(self.made)}"
        key, request, cert, extensions = (stem.with_suffix(s) for s in (".key", ".csr", ".pem", ".ext"))
        alt = ",".join(("IP:" if n.replace(".", "").isdigit() or ":" in n else "DNS:") + n for n in names)
        extensions.write_text(f"subjectAltName={alt}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
        self._key(key)
        run("openssl", "req", "-new", "-key", key, "-subj", f"/CN={names[0]}", "-out", request)
        run("openssl", "x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial",
            "-days", str(days), "-extfile", extensions, "-out", cert)
        cert.write_text(cert.read_text() + self.cert.read_text())
        return Certificate(cert, key)
