"""The suite under test: one private instance with everything in one folder."""

import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import smtplib
import ssl
import subprocess
from typing import NamedTuple

from .ca import TestCA
from .net import accepts, free_port
from .places import ROOT
from .process import Server, children, descendants, gone
from .wait import wait_for

# An error in the log, or a report of a sanitizer, is a failed test.
BAD_LOG = re.compile(r"packetboat[/\w-]*\[\d+\]: (error|fatal|panic):|^(fatal|panic|error): "
                     r"|ERROR: \w*Sanitizer|runtime error:|^==\d+==", re.MULTILINE)
QUEUED = re.compile(r"Queued as: ([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$")


class Result(NamedTuple):
    """What a tool printed and its exit code."""
    code: int
    out: str
    err: str

    def json(self):
        return json.loads(self.out)

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines() if line.strip()]


class Account(NamedTuple):
    name: str
    username: str
    password: str


class ToolFailed(AssertionError):
    pass


class Packetboat:
    """mode: "plain" runs everything as one user without rights, "root" as an installed system does."""

    HOSTNAME = "mail.packetboat.test"
    DAEMONS = ("smtpd", "qmgr", "deliver", "accountd", "signd", "resolvd", "bouncer", "webhookd")

    def __init__(self, directory: pathlib.Path, address: str, ca: TestCA, name_server, smtp_port: int,
                 mode: str = "plain", certificate=None, launcher: tuple[str, ...] = (), **parameters):
        self.directory = directory
        self.address = address
        self.ca = ca
        self.name_server = name_server
        self.mode = mode
        self.launcher = list(launcher)
        self.root = ROOT
        self.user = plain_user() if mode == "plain" and os.getuid() == 0 else None
        self.expected_errors: list[str] = []
        self.bad_stops: list[str] = []
        self.server: Server | None = None
        self.submission_port, self.submissions_port, self.mx_port = (free_port(address) for _ in range(3))
        for name in ("spool", "state", "run"):
            (directory / name).mkdir()
        certificate = certificate or ca.server(self.HOSTNAME, address)
        shutil.copy(certificate.cert, directory / "cert.pem")
        shutil.copy(certificate.key, directory / "key.pem")
        (directory / "key.pem").chmod(0o600)
        self.parameters: dict[str, object] = {
            "myhostname": self.HOSTNAME,
            "smtpd_listen": f"{address}:{self.submission_port}/submission, "
                            f"{address}:{self.submissions_port}/submissions, {address}:{self.mx_port}/mx",
            "smtpd_tls_cert_file": directory / "cert.pem",
            "smtpd_tls_key_file": directory / "key.pem",
            "smtpd_processes": 1,
            "deliver_processes": 1,
            "spool_directory": directory / "spool",
            "state_directory": directory / "state",
            "run_directory": directory / "run",
            "dns_servers": name_server.dns_server,
            "smtp_port": smtp_port,
            "smtp_tls_CAfile": ca.cert,
            "bounce_domain": "bounce.packetboat.test",
            # A test's endpoint is what a webhook must never reach: a private address.
            "webhook_allow_networks": "127.0.0.0/8",
            "webhook_allow_http": "yes",
            "webhook_CAfile": ca.cert,
            "webhook_batch_time": "0s",
            "log_to": f"file:{directory}/log",
        } | parameters
        self.write_config()

    # -- configuration ----------------------------------------------------

    def write_config(self, extra: str = "", **parameters):
        """Writes packetboat.cf; a parameter of None is left out. extra: lines as they are."""
        self.parameters |= parameters
        text = "".join(f"{k} = {v}\n" for k, v in self.parameters.items() if v is not None)
        (self.directory / "packetboat.cf").write_text(text + extra)
        self.give_away()

    def give_away(self):
        """Everything in the folder belongs to the user that the suite runs as."""
        if self.user:
            for path in (self.directory, *self.directory.rglob("*")):
                os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def _as_user(self) -> dict:
        if not self.user:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def program(self, name: str) -> pathlib.Path:
        for folder in ("sbin", "bin"):
            if (self.root / folder / name).exists():
                return self.root / folder / name
        raise FileNotFoundError(f"no {name} in {self.root}; script/build makes it")

    # -- start and stop ---------------------------------------------------

    def start(self):
        """Starts the suite and waits until it takes mail."""
        self.start_unchecked()
        self.server.wait_ready(self.ready, 30)
        return self

    def start_unchecked(self):
        """For tests of starts that are to fail."""
        command = [*self.launcher, self.program("packetboat"), "-c", self.directory, "start-fg"]
        self.server = Server(command, self.directory / "out", cwd=self.directory, **self._as_user())

    def ready(self) -> bool:
        return self.tool("packetboat", "status", check=False).code == 0 and accepts(self.address, self.submission_port)

    def stop(self, deadline: float = 30):
        if self.server is not None:
            server, self.server = self.server, None
            was_running = server.running()
            code = server.stop(signal.SIGTERM, deadline)
            if was_running and code != 0:
                self.bad_stops.append(f"master ended with {code} after SIGTERM")
            self.bad_stops += [f"left behind: {name}" for name in server.left_behind]

    def restart(self):
        self.stop()
        self.start()

    @property
    def master_pid(self) -> int:
        """With a launcher (strace ...) the suite's master is its child."""
        return next(iter(children(self.server.pid))) if self.launcher else self.server.pid

    def pids(self, daemon: str) -> list[int]:
        """Processes of one daemon, whatever prefix their names have."""
        found = children(self.master_pid)
        return sorted(pid for pid, comm in found.items() if re.fullmatch(rf"(.*\W)?{daemon}", comm))

    def kill(self, daemon: str, sig=signal.SIGKILL) -> list[int]:
        """Sends a signal to all processes of a daemon; returns their numbers."""
        pids = self.pids(daemon)
        assert pids, f"no process {daemon}: {children(self.master_pid)}"
        for pid in pids:
            os.kill(pid, sig)
        return pids

    def kill_all(self):
        """Signal 9 to master and all daemons in one system call, as near to a power cut as processes come."""
        family = descendants(self.server.pid)
        os.killpg(self.server.pid, signal.SIGKILL)
        self.server.process.wait(10)
        wait_for(lambda: all(map(gone, family)), 10, "the end of all processes")
        self.server = None

    # -- log --------------------------------------------------------------

    def log_text(self) -> str:
        """The suite's log and what its processes printed."""
        texts = [p.read_text(errors="replace") for p in (self.directory / "out", self.directory / "log") if p.exists()]
        return "".join(texts)

    def expect_error(self, pattern: str):
        """Declares that lines of level error (or "master ended with ...", "left behind: ...") belong to the test."""
        self.expected_errors.append(pattern)

    def unexpected_errors(self) -> list[str]:
        found = [line for line in self.log_text().splitlines() if BAD_LOG.search(line)] + self.bad_stops
        return [line for line in found if not any(re.search(p, line) for p in self.expected_errors)]

    def wait_log(self, pattern: str, deadline: float = 15) -> re.Match:
        return wait_for(lambda: re.search(pattern, self.log_text()), deadline, f"{pattern!r} in the log")

    # -- tools ------------------------------------------------------------

    def tool(self, name: str, *args, check: bool = True, input: str | None = None, timeout: float = 30) -> Result:
        """Runs a tool with -c; check: any exit code but 0 fails the test."""
        command = [str(a) for a in (self.program(name), "-c", self.directory, *args)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", input=input,
                              timeout=timeout, cwd=self.directory, **self._as_user())
        result = Result(done.returncode, done.stdout, done.stderr)
        if check and result.code != 0:
            raise ToolFailed(f"{name} {' '.join(map(str, args))}: exit {result.code}\n{result.out}{result.err}")
        return result

    def add_account(self, name: str = "shop", **settings) -> Account:
        """An account with one key."""
        self.tool("pbaccount", "add", name)
        if settings:
            self.tool("pbaccount", "set", name, *(f"{k}={v}" for k, v in settings.items()))
        return self.add_key(name)

    def add_key(self, account: str, *options: str) -> Account:
        key = self.tool("pbkey", "add", "--json", *options, account).json()
        return Account(account, key["username"], key["password"])

    def add_domain(self, account: Account | str, domain: str) -> list[dict]:
        """Adds a sending domain, publishes what `pbdomain show` asks for, and verifies it."""
        name = account if isinstance(account, str) else account.name
        self.tool("pbdomain", "add", name, domain)
        records = self.domain_records(name, domain)
        for record in records:
            self.name_server.add(record["name"].rstrip("."), record["type"], record["value"])

        def verified():
            self.tool("pbdomain", "verify", name, domain, check=False)
            return self.domain(name, domain).get("status") == "verified"
        wait_for(verified, 20, f"{domain} verified")
        return records

    def domain(self, account: str, domain: str) -> dict:
        return self.tool("pbdomain", "show", "--json", account, domain).json()

    def domain_records(self, account: str, domain: str) -> list[dict]:
        """name, type, value of each record to publish."""
        return self.domain(account, domain)["records"]

    def queue_json(self) -> list[dict]:
        return self.tool("pbqueue", "-j").lines()

    def queue_text(self) -> str:
        return self.tool("pbqueue", "-p").out

    def wait_queue_empty(self, deadline: float = 20):
        wait_for(lambda: self.queue_json() == [], deadline, "empty queue")

    def events(self, kind: str | None = None, **fields) -> list[dict]:
        """Events as pblog knows them; fields are compared with an event's top level. `details` as in webhooks."""
        found = [e | {"details": e} for e in self.tool("pblog", "--json").lines()]
        return [e for e in found if kind in (None, e.get("kind")) and all(e.get(k) == v for k, v in fields.items())]

    def wait_event(self, kind: str, deadline: float = 20, **fields) -> dict:
        def look():
            return next(iter(self.events(kind, **fields)), None)
        try:
            return wait_for(look, deadline, f"event {kind} {fields}")
        except TimeoutError as e:
            raise TimeoutError(f"{e}; there are: {self.events()}") from None

    # -- mail -------------------------------------------------------------

    def tls_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca.cert))

    def connect(self, port: int | None = None) -> smtplib.SMTP:
        """A session on the submission port, before EHLO and STARTTLS."""
        return smtplib.SMTP(self.address, port or self.submission_port, local_hostname="client.test", timeout=20)

    def login(self, account: Account) -> smtplib.SMTP:
        smtp = self.connect()
        smtp.starttls(context=self.tls_context())
        smtp.login(account.username, account.password)
        return smtp

    def send(self, account: Account, sender: str, recipients: str | list[str], message: bytes | str | None = None,
             subject: str = "a test", mail_options: tuple[str, ...] = ()) -> str:
        """Submits one message with STARTTLS and AUTH; returns its id."""
        recipients = [recipients] if isinstance(recipients, str) else recipients
        with self.login(account) as smtp:
            code, text = submit(smtp, sender, recipients, message or make_message(sender, recipients, subject), mail_options)
        assert code == 250, (code, text)
        return queued_id(text)


def submit(smtp: smtplib.SMTP, sender: str, recipients: list[str], message: bytes | str,
           mail_options: tuple[str, ...] = ()) -> tuple[int, str]:
    """MAIL, RCPT, DATA; returns the reply that decided."""
    code, text = smtp.mail(sender, list(mail_options))
    for recipient in recipients if code == 250 else ():
        code, text = smtp.rcpt(recipient)
        if code != 250:
            break
    if code == 250:
        code, text = smtp.data(message if isinstance(message, bytes) else message.encode())
    return code, text.decode()


def queued_id(reply: str) -> str:
    """The message id of the final reply, whose form is fixed."""
    match = QUEUED.search(reply)
    assert match and re.search(r"^2\.0\.0 Thanks! ", reply), reply
    return match[1]


def make_message(sender: str, recipients: list[str], subject: str = "a test", body: str = "Hello.\r\n") -> bytes:
    return (f"From: {sender}\r\nTo: {', '.join(recipients)}\r\nSubject: {subject}\r\n"
            f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}").encode()


def plain_user() -> pwd.struct_passwd:
    """The user without rights that the suite runs as when the tests run as root."""
    return pwd.getpwnam(os.environ.get("PB_TEST_USER", "nobody"))
