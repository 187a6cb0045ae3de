"""Reports made to exhaust their reader: each is read with little time and memory, by the code of the daemon.

Time is the processor's and memory the most that was resident, so that a busy machine changes neither.
"""

import base64
import json
import os
import pathlib
import resource
import smtplib
import subprocess

import pytest

from lib.places import ROOT

SECONDS = 5
MEGABYTES = 150

HEAD = b"From: MAILER-DAEMON@x.test\nSubject: failure notice\nMIME-Version: 1.0\n"
MULTIPART = b'Content-Type: multipart/mixed; boundary="b"\n\n'


def one_header(size: int):
    """A single field without an end."""
    yield HEAD + b"X-Long: "
    for _ in range(size >> 20):
        yield b"x" * (1 << 20)
    yield b"\n\nnobody@x.test: user unknown\n"


def many_headers(size: int):
    yield HEAD
    for _ in range(size >> 20):
        yield b"Received: from a.test by b.test; Mon, 1 Jan 2024 00:00:00 +0000\n" * (1 << 14)
    yield b"\nnobody@x.test: user unknown\n"


def nested_messages(depth: int):
    yield HEAD + b"Content-Type: message/rfc822\n\n"
    yield b"Content-Type: message/rfc822\n\n" * depth


def nested_multiparts(depth: int):
    yield HEAD
    for i in range(depth):
        yield b'Content-Type: multipart/report; boundary="%d"\n\n--%d\n' % (i, i)


def many_parts(count: int):
    yield HEAD + MULTIPART
    for _ in range(count >> 10):
        yield b"--b\nContent-Type: message/delivery-status\n\nAction: failed\n" * (1 << 10)


def many_recipients(count: int):
    yield HEAD + b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
    yield b"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x.test\n\n"
    for i in range(count >> 10):
        yield b"".join(b"Final-Recipient: rfc822; u%d@x.test\nAction: failed\nStatus: 5.1.1\n\n" % (i << 10 | k)
                       for k in range(1 << 10))
    yield b"--b--\n"


def encoded(size: int):
    yield HEAD + b"Content-Type: text/html\nContent-Transfer-Encoding: base64\n\n"
    for _ in range(size >> 20):
        yield base64.encodebytes(b"<table>" * (3 << 16))


def bad_utf8(size: int):
    yield b"Subject: \xff\xfe\xc0\x80 =?utf-8?b?" + b"/" * 4096 + b"?=\n" + HEAD
    yield b"Content-Type: text/plain; charset=utf-8\n\n<nobody@\xf0\x9f\xff>: user unknown\n"
    for _ in range(size >> 20):
        yield bytes(range(128, 256)) * (1 << 13)


def encoded_words(size: int):
    yield HEAD + b"X-Failed-Recipients: "
    for _ in range(size >> 20):
        yield b"=?utf-8?q?=F0=9F=FF?= " * 47662
    yield b"\n\nuser unknown\n"


BOMBS = [(one_header, 100 << 20), (many_headers, 100 << 20), (nested_messages, 500_000), (nested_multiparts, 200_000),
         (many_parts, 1 << 20), (many_recipients, 1 << 18), (encoded, 64 << 20), (bad_utf8, 64 << 20),
         (encoded_words, 32 << 20)]


def classify(path: pathlib.Path) -> tuple[list[dict], float, float]:
    """What pbbounce prints, the seconds of processor it took, and the megabytes."""
    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (10 * SECONDS, 10 * SECONDS))  # an endless one ends too
    with open(path.with_suffix(".out"), "wb") as out:
        child = subprocess.Popen([ROOT / "bin/pbbounce", "classify", path], stdout=out, preexec_fn=limit)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    rows = [json.loads(line) for line in path.with_suffix(".out").read_text(encoding="utf-8").splitlines()]
    return rows, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


@pytest.mark.parametrize("bomb, size", BOMBS, ids=[b.__name__ for b, _ in BOMBS])
def test_a_bomb_takes_little_time_and_memory(bomb, size, install_root, tmp_path):
    path = tmp_path / "bomb.eml"
    with open(path, "wb") as file:
        file.writelines(bomb(size))
    rows, seconds, megabytes = classify(path)
    path.unlink()
    assert len(rows) == 1
    assert seconds < SECONDS and megabytes < MEGABYTES, (seconds, megabytes)


THROUGH_MX = [(many_headers, 8 << 20), (nested_messages, 50_000), (nested_multiparts, 20_000), (many_parts, 1 << 15),
              (many_recipients, 1 << 14), (encoded, 8 << 20), (bad_utf8, 8 << 20)]


def submit(boat, recipient: str, data: bytes) -> int:
    with smtplib.SMTP(boat.address, boat.mx_port, local_hostname="mx.sink.test", timeout=60) as smtp:
        smtp.ehlo()
        smtp.mail("")
        assert smtp.rcpt(recipient)[0] == 250
        return smtp.data(data.replace(b"\n", b"\r\n"))[0]


def test_bombs_at_a_return_path_neither_stop_nor_swell_the_bouncer(packetboat, account, sink):
    """What the listener lets in is read and done with; a real report behind them counts."""
    message_id = packetboat.send(account, "orders@shop.test", "nobody@sink.test")
    path = sink.wait_messages()[0].mail_from
    bouncer = packetboat.pids("bouncer")
    codes = {bomb.__name__: submit(packetboat, path, b"".join(bomb(size))) for bomb, size in THROUGH_MX}
    assert all(code == 250 or 500 <= code < 600 for code in codes.values()), codes
    assert list(codes.values()).count(250) >= 4, codes
    assert submit(packetboat, path, HEAD + b"\nHi. This is the qmail-send program at mx.sink.test.\n"
                  b"I'm afraid I wasn't able to deliver your message to the following addresses.\n\n"
                  b"<nobody@sink.test>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
                  b"--- Below this line is a copy of the message.\n\nSubject: a test\n\n") == 250
    packetboat.wait_log(rf"report about={message_id}, to=<nobody@sink.test>, dsn=5.1.1", 40)
    packetboat.wait_queue_empty()
    assert packetboat.pids("bouncer") == bouncer
    status = pathlib.Path(f"/proc/{bouncer[0]}/status").read_text()
    most = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    assert most < MEGABYTES << 10, f"{most} kB"
