"""packetboat-replies(7): it names every reply, and the suite gives each as it says."""

import ast
import base64
import os
import pathlib
import re
import signal
import smtplib
import socket
import subprocess

import pytest

from lib.packetboat import Account
from lib.places import ROOT
from lib.wait import wait_for

SOURCE = pathlib.Path(__file__).resolve().parents[2]
STRING = r'"((?:[^"\\]|\\.)*)"'
FROM = "orders@shop.test"
BOUNCES = "bounce.packetboat.test"


# -- the table and the programs ---------------------------------------------

def joined(text: str) -> str:
    return "".join(re.findall(STRING, text))


def table() -> set[tuple[str, str, str]]:
    """Code, enhanced code, format of each row."""
    text = (SOURCE / "lib/reply.def").read_text()
    strings = rf"((?:\s*{STRING})+)".replace("((?:[^", "(?:(?:[^")
    rows = re.findall(rf'REPLY\((\d+), "([\d.]*)",{strings},{strings},{strings}\)', text)
    assert len(rows) == text.count("\nREPLY(")
    return {(code, enh, joined(words)) for code, enh, words, *_ in rows}


def literals(path: pathlib.Path):
    """Strings of a C file, those behind each other joined."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
    for found in re.finditer(rf"{STRING}(?:\s*{STRING})*", text):
        yield joined(found[0])


def in_programs() -> set[tuple[str, str, str]]:
    found = set()
    for path in sorted((SOURCE / "smtpd").glob("*.c")):
        for text in literals(path):
            if match := re.fullmatch(r"([2345]\d\d) (?:(\d\.\d\.\d+) )?(.*)", text):
                found.add((match[1], match[2] or "", match[3]))
    for path in (SOURCE / "accountd/verdict.c", SOURCE / "accountd/rcpt.c", SOURCE / "accountd/tx.c"):
        words = list(literals(path))
        for enh, text in zip(words, words[1:]):
            if re.fullmatch(r"[45]\.\d\.\d+", enh):
                found.add(("451" if enh[0] == "4" else "550", enh, text))
    return found


def test_table_has_every_reply_of_the_programs_and_no_other():
    extension_lines = {("250", "", "CHUNKING")}
    assert in_programs() - extension_lines == table()


# Those that no client can bring about at will, and why.
NOT_PROVOKED = {
    "421 4.7.0 Error: line too long": "a client that has sent 64 KB may lose it with the connection: tests/smtp/long_command_is_refused_and_swallowed.t",
    "451 4.3.0 Error: out of memory": "the allocation of one message would have to fail",
    "451 4.3.0 Error: queue file write error": "the disk has to fail: test_sync.py, test_disk.py",
    "451 4.3.0 The recipients cannot be checked now": "a page of the database would have to be unreadable",
    "501 5.5.2 Error: challenge too long": "PLAIN and LOGIN have short ones",
    "550 5.1.1 This return path is too old": "bounce_token_lifetime is a day at least",
    "550 5.6.0 The message has no From field": "the verdict has refused it before the signature",
    "550 5.7.1 Client host rejected": "accountd knows no such word about mynetworks_account",
}


def expected() -> set[str]:
    """Every text of this file that is compared with a reply; what differs in it is an x."""
    found = set()
    for node in ast.walk(ast.parse(pathlib.Path(__file__).read_text())):
        if isinstance(node, ast.JoinedStr):
            found.add("".join(v.value if isinstance(v, ast.Constant) else "x" for v in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
            found.add(node.value.decode() if isinstance(node.value, bytes) else node.value)
    return {text.strip("\r\n") for text in found} - set(NOT_PROVOKED)


def test_every_reply_is_provoked_by_a_test_or_it_says_why_not():
    heads = {" ".join(filter(None, row)) for row in table()}
    texts = expected()
    without = {head for head in heads
               if not any(re.fullmatch(re.sub("%(s|u|llu)", ".*", re.escape(head)), text) for text in texts)}
    assert without == set(NOT_PROVOKED)


@pytest.fixture(scope="module")
def page() -> list[re.Pattern]:
    """The installed page's replies; dots stand for anything."""
    text = (ROOT / "share/man/man7/packetboat-replies.7").read_text()
    shown = subprocess.run(["mandoc", "-Tutf8", "-O", "width=200"], input=text, capture_output=True, text=True, check=True).stdout
    shown = re.sub(r".\x08", "", shown)
    heads = re.findall(r"^     (\d{3} .*?)\s*$", shown, flags=re.M)
    assert len(heads) == len(table())
    return [re.compile(re.escape(head).replace(r"\.\.\.", ".*")) for head in heads]


