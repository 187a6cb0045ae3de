"""An independent verifier for our signatures: dkimpy, with keys from the test's zone."""

import re

import dkim


def signatures(message: bytes) -> list[dict[str, str]]:
    """The tags of each DKIM-Signature header, in the order of the headers."""
    head = message.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("utf-8", "replace")
    unfolded = re.sub(r"\n[ \t]+", " ", head)
    return [dict(tag.strip().split("=", 1) for tag in line.split(":", 1)[1].split(";") if "=" in tag)
            for line in unfolded.split("\n") if line.lower().startswith("dkim-signature:")]


def verified(message: bytes, name_server) -> list[dict[str, str]]:
    """The tags of those signatures that verify; the rest is left out."""
    def lookup(name, timeout=5):
        return name_server.txt(name.decode() if isinstance(name, bytes) else name)

    checker = dkim.DKIM(message, minkey=1024)
    good = []
    for n, tags in enumerate(signatures(message)):
        try:
            if checker.verify(n, dnsfunc=lookup):
                good.append({k.strip(): re.sub(r"\s+", "", v) for k, v in tags.items()})
        except dkim.DKIMException:
            continue
    return good
