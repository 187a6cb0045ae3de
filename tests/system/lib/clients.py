"""Mail clients that people use, each sending one message through the suite.

Each function returns the client's exit code and what it printed. They differ
in what they print, so tests look at the reply inside the text.
"""

import json
import os
import smtplib
import subprocess
from typing import NamedTuple

from .packetboat import Account, Packetboat, make_message, submit
from .places import PEERS, TOP


class Sent(NamedTuple):
    code: int
    text: str


class Mail(NamedTuple):
    sender: str
    recipient: str

    @property
    def message(self) -> bytes:
        return make_message(self.sender, [self.recipient], "from a client")


def _run(command, input: bytes | None = None, **options) -> Sent:
    done = subprocess.run([str(c) for c in command], input=input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=60, **options)
    return Sent(done.returncode, done.stdout.decode(errors="replace"))


def swaks(boat: Packetboat, account: Account | None, mail: Mail, auth: str = "PLAIN", tls: str | None = "--tls",
          port: int | None = None) -> Sent:
    command = ["swaks", "--server", boat.address, "--port", port or boat.submission_port, "--from", mail.sender,
               "--to", mail.recipient, "--ehlo", "client.test", "--timeout", "20"]
    if tls:
        command.append(tls)
    if account:
        command += ["--auth", auth, "--auth-user", account.username, "--auth-password", account.password]
    return _run(command)


def python(boat: Packetboat, account: Account, mail: Mail) -> Sent:
    with boat.login(account) as smtp:
        code, text = submit(smtp, mail.sender, [mail.recipient], mail.message)
    return Sent(0 if code == 250 else 1, f"{code} {text}")


def python_tls_at_once(boat: Packetboat, account: Account, mail: Mail) -> Sent:
    with smtplib.SMTP_SSL(boat.address, boat.submissions_port, local_hostname="client.test", timeout=20,
                          context=boat.tls_context()) as smtp:
        smtp.login(account.username, account.password)
        code, text = submit(smtp, mail.sender, [mail.recipient], mail.message)
    return Sent(0 if code == 250 else 1, f"{code} {text}")


def nodemailer(boat: Packetboat, account: Account, mail: Mail, at_once: bool = False) -> Sent:
    options = {
        "transport": {
            "host": boat.address,
            "port": boat.submissions_port if at_once else boat.submission_port,
            "secure": at_once,
            "requireTLS": True,
            "name": "client.test",
            "auth": {"user": account.username, "pass": account.password},
            "tls": {"ca": boat.ca.cert.read_text(), "servername": boat.HOSTNAME},
        },
        "message": {"from": mail.sender, "to": mail.recipient, "subject": "from a client", "text": "Hello.",
                    "html": "<p>Grüße</p>"},
    }
    return _run(["node", TOP / "tests/system/clients/nodemailer.js", json.dumps(options)],
                env=os.environ | {"NODE_PATH": str(PEERS / "node/node_modules")})


def msmtp(boat: Packetboat, account: Account, mail: Mail, auth: str = "plain", at_once: bool = False) -> Sent:
    config = boat.directory / "msmtprc"
    config.write_text(f"""
account default
host {boat.address}
port {boat.submissions_port if at_once else boat.submission_port}
domain client.test
from {mail.sender}
auth {auth}
user {account.username}
password {account.password}
tls on
tls_starttls {"off" if at_once else "on"}
tls_trust_file {boat.ca.cert}
timeout 20
""")
    config.chmod(0o600)
    return _run(["msmtp", "-C", config, "-v", mail.recipient], mail.message)


def curl(boat: Packetboat, account: Account, mail: Mail, at_once: bool = False) -> Sent:
    url = f"smtps://{boat.address}:{boat.submissions_port}" if at_once else f"smtp://{boat.address}:{boat.submission_port}"
    return _run(["curl", "-sS", "-v", url + "/client.test", "--ssl-reqd", "--cacert", boat.ca.cert, "--max-time", "20",
                 "--user", f"{account.username}:{account.password}", "--mail-from", mail.sender,
                 "--mail-rcpt", mail.recipient, "--upload-file", "-"], mail.message)
