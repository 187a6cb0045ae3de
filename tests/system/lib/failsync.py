"""Syncs of one daemon that fail when a test says so: shim/failsync.c preloaded into the suite."""

import mmap
import pathlib
import struct
import subprocess

from .places import ROOT, TOP
from .process import run


class FailSync:
    """The page that the preloaded shim looks at; see shim/failsync.c."""

    LAYOUT = struct.Struct("16siiii")

    def __init__(self, folder: pathlib.Path):
        self.shim, self.path = folder / "failsync.so", folder / "page"
        run("cc", "-shared", "-fPIC", "-O2", "-Wall", "-o", self.shim, TOP / "tests/system/shim/failsync.c")
        self.path.write_bytes(bytes(self.LAYOUT.size))
        self.path.chmod(0o666)
        with open(self.path, "r+b") as f:
            self.page = mmap.mmap(f.fileno(), self.LAYOUT.size)

    @staticmethod
    def is_possible() -> bool:
        """A sanitizer's runtime would have to be preloaded first."""
        linked = subprocess.run(["ldd", ROOT / "libexec/packetboat/smtpd"], capture_output=True).stdout
        return b"libasan" not in linked

    @property
    def environment(self) -> dict[str, str]:
        """What the suite is to be started with."""
        return {"LD_PRELOAD": str(self.shim), "FAILSYNC_PAGE": str(self.path)}

    def is_in(self, pid: int) -> bool:
        return str(self.path) in pathlib.Path(f"/proc/{pid}/maps").read_text()

    def fail(self, program: str, skip: int = 0, count: int = 1):
        """After `skip` more good syncs of the program, `count` fail."""
        self.LAYOUT.pack_into(self.page, 0, program.encode(), skip, count, self.failed, 0)

    def normal(self):
        self.fail("", 0, 0)

    @property
    def failed(self) -> int:
        return self.LAYOUT.unpack_from(self.page)[3]

    @property
    def writes_after(self) -> int:
        """Writes to files after their sync had failed."""
        return self.LAYOUT.unpack_from(self.page)[4]
