"""The two systems under test, each started privately with the durability that it is shipped with."""

import pathlib
import shutil
import subprocess
import sys

from lib.ca import TestCA
from lib.dns import NameServer
from lib.net import Addresses, accepts, free_port
from lib.packetboat import Packetboat as Suite
from lib.process import Server, run
from lib.wait import wait_for

import load

DOMAIN = load.SENDER.split("@")[1]


class Packetboat:
    """The suite as an installed system runs it, as root with a user for each daemon."""

    name = "packetboat"

    def __init__(self, folder: pathlib.Path, sink_port: int, dkim: bool = False, tls: bool = False, **parameters):
        for name in ("ca", "dns", "suite"):
            (folder / name).mkdir()
        self.dkim = dkim
        self.names = NameServer(folder / "dns", Addresses().next())
        self.suite = Suite(folder / "suite", "127.0.0.1", TestCA(folder / "ca"), self.names, 25, mode="root",
                           relayhost=f"[127.0.0.1]:{sink_port}", mynetworks="127.0.0.0/8", mynetworks_account="bench",
                           smtp_tls_level="none", smtpd_processes=None, deliver_processes=None, **parameters)
        self.port = self.suite.submission_port
        self.login: list[str] = []

    def start(self, group):
        self.names.start()
        with group:
            self.suite.start()
        key = self.suite.add_account("bench", unsigned="allow")
        self.login = [key.username, key.password]
        if self.dkim:
            self.suite.add_domain("bench", DOMAIN)

    def restart(self, group):
        self.suite.stop()
        with group:
            self.suite.start_unchecked()

    def stop(self):
        self.suite.stop()
        self.names.stop()


class Postfix:
    """Debian's Postfix with the settings that make it fastest without giving up durability."""

    name = "postfix"

    MAIN = """compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log/mail.log
maillog_file_prefixes = {folder}
myhostname = bench.example
mydestination =
local_recipient_maps =
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{sink}
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination
smtp_tls_security_level = none
default_process_limit = 300
smtp_destination_concurrency_limit = 20
initial_destination_concurrency = 20
default_destination_recipient_limit = 1000
qmgr_message_active_limit = 50000
qmgr_message_recipient_limit = 50000
in_flow_delay = 0
max_use = 2000
smtpd_peername_lookup = no
smtp_connection_cache_destinations = [127.0.0.1]:{sink}
smtp_connection_reuse_time_limit = 600s
smtpd_client_connection_count_limit = 0
local_header_rewrite_clients =
smtputf8_enable = no
minimal_backoff_time = 3600s
"""
    SERVICES = """127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
    TLS = """smtpd_tls_security_level = may
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_sasl_auth_enable = yes
smtpd_tls_auth_only = yes
smtpd_sasl_local_domain = bench.example
"""

    def __init__(self, folder: pathlib.Path, sink_port: int, dkim: bool = False, tls: bool = False):
        self.folder = folder
        self.port = free_port()
        self.login = ["bench", "secret"]
        self.milter = None
        for name in ("etc", "queue", "data", "log"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix")
        main = self.MAIN.format(folder=folder, sink=sink_port)
        if tls:
            main += self._tls()
        if dkim:
            main += f"smtpd_milters = unix:{folder}/milter\nmilter_default_action = tempfail\n"
        self.dkim = dkim
        (folder / "etc/main.cf").write_text(main)
        (folder / "etc/master.cf").write_text(self.SERVICES.format(port=self.port))
        (folder / "etc/dynamicmaps.cf").write_text("")

    def _tls(self) -> str:
        sasl = self.folder / "etc/sasl"  # where Debian's Postfix looks, whatever cyrus_sasl_config_path says
        for path in (self.folder / "ca", sasl):
            path.mkdir()
        certificate = TestCA(self.folder / "ca").server("bench.example")
        database = sasl / "db"
        subprocess.run(["saslpasswd2", "-p", "-c", "-f", database, "-u", "bench.example", self.login[0]],
                       input=self.login[1].encode(), check=True)
        shutil.chown(database, "postfix")
        (sasl / "smtpd.conf").write_text(
            f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN\nsasldb_path: {database}\n")
        return self.TLS.format(cert=certificate.cert, key=certificate.key)

    def _start_milter(self):
        """OpenDKIM, signing as we do: RSA-2048, relaxed header, From over-signed."""
        key = self.folder / "dkim.pem"
        run("openssl", "genrsa", "-out", key, "2048")
        key.chmod(0o600)
        conf = self.folder / "opendkim.conf"
        conf.write_text(f"Mode s\nDomain {DOMAIN}\nSelector s1\nKeyFile {key}\nCanonicalization relaxed/relaxed\n"
                        f"InternalHosts 127.0.0.1\nSocket local:{self.folder}/milter\nUMask 000\nOversignHeaders From\n"
                        "Syslog no\nBackground no\nRequireSafeKeys no\n")
        self.milter = Server(["opendkim", "-x", conf], self.folder / "opendkim.log")
        wait_for((self.folder / "milter").exists, 10, "OpenDKIM")

    def start(self, group):
        with group:
            if self.dkim:
                self._start_milter()
            run("postfix", "-c", self.folder / "etc", "start")
        wait_for(lambda: accepts("127.0.0.1", self.port), 20, "Postfix")

    def restart(self, group):
        run("postfix", "-c", self.folder / "etc", "abort")
        with group:
            run("postfix", "-c", self.folder / "etc", "start")

    def stop(self):
        subprocess.run(["postfix", "-c", self.folder / "etc", "abort"], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)
        if self.milter is not None:
            self.milter.stop()


SYSTEMS = {s.name: s for s in (Packetboat, Postfix)}


def version(system: str) -> str:
    command = ["postconf", "-hd", "mail_version"] if system == "postfix" else ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=pathlib.Path(sys.argv[0]).parent)
    return done.stdout.strip()
