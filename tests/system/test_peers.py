"""The harness's own servers and clients, without the suite: they must be right first."""

import pathlib
import smtplib
import ssl
import subprocess
import urllib.error
import urllib.request

import dkim
import dns.flags
import pytest

from lib.dkimcheck import signatures, verified
from lib.net import accepts, free_port
from lib.packetboat import make_message
from lib.process import Server, find_program, run, stat_fields
from lib.sink import DROP, Delay

# Complete, so that no receiver adds to it.
MESSAGE = (b"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@shop.test>\r\n"
           + make_message("a@shop.test", ["bob@example.test"]))


def client(server, ca=None, tls_name: str = "") -> smtplib.SMTP:
    smtp = smtplib.SMTP(server.address, server.port, local_hostname="client.test", timeout=10)
    if ca:
        smtp._host = tls_name  # the name that smtplib checks the certificate for
        smtp.starttls(context=ssl.create_default_context(cafile=str(ca.cert)))
    return smtp


# -- names -----------------------------------------------------------------

def test_name_server_answers_mx_and_shows_added_records(name_server):
    name_server.add_mail_host("example.test", ("mx1.example.test", "127.0.0.9"), ("mx2.example.test", "::1"))
    assert name_server.query("example.test", "MX") == ["10 mx1.example.test.", "20 mx2.example.test."]
    assert name_server.query("mx2.example.test", "AAAA") == ["::1"]
    assert name_server.query("nowhere.example", "MX") == []

    name_server.add("long.example.test", "TXT", "v=DKIM1; p=" + "A" * 600)
    assert name_server.txt("long.example.test.") == b"v=DKIM1; p=" + b"A" * 600
    name_server.remove("example.test", "MX")
    assert name_server.query("example.test", "MX") == []


def test_resolver_validates_the_signed_zone_only(new_name_server, new_resolver):
    server = new_name_server(signed=("secure.test",))
    server.add("_25._tcp.mx.secure.test", "TLSA", "3 1 1 " + "ab" * 32)
    server.add("plain.test", "MX", "10 mx.plain.test.")
    resolver = new_resolver(server, validate=("secure.test",))
    signed = resolver.query("_25._tcp.mx.secure.test", "TLSA")
    assert signed.flags & dns.flags.AD and signed.answer
    plain = resolver.query("plain.test", "MX")
    assert not plain.flags & dns.flags.AD and plain.answer


# -- receivers -------------------------------------------------------------

@pytest.mark.root
@pytest.mark.parametrize("kind", ["postfix", "exim", "haraka"])
def test_receiver_takes_mail_inside_tls(kind, request, ca):
    receiver = request.getfixturevalue(kind)
    domain = receiver.domains[0]
    with client(receiver, ca, f"mx.{domain}") as smtp:
        smtp.sendmail("a@shop.test", [f"bob@{domain}"], MESSAGE)
    stored = receiver.mail.wait(1)[0]
    assert stored.recipient == f"bob@{domain}"
    assert stored.return_path == "a@shop.test"
    assert stored.wire.endswith(MESSAGE)
    assert "TLS" in stored.header("Received")


@pytest.mark.root
@pytest.mark.parametrize("kind", ["postfix", "exim"])
def test_receiver_refuses_and_defers_as_told(kind, request):
    receiver = request.getfixturevalue(kind)
    domain = receiver.domains[0]
    receiver.answer_rcpt(bob="450 4.2.0 come again", eve="550 5.1.1 nobody here")
    with client(receiver) as smtp:
        smtp.ehlo()
        smtp.mail("a@shop.test")
        code, text = smtp.rcpt(f"bob@{domain}")
        assert code == 450 and b"4.2.0" in text
        code, text = smtp.rcpt(f"eve@{domain}")
        assert code == 550 and b"5.1.1" in text
        assert smtp.rcpt(f"ann@{domain}")[0] == 250
        assert smtp.rcpt("x@not-ours.test")[0] >= 500
    receiver.answer_rcpt()
    with client(receiver) as smtp:
        smtp.sendmail("a@shop.test", [f"bob@{domain}"], MESSAGE)
    receiver.mail.wait(1)


@pytest.mark.root
def test_postfix_client_submits_with_tls(new_postfix_client, new_sink, ca):
    sink = new_sink("relay.test")
    sink.certificate = ca.server(sink.address)
    sink.extensions.append("AUTH PLAIN LOGIN")
    sink.on("AUTH", "235 2.7.0 ok")
    postfix = new_postfix_client((sink.address, sink.port), "me", "secret")
    postfix.send("a@shop.test", ["bob@example.test"], MESSAGE)
    message = sink.wait_messages()[0]
    assert message.tls and message.recipients == ["bob@example.test"]
    assert any(c.startswith("AUTH PLAIN") for c in message.session.commands())
    postfix.wait_log(r"status=sent \(250 2\.0\.0 stored 1\)")


# -- the sink --------------------------------------------------------------

@pytest.mark.parametrize("tls", [True, False])
def test_swaks_talks_to_the_sink(new_sink, tls):
    sink = new_sink(tls=tls)
    swaks = subprocess.run(["swaks", "--server", sink.address, "--port", str(sink.port), "--from", "a@shop.test",
                            "--to", "bob@sink.test", *(["--tls"] if tls else [])], capture_output=True, text=True)
    assert swaks.returncode == 0, swaks.stdout + swaks.stderr
    assert sink.messages[0].tls == tls
    assert sink.messages[0].mail_from == "a@shop.test"
    assert sink.connections == 1 and sink.sessions[0].commands()[-1] == "QUIT"


