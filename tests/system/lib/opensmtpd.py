"""OpenSMTPD as a receiving host, unpacked by script/setup, with a private configuration.

Its folders are compiled in: it runs in a mount namespace of its own, in which
they are empty and private. Needs root.

Debian 12's version offers STARTTLS and fails every handshake: the process that
talks has no key under OpenSSL 3 (OpenSMTPD issue 1171). A real broken peer.
"""

import pathlib
import pwd
import shutil

from .ca import Certificate
from .mailstore import MailStore
from .net import accepts
from .places import PEERS
from .process import Server, find_program

TREE = PEERS / "opensmtpd"

START = f"""set -e
for folder in /usr/libexec /var/spool /var/lib /run; do
	mount -t tmpfs none "$folder"
done
cp -r {TREE}/usr/libexec/opensmtpd /usr/libexec/
mkdir -p /var/lib/opensmtpd/empty
mkdir -m 711 /var/spool/smtpd
exec {TREE}/usr/sbin/smtpd -d -f "$1"
"""


class OpenSmtpdReceiver:
    """Takes mail for its domains into a maildir (`mail`).

    With `returns` (domain, address, port) it takes mail for the local part
    "nobody" too, and sends its report for that domain there.
    """

    USER = "nobody"

    def __init__(self, directory: pathlib.Path, address: str, port: int, domains: list[str],
                 certificate: Certificate, hostname: str):
        self.directory = directory
        self.address = address
        self.port = port
        self.domains = domains
        self.certificate = certificate
        self.hostname = hostname
        self.returns: tuple[str, str, int] | None = None
        self.server: Server | None = None
        owner = pwd.getpwnam(self.USER)
        self.mail = MailStore(directory / "mail", owner.pw_uid, owner.pw_gid)

    def start(self):
        key = self.directory / "key.pem"
        shutil.copy(self.certificate.key, key)
        key.chmod(0o600)
        config = self.directory / "smtpd.conf"
        config.write_text(f"""
pki here cert "{self.certificate.cert}"
pki here key "{key}"
table everybody {{ "@" = "{self.USER}" }}
listen on {self.address} port {self.port} tls pki here hostname {self.hostname}
{self._returning()}
action "store" maildir "{self.mail.directory}/all" user {self.USER} virtual <everybody>
match from any for domain {{ {", ".join(f'"{d}"' for d in self.domains)} }} action "store"
""")
        config.chmod(0o600)
        self.server = Server([find_program("unshare"), "--mount", "/bin/sh", "-c", START, "sh", config], self.directory / "out")
        self.server.wait_ready(lambda: accepts(self.address, self.port), 30)
        return self

    def _returning(self) -> str:
        """Rules that come first: sysexits' EX_NOUSER is a failure for good."""
        if not self.returns:
            return ""
        domain, address, port = self.returns
        return f"""
table nobody {{ {", ".join(f'"nobody@{d}"' for d in self.domains)} }}
action "back" relay host smtp+notls://{address}:{port}
action "fail" mda "exit 67" user {self.USER} virtual <everybody>
match from any for domain "{domain}" action "back"
match from any for rcpt-to <nobody> action "fail"
"""

    def stop(self):
        if self.server is not None:
            self.server.stop()

    def log_text(self) -> str:
        return self.server.output() if self.server else ""
