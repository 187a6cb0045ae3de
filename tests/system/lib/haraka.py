"""Haraka as a receiving host, installed by script/setup, with a private configuration."""

import os
import pathlib
import shutil

from .ca import Certificate
from .mailstore import MailStore
from .net import accepts
from .places import PEERS, TOP
from .process import Server, find_program

PROGRAM = PEERS / "node/node_modules/Haraka/bin/haraka"


class HarakaReceiver:
    """Takes mail for its domains into a maildir (`mail`), with STARTTLS."""

    def __init__(self, directory: pathlib.Path, address: str, port: int, domains: list[str],
                 certificate: Certificate, hostname: str):
        self.directory = directory
        self.address = address
        self.port = port
        self.domains = domains
        self.certificate = certificate
        self.hostname = hostname
        self.server: Server | None = None
        self.mail = MailStore(directory / "mail", os.getuid(), os.getgid())
        for name in ("tmp", "new"):
            (self.mail.directory / name).mkdir()

    def start(self):
        config = self.directory / "config"
        (self.directory / "plugins").mkdir()
        shutil.copytree(PROGRAM.parent.parent / "config", config)
        shutil.copy(TOP / "tests/system/haraka/store.js", self.directory / "plugins")
        for name, text in {
                "me": self.hostname,
                "smtp.ini": f"listen={self.address}:{self.port}\n",
                "plugins": "tls\nrcpt_to.in_host_list\nstore\n",
                "host_list": "\n".join(self.domains),
                "tls.ini": f"key={self.certificate.key}\ncert={self.certificate.cert}\n",
                "store": str(self.mail.directory)}.items():
            (config / name).write_text(text)
        self.server = Server([find_program("node"), PROGRAM, "-c", self.directory], self.directory / "out",
                             env=os.environ | {"HARAKA": str(self.directory)})
        self.server.wait_ready(lambda: accepts(self.address, self.port), 30)
        return self

    def stop(self):
        if self.server is not None:
            self.server.stop()

    def log_text(self) -> str:
        return self.server.output() if self.server else ""
