#!/usr/bin/python3
"""One message through the whole suite, step by step; called by script/demo."""

import json
import os
import pathlib
import shutil
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests/system"))

from lib.ca import TestCA  # noqa: E402
from lib.dkimcheck import verified  # noqa: E402
from lib.dns import NameServer  # noqa: E402
from lib.net import Addresses, free_port  # noqa: E402
from lib.packetboat import Packetboat  # noqa: E402
from lib.postfix import PostfixReceiver  # noqa: E402
from lib.webhook import WebhookReceiver  # noqa: E402
from lib.wait import wait_for  # noqa: E402

RECIPIENT = "ada@example-receiver.test"


def step(text: str):
    print(f"\n== {text}", flush=True)


def show(boat: Packetboat, *command: str):
    """Runs a tool as an administrator would, with the command on the screen."""
    print("$ " + " ".join(command), flush=True)
    print(boat.tool(*command).out.rstrip(), flush=True)


class Stage:
    """The surroundings: name server, receiving host, endpoint; all real."""

    def __init__(self, directory: pathlib.Path):
        def folder(name: str) -> pathlib.Path:
            path = directory / name
            path.mkdir()
            path.chmod(0o755)
            return path
        addresses = Addresses()
        port = free_port()
        ca = TestCA(folder("ca"))
        self.names = NameServer(folder("nsd"), addresses.next())
        host, address = "mx.example-receiver.test", addresses.next()
        self.postfix = PostfixReceiver(folder("postfix"), address, port, ["example-receiver.test"], ca.server(host), host)
        self.names.add_mail_host("example-receiver.test", (host, address))
        hook = addresses.next()
        self.hook = WebhookReceiver(hook, free_port(hook), None, None)
        self.boat = Packetboat(folder("packetboat"), addresses.next(), ca, self.names, port)
        self.names.add(self.boat.HOSTNAME, "A", self.boat.address)
        self.running = []

    def start(self, server):
        self.running.append(server)
        server.start()

    def stop(self):
        for server in reversed(self.running):
            server.stop()


def run(stage: Stage):
    boat = stage.boat
    step("starting a name server (nsd), a receiving server (Postfix) and a webhook endpoint")
    for server in (stage.names, stage.postfix, stage.hook):
        stage.start(server)
    step("starting Packetboat")
    stage.start(boat)
    show(boat, "packetboat", "status")

    step("an account, an API key, a verified sending domain, a webhook")
    account = boat.add_account("demo")
    print(f"username: {account.username}\npassword: {account.password[:12]}... (shown once)")
    boat.add_domain(account, "shop.test")
    show(boat, "pbdomain", "show", "demo", "shop.test")
    show(boat, "pbhook", "add", "demo", stage.hook.url)

    step(f"a client submits a message with STARTTLS and AUTH to {boat.address}:{boat.submission_port}")
    message_id = boat.send(account, "orders@shop.test", RECIPIENT, subject="Your order has left the harbour")
    print(f"250 2.0.0 Thanks! Queued as: {message_id}")

    step("what Postfix received")
    received = stage.postfix.mail.wait(1, RECIPIENT)[0]
    text = received.wire.decode(errors="replace")
    print(text.replace("\r\n", "\n"))
    good = verified(received.wire, stage.names)
    assert good, "no valid DKIM signature"
    step("DKIM, checked by dkimpy with the keys in DNS: "
         + ", ".join(f"{s.get('a')} by {s.get('d')} ({s.get('s')}): valid" for s in good))

    step("the webhook's JSON")
    posts = wait_for(lambda: [p for p in stage.hook.posts if b"delivery" in p.body], 20, "the delivery event")
    print(json.dumps(json.loads(posts[0].body), indent=2))

    step("the message's life, found again")
    show(boat, "pblog", "trace", message_id)
    show(boat, "pbqueue", "-p")


def main():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="packetboat-demo-"))
    directory.chmod(0o755)
    os.umask(0o022)
    stage = Stage(directory)
    try:
        run(stage)
        step("done: accepted, signed, delivered, reported and found again")
    except BaseException:
        print(stage.boat.log_text()[-4000:], file=sys.stderr)
        raise
    finally:
        stage.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