# -- what a client does to get them -----------------------------------------

class Client:
    """An SMTP client that sends what it is told."""

    def __init__(self, boat, page, account=None, tls=True, port=None):
        self.page = page
        self.smtp = smtplib.SMTP(boat.address, port or boat.submission_port, local_hostname="client.test", timeout=30)
        if tls:
            self.smtp.starttls(context=boat.tls_context())
            self.smtp.ehlo()
        if account:
            self.smtp.login(account.username, account.password)

    def reply(self) -> str:
        code, text = self.smtp.getreply()
        line = f"{code} {text.decode()}".partition("\n")[0]  # of several lines the others are EHLO's extensions
        assert any(head.fullmatch(line) for head in self.page), f"{line!r} is not in packetboat-replies(7)"
        return line

    def raw(self, data: bytes) -> str:
        self.smtp.sock.sendall(data)
        return self.reply()

    def say(self, line: str) -> str:
        return self.raw(line.encode() + b"\r\n")

    def all(self, *lines: str) -> str:
        """The last one's reply; those before are good."""
        for line in lines[:-1]:
            got = self.say(line)
            assert got[0] in "23", (line, got)
        return self.say(lines[-1])

    def message(self, text: str | bytes, options: str = "") -> str:
        data = text if isinstance(text, bytes) else text.encode()
        got = self.all(f"MAIL FROM:<{FROM}>{options}", "RCPT TO:<bob@sink.test>", "DATA")
        assert got.startswith("354"), got
        return self.raw(data.replace(b"\n", b"\r\n") + b"\r\n.\r\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.smtp.close()


def plain(user: str, password: str) -> str:
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


LONG = "x" * 9000
IN_CLEAR = [
    (["EHLO"], "501 5.5.4 Syntax: EHLO hostname"),
    (["HELO"], "501 5.5.4 Syntax: HELO hostname"),
    (["MAIL FROM:<a@b.test>"], "503 5.5.1 Error: send HELO/EHLO first"),
    (["DATA"], "503 5.5.1 Error: send HELO/EHLO first"),
    (["AUTH PLAIN"], "503 5.5.1 Error: send EHLO first"),
    (["EHLO c", "AUTH PLAIN"], "538 5.7.11 Encryption required for requested authentication mechanism"),
    (["EHLO c", "MAIL FROM:<a@b.test>"], "530 5.7.0 Must issue a STARTTLS command first"),
    (["EHLO c", "STARTTLS now"], "501 5.5.4 Syntax: STARTTLS"),
    (["RSET x"], "501 5.5.4 Syntax: RSET"),
    (["VRFY"], "501 5.5.4 Syntax: VRFY address"),
    (["VRFY a@b.test"], "252 2.0.0 Cannot VRFY, but will take the message and try"),
    (["HELP"], "214 2.0.0 EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY QUIT STARTTLS AUTH"),
    (["NOOP"], "250 2.0.0 Ok"),
    (["QUIT now"], "501 5.5.4 Syntax: QUIT"),
    (["QUIT"], "221 2.0.0 Bye"),
    (["ETRN b.test"], "502 5.5.2 Error: command not recognized"),
    ([""], "500 5.5.2 Error: bad syntax"),
    (["GET / HTTP/1.1"], "554 5.5.1 Error: this is a mail server"),
    (["NOOP\nNOOP"], "500 5.5.2 Error: bare CR, bare LF or NUL in command"),
    (["NOOP " + LONG], "500 5.5.2 Error: line too long"),
    (["EHLO c\r\nNOOP"], "554 5.5.0 Error: improper command pipelining"),
    (["EHLO c", "STARTTLS\r\nNOOP"], "554 5.5.0 Error: input after STARTTLS"),
    (["EHLO c", "STARTTLS"], "220 2.0.0 Ready to start TLS"),
]
IN_TLS = [
    (["MAIL FROM:<a@b.test>"], "530 5.7.0 Authentication required"),
    (["STARTTLS"], "503 5.5.1 Error: TLS already active"),
    (["AUTH"], "501 5.5.4 Syntax: AUTH mechanism"),
    (["AUTH CRAM-MD5"], "504 5.5.4 Error: unknown mechanism"),
    (["AUTH PLAIN !"], "501 5.5.2 Error: cannot decode response"),
    (["AUTH PLAIN " + base64.b64encode(b"abc").decode()], "501 5.5.2 Error: malformed authentication data"),
    (["AUTH PLAIN", "*"], "501 5.7.0 Error: authentication cancelled"),
    (["AUTH PLAIN " + plain("shop", "wrong")], "535 5.7.8 Error: authentication failed"),
    (["AUTH LOGIN", "c2hvcA==", "d3Jvbmc="], "535 5.7.8 Error: authentication failed"),
]
LOGGED_IN = [
    (["MAIL FROM:<a@b.test>"], "250 2.1.0 Ok"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<a@b.test>", "DATA"], "354 End data with <CR><LF>.<CR><LF>"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<a@b.test>", "BDAT 5\r\nhello"], "250 2.0.0 5 octets received"),
    (["AUTH PLAIN"], "503 5.5.1 Error: already authenticated"),
    (["RCPT TO:<a@b.test>"], "503 5.5.1 Error: need MAIL command"),
    (["DATA"], "503 5.5.1 Error: need MAIL command"),
    (["MAIL FROM:<a@b.test>", "MAIL FROM:<a@b.test>"], "503 5.5.1 Error: nested MAIL command"),
    (["MAIL FROM:<a@b.test>", "DATA"], "503 5.5.1 Error: need RCPT command"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<a@b.test>", "DATA x"], "501 5.5.4 Syntax: DATA"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<a@b.test>", "BDAT x"], "501 5.5.4 Syntax: BDAT count [LAST]"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<a@b.test>", "BDAT 0", "RCPT TO:<a@b.test>"],
     "503 5.5.1 Error: message content has begun"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<a@b.test>", "BDAT 0", "DATA"],
     "503 5.5.1 Error: message content has begun by BDAT"),
    (["MAIL a@b.test"], "501 5.5.4 Syntax: MAIL FROM:<address>"),
    (["MAIL FROM:<a@@b.test>"], "501 5.1.7 Bad sender address syntax"),
    (["MAIL FROM:<a@b.test> COLOUR=red"], "555 5.5.4 Error: unsupported parameter"),
    (["MAIL FROM:<a@b.test> SIZE=1 SIZE=1"], "501 5.5.4 Error: parameter given twice"),
    (["MAIL FROM:<a@b.test> SIZE=x"], "501 5.5.4 Error: bad parameter"),
    (["MAIL FROM:<a@b.test> SIZE=999999999999"], "552 5.3.4 Message size exceeds fixed limit"),
    (["MAIL FROM:<\u00e4@b.test>"], "553 5.6.7 Address needs SMTPUTF8"),
    (["MAIL FROM:<a@b.test>", "RCPT a@b.test"], "501 5.5.4 Syntax: RCPT TO:<address>"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<a@@b.test>"], "501 5.1.3 Bad recipient address syntax"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<" + "x" * 300 + "@b.test>"], "553 5.1.3 Recipient address too long"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<a@[192.0.2.1]>"], "550 5.7.1 Address literals are not served"),
]
MESSAGES = [
    ("Subject: x\n\nHello.", "550 5.6.0 The message needs one From field with an address"),
    ("Hello, nothing else.\n\n" + ("y" * 70 + "\n") * 5000, "550 5.6.0 The message has no header"),
    ("Hello, nothing else.", "550 5.6.0 The message needs one From field with an address"),
    ("From: a@shop.test\nFrom: b@shop.test\n\nx", "550 5.6.0 More than one From field"),
    ("From: a@shop.test, b@other.test\n\nx", "550 5.6.0 Authors of several domains in From"),
    ("From: " + ",\n ".join(f"a{n}@shop.test" for n in range(200)) + "\n\nx", "550 5.6.0 Too many authors in From"),
    (f"From: {FROM}\nno field\n\nx", "550 5.6.0 A header line is no field"),
    (f"From: {FROM}\n\n" + "x" * 3000, "550 5.6.0 Line too long in the message"),
    (f"From: {FROM}\nSubject: \u00e4\n\nx",
     "550 5.6.7 A header field has 8-bit text: encode it (RFC 2047) or use SMTPUTF8"),
    (f"From: {FROM}\nX-MC-SendAt: soon\n\nx", "550 5.6.0 SendAt is not YYYY-MM-DD HH:MM:SS"),
    (f"From: {FROM}\nX-MC-SendAt: 2999-01-01 00:00:00\n\nx", "550 5.6.0 SendAt is more than a year away"),
    (f"From: {FROM}\nX-MC-Subaccount: none\n\nx", "550 5.7.1 Unknown subaccount none"),
    (f"From: {FROM}\nX-Packetboat-Subaccount: {'n' * 100}\n\nx", "550 5.7.1 The header names no such subaccount"),
    ("Received: by x\n" * 120 + f"From: {FROM}\n\nx", "554 5.4.6 Error: too many hops"),
    ("From: x@stranger.test\n\nx", "550 5.7.1 Domain stranger.test is not verified for this account: unsigned; "
     "add it with pbdomain and publish its records"),
    ("From: x@pending.test\n\nx", "550 5.7.1 Domain pending.test is not verified for this account: unsigned; "
     "publish the records that pbdomain shows"),
    ("From: nobody\n\nx", "550 5.6.0 The message needs one From field with an address"),
    (f"From: {FROM}\nX-Long: " + ("y" * 70 + "\n ") * 3000 + "\n\nx", "552 5.3.4 Message header exceeds fixed limit"),
]


