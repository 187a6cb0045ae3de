"""Changes of every kind by the tools, with a ledger: what was acknowledged must be there, and nothing by half."""

import itertools
import json
import threading

from .packetboat import Packetboat
from .wait import wait_for

ADDRESSES = 40
NETWORK = "192.0.2.0/24"


class Changes:
    """Threads that make one tenant after the other, each with everything that belongs to one."""

    def __init__(self, boat: Packetboat, threads: int = 2):
        self.boat = boat
        self.acknowledged: dict[str, dict] = {}   # tenant -> what of it was
        self.failures: list[str] = []
        self.broken: list[BaseException] = []
        self.numbers = itertools.count(1)
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join(60)
        assert not self.broken, self.broken
        assert not any(t.is_alive() for t in self.threads)

    def steps(self) -> int:
        return sum(map(len, self.acknowledged.values()))

    def wait(self, steps: int, deadline: float = 60):
        """Until so many changes were acknowledged."""
        wait_for(lambda: self.broken or self.steps() >= steps, deadline,
                 f"{steps} changes; there are {self.steps()}; last failures {self.failures[-3:]}", pause=0.005)
        assert not self.broken, self.broken

    def snapshot(self) -> dict[str, dict]:
        return {name: dict(done) for name, done in list(self.acknowledged.items())}

    def _run(self):
        try:
            while not self.is_over.is_set():
                self._make(f"t{next(self.numbers)}")
        except BaseException as e:
            self.broken.append(e)

    def _step(self, done: dict, what: str, *command: str, input: str | None = None):
        result = self.boat.tool(*command, check=False, input=input)
        if result.code == 0:
            done[what] = result.out
        else:
            self.failures.append(f"{what}: {result.code} {result.err.strip()}")
        return result.code == 0

    def _make(self, name: str):
        done = self.acknowledged.setdefault(name, {})
        if not self._step(done, "account", "pbaccount", "add", name):
            return
        self._step(done, "setting", "pbaccount", "set", name, "unsigned=allow", "notes=kept whole")
        self._step(done, "key", "pbkey", "add", "--json", name)
        if self._step(done, "revoked", "pbkey", "add", "--json", name):
            key_id = str(json.loads(done["revoked"])["id"])
            self._step(done, "limit", "pbkey", "set", name, key_id, "--networks", NETWORK, "--label", "limited")
            self._step(done, "revocation", "pbkey", "revoke", name, key_id)
        self._step(done, "domain", "pbdomain", "add", name, f"{name}.test")
        self._step(done, "hook", "pbhook", "add", name, f"http://127.0.0.1:1/{name}")
        self._step(done, "suppressions", "pbsuppress", "add", name, "-",
                   input="".join(f"{name}-{n}@listed.test\n" for n in range(ADDRESSES)))


def check(boat: Packetboat, acknowledged: dict[str, dict]):
    """Everything acknowledged is there; of the rest all or nothing."""
    there = {a["name"] for a in boat.tool("pbaccount", "list", "--json").lines()}
    for name, done in acknowledged.items():
        if name not in there:
            assert done == {}, (name, done.keys())
            continue
        settings = boat.tool("pbaccount", "show", "--json", name).json()
        assert "setting" not in done or settings["notes"] == "kept whole", settings
        keys = boat.tool("pbkey", "list", "--json", name).lines()
        assert len(keys) >= ("key" in done) + ("revoked" in done), (name, keys)
        assert "revocation" not in done or any(k["status"] == "revoked" for k in keys), (name, keys)
        limits = {(k["networks"], k["label"]) for k in keys}
        assert limits <= {("", ""), (NETWORK, "limited")}, (name, keys)
        assert "limit" not in done or (NETWORK, "limited") in limits, (name, keys)
        domains = boat.tool("pbdomain", "list", "--json", name).lines()
        assert "domain" not in done or len(domains) == 1, name
        for d in domains:
            records = boat.domain_records(name, d["domain"])
            assert [r for r in records if r["value"].startswith("v=DKIM1")], records
        hooks = boat.tool("pbhook", "list", "--json", name).lines()
        assert "hook" not in done or [h["url"] for h in hooks] == [f"http://127.0.0.1:1/{name}"], (name, hooks)
        listed = len(boat.tool("pbsuppress", "list", "--json", name).lines())
        assert listed == ADDRESSES or (listed == 0 and "suppressions" not in done), (name, listed)