def test_sink_keeps_the_exact_bytes(sink, ca):
    body = b"X: 1\r\n\r\n.dot\r\n..two\r\nbare\nLF\r\n\xff\x00\r\n"
    with client(sink, ca, sink.name) as smtp:
        smtp.ehlo()
        smtp.mail("a@shop.test")
        smtp.rcpt("bob@sink.test")
        smtp.putcmd("data")
        smtp.getreply()
        # not smtplib's data(), which repairs line ends
        smtp.send(body.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        assert smtp.getreply()[0] == 250
    assert sink.messages[0].data == body


def test_sink_takes_chunks(new_sink):
    sink = new_sink(tls=False, extensions=["CHUNKING"])
    with client(sink) as smtp:
        smtp.ehlo()
        smtp.mail("a@shop.test")
        smtp.rcpt("bob@sink.test")
        smtp.send(b"BDAT 4\r\nA: b")
        assert smtp.getreply()[0] == 250
        smtp.send(b"BDAT 5 LAST\r\n\r\n\r\n.")
        assert smtp.getreply()[0] == 250
    assert sink.messages[0].data == b"A: b\r\n\r\n."


def test_sink_follows_its_script(sink):
    sink.on("RCPT", "450 4.2.0 later", times=1, arg="bob@")
    sink.on("MAIL", Delay(0.1, "250-2.1.0 one\n250 2.1.0 two"), times=1)
    with client(sink) as smtp:
        smtp.ehlo()
        assert smtp.mail("a@shop.test") == (250, b"2.1.0 one\n2.1.0 two")
        assert smtp.rcpt("ann@sink.test")[0] == 250
        assert smtp.rcpt("bob@sink.test") == (450, b"4.2.0 later")
        assert smtp.rcpt("bob@sink.test")[0] == 250
        sink.on("EOD", DROP)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            smtp.data(MESSAGE)
    assert sink.messages == []
    sink.on("CONNECT", "421 4.3.2 busy")
    with pytest.raises(smtplib.SMTPConnectError):
        client(sink)


# -- HTTP ------------------------------------------------------------------

def test_webhook_receiver_records_and_obeys(new_webhook, ca):
    hook = new_webhook(tls=True)
    hook.answers = [503]
    trust = ssl.create_default_context(cafile=str(ca.cert))
    post = urllib.request.Request(hook.url, b'{"events":[{"kind":"delivery","recipient":"b@x"}]}', {"X-Test": "1"})
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(post, context=trust)
    assert hook.events() == []
    urllib.request.urlopen(post, context=trust).close()
    assert hook.wait_event("delivery")["recipient"] == "b@x"
    assert hook.posts[1].headers["x-test"] == "1" and [p.status for p in hook.posts] == [503, 200]


def test_nginx_starts_privately(new_directory, addresses):
    directory, address = new_directory("nginx"), addresses.next()
    port = free_port(address)
    (directory / "nginx.conf").write_text(f"""
daemon off;
pid {directory}/pid;
error_log stderr;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{ listen {address}:{port}; location / {{ return 204; }} }}
}}
""")
    server = Server([find_program("nginx"), "-c", directory / "nginx.conf"], directory / "out")
    try:
        server.wait_ready(lambda: accepts(address, port))
        with urllib.request.urlopen(f"http://{address}:{port}/") as reply:
            assert reply.status == 204
    finally:
        server.stop()


# -- signatures and certificates -------------------------------------------

def test_dkim_check_tells_good_from_changed(name_server, new_directory):
    directory = new_directory("dkim")
    run("opendkim-genkey", "-b", "2048", "-d", "shop.test", "-s", "s1", "-D", directory)
    public = run("openssl", "rsa", "-in", directory / "s1.private", "-pubout", "-outform", "PEM").stdout
    name_server.add("s1._domainkey.shop.test", "TXT", "v=DKIM1; k=rsa; p=" + "".join(public.splitlines()[1:-1]))
    signed = dkim.sign(MESSAGE, b"s1", b"shop.test", (directory / "s1.private").read_bytes()) + MESSAGE
    assert [s["d"] for s in verified(signed, name_server)] == ["shop.test"]
    changed = signed.replace(b"Hello", b"hello")
    assert verified(changed, name_server) == [] and len(signatures(changed)) == 1


def test_ca_makes_expired_and_foreign_certificates(ca):
    def check(certificate, *options):
        return subprocess.run(["openssl", "verify", "-CAfile", ca.cert, *options, certificate.cert],
                              capture_output=True, text=True)
    assert check(ca.server("mx.example.test"), "-verify_hostname", "mx.example.test").returncode == 0
    assert "expired" in check(ca.expired("mx.example.test")).stderr
    assert "mismatch" in check(ca.wrong_name(), "-verify_hostname", "mx.example.test").stderr
    assert check(ca.server("127.0.0.3"), "-verify_ip", "127.0.0.3").returncode == 0


def test_servers_are_gone_after_stop(new_directory, addresses):
    """No child of a stopped server is left behind."""
    directory = new_directory("stop")
    marker = directory / "pid"
    server = Server(["sh", "-c", f"trap 'kill $!; exit' TERM; sleep 300 & echo $! >{marker}; wait"], directory / "out")
    server.wait_ready(lambda: marker.exists() and marker.read_text().strip())
    pid = int(marker.read_text())
    server.stop()
    assert not pathlib.Path(f"/proc/{pid}").exists() or stat_fields(pid)[1][0] == "Z"
