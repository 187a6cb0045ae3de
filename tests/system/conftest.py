"""Fixtures: each gives started servers, and stops them by their own pid.

Most are factories with a default: `packetboat` is one started instance,
`new_packetboat(**parameters)` makes others; so for receivers and sinks.
PB_ROOT names another install root than build/root; PB_KEEP=1 keeps the
temporary folders for a look at them.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from lib.ca import TestCA
from lib.dns import NameServer, Resolver
from lib.dovecot import DovecotAuth
from lib.exim import EximReceiver
from lib.haraka import HarakaReceiver
from lib.net import Addresses, free_port
from lib.opensmtpd import OpenSmtpdReceiver
from lib.packetboat import Packetboat, plain_user
from lib.places import ROOT
from lib.policy import PolicyServer
from lib.postfix import PostfixClient, PostfixReceiver
from lib.sink import SmtpSink
from lib.webhook import WebhookReceiver


# -- how tests run ---------------------------------------------------------

def pytest_configure():
    """Asked to end, the run still stops its servers, as with Ctrl-C."""
    def interrupt(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, interrupt)


def pytest_collection_modifyitems(items):
    if os.getuid() != 0:
        for item in items:
            if item.get_closest_marker("root"):
                item.add_marker(pytest.mark.skip(reason="needs root, for Postfix and Exim or for users of the daemons"))


def pytest_generate_tests(metafunc):
    """both_users: the test runs twice, and what the sandbox, users and empty roots break is seen."""
    if metafunc.definition.get_closest_marker("both_users"):
        modes = [pytest.param("plain", id="plain"), pytest.param("root", id="sandboxed", marks=pytest.mark.root)]
        metafunc.parametrize("mode", modes, indirect=True)


@pytest.fixture(autouse=True)
def deadline(request):
    """No test hangs: SIGALRM raises in it, and its servers are stopped as usual."""
    marker = request.node.get_closest_marker("deadline")
    seconds = marker.args[0] if marker else 120

    def ring(*_):
        raise TimeoutError(f"the test took more than {seconds} s")
    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of each server's log."""
    report = (yield).get_result()
    if report.failed:
        for server in getattr(item, "servers", []):
            text = server.log_text() if hasattr(server, "log_text") else ""
            if text:
                report.sections.append((f"log of {type(server).__name__}", text[-6000:]))


class Keeper:
    """Starts servers for one test and stops them in reverse order."""

    def __init__(self, item):
        self.servers = []
        item.servers = self.servers

    def start(self, server):
        self.servers.append(server)
        server.start()
        return server

    def stop_all(self):
        failures = []
        for server in reversed(self.servers):
            try:
                server.stop()
            except Exception as e:  # the others are stopped all the same
                failures.append(f"{type(server).__name__}: {e}")
        assert not failures, failures


@pytest.fixture
def keep(request, new_directory):
    """Ends before the folders of its servers are removed."""
    keeper = Keeper(request.node)
    yield keeper
    keeper.stop_all()


# -- folders, addresses, certificates --------------------------------------

