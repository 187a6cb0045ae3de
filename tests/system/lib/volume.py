"""A file system of its own for a folder, to be filled."""

import errno
import os
import pathlib

from .process import run

MB = 1 << 20


class Volume:
    """A small file system of its own on a folder."""

    def __init__(self, path: pathlib.Path):
        self.path = path
        self.ballast = path / "ballast"

    def mount(self, *options: str):
        run("mount", *options, self.path)

    def unmount(self):
        if os.path.ismount(self.path):
            run("umount", self.path)

    def free(self) -> int:
        v = os.statvfs(self.path)
        return v.f_bavail * v.f_frsize

    def free_inodes(self) -> int:
        return os.statvfs(self.path).f_favail

    def leave(self, size: int):
        """Takes all space but so much (0: all)."""
        with open(self.ballast, "ab") as f:
            part = 1 << 30
            while part >= 4096 and (n := self.free() - size) > 0:
                try:
                    os.posix_fallocate(f.fileno(), os.fstat(f.fileno()).st_size, min(n, part))
                except OSError as e:
                    if e.errno != errno.ENOSPC:
                        raise
                    part = min(n, part) // 2  # the suite writes too, and was quicker

    def leave_inodes(self, count: int):
        folder = self.path / "inodes"
        folder.mkdir(exist_ok=True)
        for n in range(self.free_inodes() - count):
            (folder / str(n)).touch()

    def release(self):
        self.ballast.unlink(missing_ok=True)
        for file in (self.path / "inodes").glob("*"):
            file.unlink()