def check_all(boat, page, rows, **options):
    for lines, want in rows:
        with Client(boat, page, **options) as client:
            assert client.all(*lines) == want, [line[:80] for line in lines]


def test_replies_to_commands(packetboat, account, page):
    check_all(packetboat, page, IN_CLEAR, tls=False)
    check_all(packetboat, page, IN_TLS)
    check_all(packetboat, page, LOGGED_IN, account=account)
    with Client(packetboat, page) as client:
        assert client.say("AUTH LOGIN") == "334 VXNlcm5hbWU6"
        client.say(base64.b64encode(account.username.encode()).decode())
        assert client.say(base64.b64encode(account.password.encode()).decode()) == "235 2.7.0 Authentication successful"
    with socket.create_connection((packetboat.address, packetboat.submission_port), 20) as s:
        assert s.recv(200).startswith(b"220 mail.packetboat.test ")


def test_replies_to_messages(packetboat, account, page):
    packetboat.tool("pbdomain", "add", "shop", "pending.test")
    different = []
    for text, want in MESSAGES:
        with Client(packetboat, page, account) as client:
            got = client.message(text)
        if got != want:
            different.append((text[:80], got, want))
    assert different == []
    with Client(packetboat, page, account) as client:
        assert client.all(f"MAIL FROM:<{FROM}>", "RCPT TO:<bob@sink.test>", "DATA").startswith("354")
        assert client.raw(f"From: {FROM}\r\n\r\na\nb\r\n.\r\n".encode()) == \
            "550 5.6.11 Bare CR, bare LF or NUL in the message"
    with Client(packetboat, page, account) as client:
        client.say(f"MAIL FROM:<{FROM}>")
        client.say("RCPT TO:<a@@b>")
        assert client.say("DATA") == "554 5.5.1 Error: no valid recipients"
    with Client(packetboat, page, account) as client:
        assert client.message(f"From: {FROM}\n\nHello.").startswith("250 2.0.0 Thanks! Queued as: ")