@pytest.fixture(scope="session")
def session_directory():
    """Short (for socket names) and open to other users (Postfix, the plain user)."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="pbtest-"))
    path.chmod(0o755)
    os.umask(0o022)
    yield path
    if not os.environ.get("PB_KEEP"):
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def new_directory(session_directory, request):
    """new_directory(name): an empty folder of this test."""
    made = []

    def make(name: str) -> pathlib.Path:
        path = pathlib.Path(tempfile.mkdtemp(prefix=name + "-", dir=session_directory))
        path.chmod(0o755)
        made.append(path)
        return path
    yield make
    if not os.environ.get("PB_KEEP"):
        for path in made:
            shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def ca(session_directory) -> TestCA:
    path = session_directory / "ca"
    path.mkdir()
    return TestCA(path)


@pytest.fixture(scope="session")
def addresses() -> Addresses:
    return Addresses()


@pytest.fixture(scope="session")
def smtp_port() -> int:
    """The port that all receiving hosts share, as they share 25 outside."""
    return free_port()


# -- peers -----------------------------------------------------------------

@pytest.fixture
def new_name_server(keep, new_directory, addresses):
    """new_name_server(signed=("secure.test",)): nsd; `prepare` may add records first."""
    def make(signed: tuple[str, ...] = ()) -> NameServer:
        server = NameServer(new_directory("nsd"), addresses.next())
        for zone in signed:
            server.add_signed_zone(zone)
        return keep.start(server)
    return make


@pytest.fixture
def name_server(new_name_server) -> NameServer:
    return new_name_server()


@pytest.fixture
def new_resolver(keep, new_directory, addresses):
    """new_resolver(name_server, validate=("secure.test",)): unbound."""
    def make(upstream: NameServer, validate: tuple[str, ...] = ()) -> Resolver:
        return keep.start(Resolver(new_directory("unbound"), addresses.next(), upstream, validate))
    return make


@pytest.fixture
def new_sink(keep, addresses, smtp_port, ca, name_server):
    """new_sink("example.test"): a scripted host that is the domain's MX. tls=False: no STARTTLS."""
    def make(domain: str = "sink.test", host: str | None = None, tls: bool = True, certificate=None, **options) -> SmtpSink:
        host = host or f"mx.{domain}"
        address = addresses.next()
        if tls and certificate is None:
            certificate = ca.server(host)
        sink = keep.start(SmtpSink(address, smtp_port, host, certificate if tls else None, **options))
        name_server.add_mail_host(domain, (host, address))
        return sink
    return make


@pytest.fixture
def sink(new_sink) -> SmtpSink:
    return new_sink()


@pytest.fixture
def new_postfix(keep, new_directory, addresses, smtp_port, ca, name_server):
    """new_postfix("postfix.test"): Postfix as the domains' MX. sasl=(user, password, mechanisms): takes mail only after AUTH."""
    def make(*domains: str, certificate=None, sasl=None, **parameters) -> PostfixReceiver:
        domains = domains or ("postfix.test",)
        host, address = f"mx.{domains[0]}", addresses.next()
        receiver = PostfixReceiver(new_directory("postfix"), address, smtp_port, list(domains),
                                   certificate or ca.server(host), host)
        receiver.extra = parameters
        if sasl:
            receiver.require_login(keep.start(DovecotAuth(address, *sasl)).path)
        for domain in domains:
            name_server.add_mail_host(domain, (host, address))
        return keep.start(receiver)
    return make


@pytest.fixture
def postfix(new_postfix) -> PostfixReceiver:
    return new_postfix()


@pytest.fixture
def new_exim(keep, new_directory, addresses, smtp_port, ca, name_server):
    """new_exim("exim.test"): Exim as the domains' MX. login=(user, password, mechanism): takes mail only after AUTH."""
    def make(*domains: str, certificate=None, login=None, returns=None, smtps=False) -> EximReceiver:
        domains = domains or ("exim.test",)
        host, address = f"mx.{domains[0]}", addresses.next()
        receiver = EximReceiver(new_directory("exim"), address, smtp_port, list(domains),
                                certificate or ca.server(host), host)
        receiver.login = login
        receiver.returns = returns
        receiver.smtps = smtps
        for domain in domains:
            name_server.add_mail_host(domain, (host, address))
        return keep.start(receiver)
    return make


@pytest.fixture
def exim(new_exim) -> EximReceiver:
    return new_exim()


@pytest.fixture
def new_receiver(keep, new_directory, addresses, smtp_port, ca, name_server):
    """new_receiver(HarakaReceiver, "haraka.test"): any other server as a domain's MX."""
    def make(kind, domain: str, **settings):
        host, address = f"mx.{domain}", addresses.next()
        name_server.add_mail_host(domain, (host, address))
        receiver = kind(new_directory("mx"), address, smtp_port, [domain], ca.server(host), host)
        for name, value in settings.items():
            setattr(receiver, name, value)
        return keep.start(receiver)
    return make


@pytest.fixture
def opensmtpd(new_receiver) -> OpenSmtpdReceiver:
    return new_receiver(OpenSmtpdReceiver, "opensmtpd.test")


