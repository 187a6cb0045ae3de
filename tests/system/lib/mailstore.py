"""Reading what a receiver has delivered into a maildir."""

import email
import email.message
import email.policy
import os
import pathlib

from .wait import wait_for


class Stored:
    """One delivered message: the file's bytes, and the headers parsed."""

    def __init__(self, path: pathlib.Path):
        self.path = path
        self.data = path.read_bytes()
        self.message: email.message.EmailMessage = email.message_from_bytes(self.data, policy=email.policy.default)

    def header(self, name: str) -> str:
        return str(self.message.get(name, ""))

    @property
    def return_path(self) -> str:
        return self.header("Return-Path").strip("<>")

    @property
    def recipient(self) -> str:
        return self.header("Delivered-To") or self.header("Envelope-To")

    @property
    def wire(self) -> bytes:
        """As it was on the wire, with what the receiver put in front."""
        return self.data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class MailStore:
    """A maildir that takes mail for everybody."""

    def __init__(self, directory: pathlib.Path, uid: int, gid: int):
        self.directory = directory
        directory.mkdir()
        os.chown(directory, uid, gid)

    def messages(self, recipient: str | None = None) -> list[Stored]:
        files = sorted(self.directory.glob("**/new/*"), key=lambda p: p.stat().st_mtime_ns)
        stored = [Stored(path) for path in files]
        return [m for m in stored if recipient in (None, m.recipient)]

    def wait(self, count: int = 1, recipient: str | None = None, deadline: float = 20) -> list[Stored]:
        wait_for(lambda: len(self.messages(recipient)) >= count, deadline,
                 f"{count} messages for {recipient or 'anybody'} in {self.directory}")
        return self.messages(recipient)