def test_replies_about_keys_and_accounts(packetboat, account, page):
    packetboat.tool("pbaccount", "add", "shop/eu")
    packetboat.tool("pbaccount", "add", "shop/us")
    for options, text, want in [
        (["--from", "news@shop.test"], f"From: {FROM}\n\nx", "550 5.7.1 The API key may only send from news@shop.test"),
        (["--subaccount", "eu"], f"From: {FROM}\nX-MC-Subaccount: us\n\nx", "550 5.7.1 The API key is for another subaccount"),
    ]:
        key = packetboat.add_key("shop", *options)
        with Client(packetboat, page, key) as client:
            assert client.message(text) == want
    packetboat.tool("pbaccount", "set", "shop", "sender=plain")
    with Client(packetboat, page, account) as client:
        client.all("MAIL FROM:<a@stranger.test>", "RCPT TO:<bob@sink.test>", "DATA")
        assert client.raw(f"From: {FROM}\r\n\r\nx\r\n.\r\n".encode()) == \
            "550 5.7.1 Sender a@stranger.test is in no verified domain of this account: unsigned; add its domain with pbdomain"

    short = packetboat.add_key("shop", "--expires", "3s")
    with Client(packetboat, page, short) as client:
        shown = packetboat.tool("pbkey", "list", "--json", "shop").lines
        wait_for(lambda: packetboat.tool("pbkey", "list", "--json", "shop").lines()[-1]["status"] == "expired", 20, "the end")
        assert shown() and client.message(f"From: {FROM}\n\nx") == "550 5.7.1 The API key has expired"
    of_sub = packetboat.add_key("shop/eu")
    with Client(packetboat, page, of_sub) as client:
        packetboat.tool("pbaccount", "delete", "shop/eu")
        assert client.message(f"From: {FROM}\n\nx") == "550 5.7.1 The API key was revoked"
    limited = packetboat.add_key("shop")
    with Client(packetboat, page, limited) as client:
        last = packetboat.tool("pbkey", "list", "--json", "shop").lines()[-1]["id"]
        packetboat.tool("pbkey", "set", "shop", str(last), "--networks", "192.0.2.0/24")
        assert client.reply() == "421 4.7.0 Error: the key is changed, log in again"
    with Client(packetboat, page, account) as client:
        first = packetboat.tool("pbkey", "list", "--json", "shop").lines()[0]["id"]
        packetboat.tool("pbkey", "revoke", "shop", str(first))
        assert client.reply() == "421 4.7.0 Error: the key is revoked"


