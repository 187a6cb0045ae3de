"""nginx as the server of a domain's MTA-STS policy (RFC 8461)."""

import pathlib
import re

from .ca import Certificate
from .net import accepts
from .process import Server, find_program


def policy_text(*mx: str, mode: str = "enforce", max_age: int = 86400) -> str:
    lines = ["version: STSv1", f"mode: {mode}", *(f"mx: {name}" for name in mx), f"max_age: {max_age}"]
    return "\r\n".join(lines) + "\r\n"


class PolicyServer:
    """Serves one file at /.well-known/mta-sts.txt; `write` changes it at once.

    location: lines for nginx's location (a redirect, a limit of the rate).
    """

    def __init__(self, directory: pathlib.Path, address: str, port: int, certificate: Certificate, media_type: str,
                 location: str):
        self.directory = directory
        self.address = address
        self.port = port
        self.certificate = certificate
        self.media_type = media_type
        self.location = location
        self.file = directory / ".well-known/mta-sts.txt"
        self.file.parent.mkdir()
        self.server: Server | None = None

    def write(self, text: str):
        self.file.write_bytes(text.encode())

    def requests(self) -> int:
        """How often the policy was asked for."""
        log = self.directory / "access.log"
        return len(re.findall("GET /.well-known/mta-sts.txt", log.read_text())) if log.exists() else 0

    def start(self):
        config = self.directory / "nginx.conf"
        config.write_text(f"""daemon off;
master_process off;
pid {self.directory}/nginx.pid;
error_log stderr;
events {{ }}
http {{
 access_log {self.directory}/access.log;
 client_body_temp_path {self.directory}/body;
 proxy_temp_path {self.directory}/proxy;
 fastcgi_temp_path {self.directory}/fastcgi;
 uwsgi_temp_path {self.directory}/uwsgi;
 scgi_temp_path {self.directory}/scgi;
 types {{ }}
 default_type {self.media_type};
 server {{
  listen {self.address}:{self.port} ssl;
  ssl_certificate {self.certificate.cert};
  ssl_certificate_key {self.certificate.key};
  root {self.directory};
  location / {{ {self.location} }}
 }}
}}
""")
        self.server = Server([find_program("nginx"), "-c", config, "-p", self.directory], self.directory / "nginx.log")
        self.server.wait_ready(lambda: accepts(self.address, self.port))

    def stop(self):
        if self.server is not None:
            server, self.server = self.server, None
            server.stop()

    def log_text(self) -> str:
        return (self.directory / "nginx.log").read_text() if self.server else ""
