"""Reads, and damages, the files of a stopped instance's spool as packetboat-spool(5) describes them."""

import dataclasses
import pathlib
import struct

FILE_HEADER = 128
BATCH = struct.Struct("<4sIQQQQIIIIII")
RECORD = struct.Struct("<IHHIIII")


@dataclasses.dataclass
class Record:
    type: int
    off: int           # of its header
    length: int        # of the record behind it
    content_off: int   # in the file
    content_length: int


@dataclasses.dataclass
class Batch:
    off: int
    total: int
    committed: int
    records: list[Record]


def batches(path: pathlib.Path) -> list[Batch]:
    data = path.read_bytes()
    found = []
    at = FILE_HEADER
    while data[at:at + 4] == b"BCTB":
        _, _, _, _, committed, _, total, rec_len, _, _, count, _ = BATCH.unpack_from(data, at)
        records = []
        place = at + BATCH.size
        for _ in range(count):
            length, kind, _, _, content_off, content_length, _ = RECORD.unpack_from(data, place)
            records.append(Record(kind, place, length, at + BATCH.size + rec_len + content_off, content_length))
            place += RECORD.size + (length + 7) // 8 * 8
        found.append(Batch(at, total, committed, records))
        at += total
    return found


def segments(spool: pathlib.Path) -> list[pathlib.Path]:
    """Those that hold something, the oldest first."""
    return sorted(p for p in spool.glob("msg/*/*.seg") if p.stat().st_size > FILE_HEADER)


def find(spool: pathlib.Path, text: bytes) -> tuple[pathlib.Path, Batch, Record]:
    """The segment, batch and record whose content holds the text."""
    for path in segments(spool):
        data = path.read_bytes()
        for batch in batches(path):
            for record in batch.records:
                if text in data[record.content_off:record.content_off + record.content_length]:
                    return path, batch, record
    raise LookupError(f"{text!r} is in no segment")


def flip(path: pathlib.Path, off: int):
    """Changes one bit."""
    with open(path, "r+b") as f:
        f.seek(off)
        byte = f.read(1)[0]
        f.seek(off)
        f.write(bytes([byte ^ 0x10]))


def append(path: pathlib.Path, data: bytes):
    with open(path, "ab") as f:
        f.write(data)