def test_replies_at_limits(new_packetboat, page):
    boat = new_packetboat(smtpd_recipient_limit="100", message_size_limit="70000", smtpd_hard_error_limit="5",
                          smtpd_client_connection_count_limit="3", smtpd_timeout="5s")
    account = boat.add_account("shop")
    boat.add_domain(account, "shop.test")
    with Client(boat, page, account) as client:
        client.say(f"MAIL FROM:<{FROM}>")
        for n in range(100):
            assert client.say(f"RCPT TO:<a{n}@sink.test>") == "250 2.1.5 Ok"
        assert client.say("RCPT TO:<more@sink.test>") == "452 4.5.3 Error: too many recipients"
        replies = (client.say(f"RCPT TO:<more{n}@sink.test>") for n in range(10000))
        assert next(r for r in replies if not r.startswith("452")) == "421 4.5.3 Error: too many recipients"
    with Client(boat, page, account) as client:
        assert client.message(f"From: {FROM}\n\n" + ("y" * 70 + "\n") * 2000) == "552 5.3.4 Message size exceeds fixed limit"
    with Client(boat, page, account) as client:
        for _ in range(4):
            client.say("VRFY")
        assert client.say("VRFY") == "501 5.5.4 Syntax: VRFY address"
        assert client.reply() == "421 4.7.0 Error: too many errors"
    with Client(boat, page) as client:
        for _ in range(3):
            assert client.say("AUTH PLAIN " + plain("shop", "wrong")) == "535 5.7.8 Error: authentication failed"
        assert client.reply() == "421 4.7.0 Error: too many failed logins"
    with Client(boat, page) as client:
        assert client.reply() == "421 4.4.2 Error: timeout exceeded"
    with Client(boat, page) as client:
        boat.kill("smtpd", signal.SIGTERM)
        assert client.reply() == "421 4.3.2 Service shutting down"
    wait_for(boat.ready, 20, "the next smtpd")

    def connections_are_limited():
        open_ones = [socket.create_connection((boat.address, boat.submission_port), 20) for _ in range(12)]
        texts = [s.recv(200).decode() for s in open_ones]
        for s in open_ones:
            s.close()
        return any(t == "421 4.7.0 Error: too many connections from your address\r\n" for t in texts)
    assert connections_are_limited()


def test_reply_to_guessing_addresses(new_packetboat, page):
    boat = new_packetboat(smtpd_client_auth_failure_limit="1")
    boat.add_account("shop")
    wrong = Account("shop", "shop", "wrong")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        boat.login(wrong)
    with socket.create_connection((boat.address, boat.submission_port), 20) as s:
        assert s.recv(200) == b"421 4.7.0 Error: too many failed logins from your address\r\n"


def test_replies_while_a_process_does_not_answer(new_packetboat, page):
    boat = new_packetboat(smtpd_service_timeout="1s")
    account = boat.add_account("shop")
    boat.add_domain(account, "shop.test")
    with Client(boat, page, account) as client, Client(boat, page) as stranger:
        stopped = boat.pids("accountd")
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            assert stranger.say("AUTH PLAIN " + plain(account.username, account.password)) == \
                "454 4.7.0 Temporary authentication failure"
            assert client.message(f"From: {FROM}\n\nx") == "451 4.3.0 Error: temporary failure, try again later"
            with Client(boat, page, tls=False, port=boat.mx_port) as reporter:
                assert reporter.all("EHLO c", "MAIL FROM:<>", f"RCPT TO:<bounces+x@{BOUNCES}>") == \
                    "451 4.3.0 Temporary lookup failure"
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)


