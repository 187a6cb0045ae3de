"""Exim as a receiving host, unpacked by script/setup, with a private configuration."""

import os
import pathlib
import pwd

from .ca import Certificate
from .mailstore import MailStore
from .net import accepts
from .places import PEERS
from .process import Server

PROGRAM = PEERS / "exim/usr/sbin/exim4"


class EximReceiver:
    """Takes mail for its domains into a maildir (`mail`); needs root.

    answer_rcpt() works at once, as Exim reads the file at each RCPT. With
    `returns` (domain, address, port) it takes mail for the local part "nobody"
    too, and sends its report for that domain there.
    """

    USER = "Debian-exim"  # compiled in; script/setup makes it

    def __init__(self, directory: pathlib.Path, address: str, port: int, domains: list[str],
                 certificate: Certificate, hostname: str):
        self.directory = directory
        self.address = address
        self.port = port
        self.domains = domains
        self.certificate = certificate
        self.hostname = hostname
        self.login: tuple[str, str, str] | None = None
        self.smtps = False  # TLS from the first byte
        self.returns: tuple[str, str, int] | None = None
        self.server: Server | None = None
        owner = pwd.getpwnam(self.USER)
        for name in ("spool", "log"):
            (directory / name).mkdir()
            os.chown(directory / name, owner.pw_uid, owner.pw_gid)
        self.mail = MailStore(directory / "mail", owner.pw_uid, owner.pw_gid)
        self.replies = directory / "replies"
        self.replies.write_text("")

    def start(self):
        config = self.directory / "exim.conf"
        config.write_text(f"""
exim_path = {PROGRAM}
primary_hostname = {self.hostname}
spool_directory = {self.directory}/spool
log_file_path = {self.directory}/log/%slog
exim_user = {self.USER}
exim_group = {self.USER}
never_users = root
keep_environment =
local_interfaces = {self.address}
daemon_smtp_ports = {self.port}
{f"tls_on_connect_ports = {self.port}" if self.smtps else ""}
disable_ipv6 = true
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts = *
tls_certificate = {self.certificate.cert}
tls_privatekey = {self.certificate.key}
log_selector = +tls_cipher +received_recipients
dkim_verify_signers =
acl_smtp_rcpt = check_rcpt
acl_smtp_data = accept
domainlist ours = {" : ".join(self.domains)}

begin acl
check_rcpt:
  warn   set acl_m_reply = ${{lookup{{$local_part}}lsearch{{{self.replies}}}}}
  defer  condition = ${{if match{{$acl_m_reply}}{{^4}}}}
         message = $acl_m_reply
  deny   condition = ${{if match{{$acl_m_reply}}{{^5}}}}
         message = $acl_m_reply
{"  accept domains = +ours" + (chr(10) + "         authenticated = *" if self.login else "")}
  deny   message = 550 5.7.1 relaying denied

begin routers
{self._returning_routers()}
all:
  driver = accept
  domains = +ours
  transport = store

begin transports
{self._returning_transport()}
store:
  driver = appendfile
  directory = {self.directory}/mail/all
  maildir_format
  create_directory
  delivery_date_add
  envelope_to_add
  return_path_add
  user = {self.USER}
  group = {self.USER}

begin retry
* * F,1h,1m
begin rewrite
begin authenticators
{self._authenticator()}""")
        self.server = Server([PROGRAM, "-C", config, "-bdf", "-q1m"], self.directory / "out")
        self.server.wait_ready(lambda: accepts(self.address, self.port), 30)
        return self

    def _returning_routers(self) -> str:
        if not self.returns:
            return ""
        return f"""
reports:
  driver = manualroute
  domains = {self.returns[0]}
  transport = back
  route_data = {self.returns[1]}
  self = send
nobody:
  driver = redirect
  domains = +ours
  local_parts = nobody
  allow_fail
  data = :fail: No such person at this address
"""

    def _returning_transport(self) -> str:
        if not self.returns:
            return ""
        return f"""
back:
  driver = smtp
  port = {self.returns[2]}
  hosts_avoid_tls = *
  allow_localhost
"""

    def _authenticator(self) -> str:
        if not self.login:
            return ""
        user, password, mechanism = self.login
        (self.directory / "password").write_text(f"{user}: {password}\n")
        fields = ("", "$auth2", "$auth3") if mechanism == "PLAIN" else ("<| Username: | Password:", "$auth1", "$auth2")
        return f"""
login:
  driver = plaintext
  public_name = {mechanism}
  server_advertise_condition = ${{if def:tls_in_cipher}}
  server_prompts = {fields[0] or ':'}
  server_condition = ${{if and {{{{eq{{{fields[1]}}}{{{user}}}}} {{eq{{{fields[2]}}}{{${{lookup{{{user}}}lsearch{{{self.directory}/password}}}}}}}}}}}}
  server_set_id = {fields[1]}
"""

    def stop(self):
        if self.server is not None:
            self.server.stop()

    def answer_rcpt(self, **replies: str):
        """Replies by recipient's local part: answer_rcpt(bob="550 5.1.1 who?")."""
        new = self.replies.with_suffix(".new")
        new.write_text("".join(f"{local}: {reply}\n" for local, reply in replies.items()))
        os.replace(new, self.replies)

    def log_text(self) -> str:
        return "".join(p.read_text(errors="replace") for p in sorted((self.directory / "log").glob("*log")))
