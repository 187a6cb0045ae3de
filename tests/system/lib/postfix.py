"""Debian's Postfix in a private folder: as a receiving host and as a client.

Needs root, as Postfix's master does. Nothing of the machine's own Postfix is
touched: configuration, queue, data and log are below the given directory.
"""

import os
import pathlib
import pwd
import re
import shutil

from .ca import Certificate
from .mailstore import MailStore
from .net import accepts
from .process import Server, find_program, run
from .wait import wait_for

SERVICES = """
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
virtual   unix  -       n       n       -       -       virtual
anvil     unix  -       -       n       -       1       anvil
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
"""


class Postfix:
    """One private instance; subclasses say what it is for."""

    def __init__(self, directory: pathlib.Path, hostname: str):
        self.extra: dict[str, object] = {}  # further parameters of main.cf
        self.directory = directory
        self.hostname = hostname
        self.conf = directory / "etc"
        self.log = directory / "log"
        self.server: Server | None = None
        for name in ("etc", "queue", "data"):
            (directory / name).mkdir()
        shutil.chown(directory / "data", "postfix")

    def parameters(self) -> dict[str, object]:
        return {
            "compatibility_level": "3.6",
            "myhostname": self.hostname,
            "mydestination": "",
            "alias_maps": "",
            "alias_database": "",
            "local_recipient_maps": "",
            "queue_directory": self.directory / "queue",
            "data_directory": self.directory / "data",
            "daemon_directory": "/usr/lib/postfix/sbin",
            "meta_directory": "/etc/postfix",
            "maillog_file": self.log,
            "maillog_file_prefixes": self.directory,
            "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8",
            "smtputf8_enable": "yes",
            "in_flow_delay": "0",
            "smtpd_error_sleep_time": "0",
        }

    def services(self) -> str:
        return SERVICES

    def configure(self):
        values = self.parameters() | self.extra
        (self.conf / "main.cf").write_text("".join(f"{k} = {v}\n" for k, v in values.items()))
        (self.conf / "master.cf").write_text(self.services())
        (self.conf / "dynamicmaps.cf").write_text("")

    def start(self):
        self.configure()
        self.server = Server([find_program("postfix"), "-c", self.conf, "start-fg"], self.directory / "out")
        self.server.wait_ready(self.ready, 30)
        return self

    def ready(self) -> bool:
        return (self.directory / "queue/pid/master.pid").exists()

    def stop(self):
        """Master ends its children when it is asked; the script around it does not."""
        if self.server is not None:
            try:
                master = int((self.directory / "queue/pid/master.pid").read_text())
            except (OSError, ValueError):
                master = None
            self.server.stop(pid=master)

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait_log(self, pattern: str, deadline: float = 20) -> re.Match:
        """Waits for a line of the mail log that has the pattern."""
        try:
            return wait_for(lambda: re.search(pattern, self.log_text()), deadline, f"{pattern!r} in the mail log")
        except TimeoutError as e:
            raise TimeoutError(f"{e}\n{self.log_text()[-4000:]}") from None


class PostfixReceiver(Postfix):
    """Receives for some domains into a maildir (`mail`), with STARTTLS."""

    def __init__(self, directory: pathlib.Path, address: str, port: int, domains: list[str],
                 certificate: Certificate, hostname: str):
        super().__init__(directory, hostname)
        self.address = address
        self.port = port
        self.domains = domains
        owner = pwd.getpwnam("nobody")
        self.owner = (owner.pw_uid, owner.pw_gid)
        self.mail = MailStore(directory / "mail", *self.owner)
        self.access = self.conf / "recipients"
        self.access.write_text("")
        self.certificate = certificate

    def parameters(self):
        return super().parameters() | {
            "virtual_mailbox_domains": " ".join(self.domains),
            "virtual_mailbox_base": self.directory / "mail",
            "virtual_mailbox_maps": "static:all/",
            "virtual_uid_maps": f"static:{self.owner[0]}",
            "virtual_gid_maps": f"static:{self.owner[1]}",
            "smtpd_tls_security_level": "may",
            "smtpd_tls_cert_file": self.certificate.cert,
            "smtpd_tls_key_file": self.certificate.key,
            "smtpd_tls_received_header": "yes",
            "smtpd_tls_loglevel": "1",
            "smtpd_recipient_restrictions": f"check_recipient_access texthash:{self.access}, reject_unauth_destination",
            "smtpd_delay_reject": "yes",
            "smtpd_client_connection_count_limit": "0",
            "smtpd_peername_lookup": "no",
        }

    def services(self) -> str:
        # One session a process: each session sees the table as it is then.
        return f"{self.address}:{self.port} inet n - n - - smtpd -o max_use=1\n" + super().services()

    def ready(self) -> bool:
        return accepts(self.address, self.port)

    def require_login(self, path: str):
        """Takes mail only after AUTH inside TLS; path: of a DovecotAuth. Call before start()."""
        self.extra |= {
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": path,
            "smtpd_tls_auth_only": "yes",
            "smtpd_sasl_authenticated_header": "yes",
            "smtpd_recipient_restrictions": "permit_sasl_authenticated, reject",
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
        }

    def answer_rcpt(self, **replies: str):
        """Replies by recipient's local part: answer_rcpt(bob="450 4.2.0 later"); none means all are taken.

        Counts for sessions that begin afterwards.
        """
        lines = [f"{local}@{domain} {reply}\n" for local, reply in replies.items() for domain in self.domains]
        new = self.access.with_suffix(".new")
        new.write_text("".join(lines))
        os.replace(new, self.access)


class PostfixClient(Postfix):
    """Sends everything to a submission server, authenticated, inside TLS."""

    def __init__(self, directory: pathlib.Path, relay: tuple[str, int], username: str, password: str,
                 ca_file: pathlib.Path, hostname: str = "client.test", level: str = "encrypt"):
        super().__init__(directory, hostname)
        self.relay = "[%s]:%d" % relay
        self.ca_file = ca_file
        self.level = level
        self.passwords = self.conf / "passwords"
        self.passwords.write_text(f"{self.relay} {username}:{password}\n")

    def parameters(self):
        return super().parameters() | {
            "relayhost": self.relay,
            "inet_interfaces": "127.0.0.1",
            "smtp_tls_security_level": self.level,
            "smtp_tls_CAfile": self.ca_file,
            "smtp_tls_loglevel": "1",
            "smtp_sasl_auth_enable": "yes",
            "smtp_sasl_password_maps": f"texthash:{self.passwords}",
            "smtp_sasl_security_options": "noanonymous",
            "smtp_sasl_tls_security_options": "noanonymous",
        }

    def send(self, sender: str, recipients: list[str], message: bytes, *options: str):
        """Hands a message to Postfix's own sendmail command."""
        run("/usr/sbin/sendmail", "-C", self.conf, "-i", "-f", sender, *options, *recipients, input=message.decode("utf-8", "surrogateescape"))