@pytest.fixture
def haraka(new_receiver) -> HarakaReceiver:
    return new_receiver(HarakaReceiver, "haraka.test")


@pytest.fixture
def new_postfix_client(keep, new_directory, ca):
    """new_postfix_client((address, port), username, password): Postfix that submits."""
    def make(relay: tuple[str, int], username: str, password: str, **options) -> PostfixClient:
        return keep.start(PostfixClient(new_directory("client"), relay, username, password, ca.cert, **options))
    return make


@pytest.fixture
def new_webhook(keep, addresses, ca):
    """new_webhook(tls=True): an endpoint that remembers what was posted."""
    def make(tls: bool = False, name: str | None = None, certificate=None) -> WebhookReceiver:
        address = addresses.next()
        if tls and certificate is None:
            certificate = ca.server(*filter(None, (name, address)))
        return keep.start(WebhookReceiver(address, free_port(address), certificate, name))
    return make


@pytest.fixture(scope="session")
def sts_port() -> int:
    """The port that all servers of policies share, as they share 443 outside."""
    return free_port()


@pytest.fixture
def new_policy(keep, new_directory, addresses, ca, name_server, sts_port):
    """new_policy("sink.test", text): the domain has this MTA-STS policy, id=1."""
    def make(domain: str, text: str, certificate=None, media_type: str = "text/plain", location: str = "") -> PolicyServer:
        host, address = f"mta-sts.{domain}", addresses.next()
        server = PolicyServer(new_directory("nginx"), address, sts_port, certificate or ca.server(host), media_type,
                              location)
        server.write(text)
        keep.start(server)
        name_server.add(host, "A", address)
        name_server.add(f"_mta-sts.{domain}", "TXT", "v=STSv1; id=1;")
        return server
    return make


# -- the suite -------------------------------------------------------------

@pytest.fixture(scope="session")
def install_root() -> pathlib.Path:
    """Says clearly what is missing, instead of failing in each test in its own way."""
    program = ROOT / "sbin/packetboat"
    if not program.exists():
        pytest.fail(f"{program} does not exist; script/build makes it", pytrace=False)
    if os.getuid() == 0:
        user = plain_user()
        reachable = subprocess.run(["/usr/bin/test", "-x", program], user=user.pw_uid, group=user.pw_gid, extra_groups=[])
        if reachable.returncode != 0:
            pytest.fail(f"user {user.pw_name} cannot reach {program}; script/test system arranges for that", pytrace=False)
    return ROOT


@pytest.fixture
def mode(request) -> str:
    """As what instances run unless told otherwise: "plain", with the mark both_users also "root"."""
    return getattr(request, "param", "plain")


@pytest.fixture
def make_packetboat(install_root, new_directory, addresses, ca, name_server, smtp_port, mode):
    """make_packetboat(**parameters): an instance that is configured, not started."""
    made = []

    def make(mode: str = mode, dns=None, **options) -> Packetboat:
        if mode == "root" and os.getuid() != 0:
            pytest.skip("needs root")
        boat = Packetboat(new_directory("boat"), addresses.next(), ca, name_server, smtp_port, mode, **options)
        if dns is not None:
            boat.write_config(dns_servers=dns.dns_server)
        made.append(boat)
        return boat
    yield make
    for boat in made:
        boat.stop()
    for boat in made:
        assert boat.unexpected_errors() == []


@pytest.fixture
def new_packetboat(make_packetboat, keep, name_server):
    """new_packetboat(**parameters): a started instance."""
    def make(**options) -> Packetboat:
        boat = make_packetboat(**options)
        name_server.add(boat.HOSTNAME, "A", boat.address)
        return keep.start(boat)
    return make


@pytest.fixture
def packetboat(new_packetboat) -> Packetboat:
    return new_packetboat()


@pytest.fixture
def account(packetboat):
    """An account `shop` that may send from shop.test."""
    made = packetboat.add_account("shop")
    packetboat.add_domain(made, "shop.test")
    return made
