"""Installed and started by root: a user and an empty root for each daemon."""

import pathlib
import signal

import pytest

from lib.wait import wait_for

pytestmark = pytest.mark.root


def status(pid: int, field: str) -> list[str]:
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line for line in lines if line.startswith(field + ":")).split()[1:]


def test_each_daemon_has_a_user_of_its_own_and_no_way_up(new_packetboat, sink):
    boat = new_packetboat(mode="root")
    account = boat.add_account("shop")
    boat.add_domain(account, "shop.test")
    message_id = boat.send(account, "orders@shop.test", "bob@sink.test")
    assert sink.wait_messages()[0].recipients == ["bob@sink.test"]
    boat.wait_event("delivery", message_id=message_id)

    users = {}
    for daemon in boat.DAEMONS:
        pid = boat.pids(daemon)[0]
        users[daemon] = set(status(pid, "Uid"))
        assert "0" not in users[daemon], daemon
        assert status(pid, "CapEff") == ["0000000000000000"], daemon
        assert status(pid, "NoNewPrivs") == ["1"], daemon
        assert status(pid, "Seccomp") == ["2"], daemon
        assert pathlib.Path(f"/proc/{pid}/root").readlink() != pathlib.Path("/"), daemon
    assert len({next(iter(u)) for u in users.values()}) == len(boat.DAEMONS)
    for daemon in ("smtpd", "deliver", "bouncer"):
        root = pathlib.Path(f"/proc/{boat.pids(daemon)[0]}/root")
        assert list(root.iterdir()) == [], daemon


def test_a_daemon_that_its_sandbox_kills_is_an_error_in_the_log(new_packetboat):
    """By the signal of the filter: what it does to a system call is tested with resolvd's cage."""
    boat = new_packetboat(mode="root")
    (pid,) = boat.kill("signd", signal.SIGSYS)
    boat.wait_log(rf"error: signd 0, pid {pid}, was killed by its sandbox: .*type=1326")
    assert [line for line in boat.unexpected_errors() if "killed by its sandbox" in line]
    boat.expect_error("signd 0, pid .* killed by its sandbox")
    wait_for(lambda: boat.pids("signd") not in ([], [pid]), 30, "another signd")