def test_replies_without_a_certificate(new_packetboat, page):
    boat = new_packetboat(smtpd_tls_cert_file=None, smtpd_tls_key_file=None)
    with Client(boat, page, tls=False) as client:
        assert client.all("EHLO c", "STARTTLS") == "502 5.5.1 Error: command not implemented"
    with socket.create_connection((boat.address, boat.submissions_port), 20) as s:
        assert s.recv(200) == b"421 4.3.2 Error: TLS is not available\r\n"


def test_reply_to_more_connections_than_there_may_be(new_packetboat, page):
    boat = new_packetboat(smtpd_connection_limit="1")

    def come():
        s = socket.create_connection((boat.address, boat.submission_port), 20)
        return s, s.recv(200)
    first = wait_for(lambda: [s for s, greeting in [come()] if greeting.startswith(b"220")], 20, "a place")[0]
    second, greeting = come()
    assert greeting == b"421 4.3.2 Error: too many connections\r\n"
    first.close(), second.close()


def test_replies_to_clients_that_need_no_key(new_packetboat, page):
    boat = new_packetboat(mynetworks="127.0.0.0/8", mynetworks_account="relay")
    with Client(boat, page) as client:
        assert client.say("MAIL FROM:<a@b.test>") == "550 5.7.1 mynetworks_account is no account"
    account = boat.add_account("relay", unsigned="allow")
    with Client(boat, page) as client:
        assert client.all("MAIL FROM:<a@b.test>", "AUTH PLAIN " + plain(account.username, account.password)) == \
            "503 5.5.1 Error: mail transaction in progress"
        assert client.all("RCPT TO:<a@b.test>", "DATA").startswith("354")
        boat.tool("pbaccount", "delete", "relay")
        assert client.raw(b"From: a@b.test\r\n\r\nx\r\n.\r\n") == "550 5.7.1 The account no longer exists"


def test_replies_without_room(new_packetboat, sink, page):
    boat = new_packetboat()
    account = boat.add_account("shop", queue=1, unsigned="allow")
    sink.on("RCPT", "450 4.2.1 later")

    def offer():
        with Client(boat, page, account) as client:
            got = client.say(f"MAIL FROM:<{FROM}>")
            return got if got[0] != "2" else client.all("RCPT TO:<bob@sink.test>", "DATA", f"From: {FROM}\r\n\r\nx\r\n.")
    want = "452 4.3.1 The queue of this account is at its limit, try again later"
    wait_for(lambda: offer() == want, 30, want)
    boat.write_config(spool_min_free="1000000G")
    boat.restart()
    want = "452 4.3.1 Insufficient system storage"
    wait_for(lambda: offer() == want, 30, want)


def test_replies_of_the_port_for_reports(packetboat, account, sink, page):
    with Client(packetboat, page, tls=False, port=packetboat.mx_port) as client:
        assert client.all("EHLO c", "AUTH PLAIN") == "503 5.5.1 Error: authentication not enabled"
        assert client.all("MAIL FROM:<>", "RCPT TO:<a@other.test>") == "550 5.7.1 Relay access denied"
        assert client.say(f"RCPT TO:<bounces+nothing@{BOUNCES}>") == "550 5.1.1 We sent no message with this return path"
    packetboat.send(account, FROM, "bob@sink.test")
    back = sink.wait_messages(1)[0].mail_from
    with Client(packetboat, page, tls=False, port=packetboat.mx_port) as client:
        assert client.all("EHLO c", "MAIL FROM:<>", f"RCPT TO:<{back}>") == "250 2.1.5 Ok"
        assert client.say(f"RCPT TO:<{back}>") == "452 4.5.3 One recipient at a time"
    # It talks while nobody has taken its connection.
    packetboat.kill("smtpd", signal.SIGSTOP)
    with socket.create_connection((packetboat.address, packetboat.mx_port), 20) as s:
        s.sendall(b"EHLO c\r\n")
        packetboat.kill("smtpd", signal.SIGCONT)
        assert s.recv(200) == b"554 5.5.0 Error: talked before the greeting\r\n"
