"""What accountd makes of the journal: statistics, reputation, quotas, alerts."""

import signal
import time

from lib.packetboat import Account
from lib.wait import wait_for


def show(boat, name):
    return boat.tool("pbaccount", "show", "--json", name).json()


def statistics(boat, name, counter, period="total"):
    return show(boat, name)["statistics"][counter][period]


def wait_count(boat, name, counter, count):
    wait_for(lambda: statistics(boat, name, counter) == count, 10, f"{counter} of {name} is {count}")


def periods_since(begin):
    """Those that have not ended since; boundaries are UTC's."""
    same_hour = time.gmtime()[:4] == begin[:4]
    return ("hour", "day", "week", "month", "total") if same_hour else ("total",)


def why(boat, name):
    """The ledger's lines, and the sum."""
    *lines, total = boat.tool("pbaccount", "why", "--json", name).lines()
    return lines, total


def test_statistics_of_account_and_subaccount(packetboat, account, sink):
    packetboat.tool("pbaccount", "add", "shop/news")
    news = packetboat.add_key("shop/news")
    sink.on("RCPT", "450 4.2.1 later", arg="slow@")
    begin = time.gmtime()
    packetboat.send(account, "orders@shop.test", ["bob@sink.test", "eve@sink.test", "slow@sink.test"])
    packetboat.send(news, "news@shop.test", "bob@sink.test")
    wait_count(packetboat, "shop", "delivered", 3)
    wait_count(packetboat, "shop", "deferrals", 1)

    def check():
        for period in periods_since(begin):
            assert statistics(packetboat, "shop", "sent", period) == 4
            assert statistics(packetboat, "shop/news", "sent", period) == 1
    check()
    packetboat.kill("accountd", signal.SIGKILL)
    wait_for(lambda: packetboat.tool("pbaccount", "list", check=False).code == 0, 20, "accountd is back")
    wait_count(packetboat, "shop", "delivered", 3)  # what it had not written is read again
    check()
    packetboat.restart()
    wait_count(packetboat, "shop", "delivered", 3)
    check()
    assert statistics(packetboat, "shop/news", "delivered") == 1
    assert statistics(packetboat, "shop", "bounces") == 0
    text = packetboat.tool("pbaccount", "show", "shop").out
    assert "delivered" in text and "month" in text


def test_events_count_once_although_accountd_is_killed(packetboat, account, sink):
    sent = 0
    for _ in range(5):
        for _ in range(4):
            packetboat.send(account, "orders@shop.test", ["bob@sink.test", "eve@sink.test"])
            sent += 2
        packetboat.kill("accountd", signal.SIGKILL)
        wait_for(lambda: packetboat.tool("pbaccount", "list", check=False).code == 0, 20, "accountd is back")
    packetboat.wait_queue_empty()
    wait_count(packetboat, "shop", "delivered", sent)
    assert statistics(packetboat, "shop", "sent") == sent


def test_one_tenants_bounces_move_its_score_quota_and_alerts_not_the_others(new_packetboat, sink, new_webhook):
    boat = new_packetboat(alert_volume="20")
    bad, good, hook = boat.add_account("bad"), boat.add_account("good"), new_webhook()
    boat.add_domain(bad, "bad.test")
    boat.add_domain(good, "good.test")
    boat.tool("pbhook", "add", "bad", hook.url, "--kinds", "alert")
    assert show(boat, "bad")["quota"] == 0 and show(boat, "bad")["quota_by"] == "reputation"
    before = show(boat, "bad")["reputation"]

    sink.on("RCPT", "550 5.1.1 no such user", arg="gone")
    for n in range(10):
        boat.send(bad, "a@bad.test", [f"gone{n}x{i}@sink.test" for i in range(6)] + [f"ok{i}@sink.test" for i in range(6)])
        boat.send(good, "a@good.test", f"ok{n}@sink.test")
    wait_count(boat, "bad", "bounces", 60)
    wait_count(boat, "good", "delivered", 10)

    assert show(boat, "bad")["reputation"] < before <= show(boat, "good")["reputation"]
    assert show(boat, "bad")["quota"] == 250
    assert show(boat, "good")["quota"] == 0
    alerts = {hook.wait_event("alert")["details"]["name"]}
    wait_for(lambda: {e["details"]["name"] for e in hook.events("alert")} == {"bounce_rate", "reputation"}, 10,
             f"both alerts, not only {alerts}")
    assert sorted(show(boat, "bad")["alerts"]) == ["bounce_rate", "reputation"]
    assert show(boat, "good")["alerts"] == []

    lines, total = why(boat, "bad")
    assert sum(line["millipoints"] for line in lines) == total["millipoints"]
    assert total["millipoints"] // 1000 == total["reputation"] == show(boat, "bad")["reputation"]
    assert total["quota"] == 250
    assert {line["entry"]: line["count"] for line in lines if line["entry"] in ("delivery", "bounce")} == \
        {"delivery": 60, "bounce": 60}
    # A subaccount's ledger is its own part of it.
    boat.tool("pbaccount", "add", "bad/eu")
    boat.send(Account("bad", "bad/eu", bad.password), "a@bad.test", ["gone@sink.test", "fine@sink.test"])
    wait_count(boat, "bad/eu", "bounces", 1)
    wait_count(boat, "bad/eu", "delivered", 1)
    lines, total = why(boat, "bad/eu")
    assert sum(line["millipoints"] for line in lines) == total["millipoints"]
    assert total["reputation"] == show(boat, "bad/eu")["reputation"] and total["quota"] == show(boat, "bad/eu")["quota"]
    assert sorted((line["entry"], line["count"]) for line in lines if line["entry"] in ("delivery", "bounce")) == \
        [("bounce", 1), ("delivery", 1)]
    assert "quota 250/h, by reputation" in boat.tool("pbaccount", "why", "bad").out

    # A restart repeats no alert.
    boat.restart()
    boat.send(good, "a@good.test", "last@sink.test")
    wait_count(boat, "good", "delivered", 11)
    assert sorted(e["name"] for e in boat.events("alert") if e["name"] != "key_made") == ["bounce_rate", "reputation"]


def test_a_list_that_bounces_30_percent_slows_its_sender_and_nobody_else(new_packetboat, sink):
    """Two tenants send at once, by real processes: score, quota, alerts and flow of one change, the other's do not."""
    boat = new_packetboat(alert_volume="20", reputation_quotas="50:30", alert_reputation="70")
    bad, good = boat.add_account("bad"), boat.add_account("good")
    boat.add_domain(bad, "bad.test")
    boat.add_domain(good, "good.test")
    start = show(boat, "good")
    sink.on("RCPT", "550 5.1.1 no such user", arg="gone")
    with boat.login(bad) as one, boat.login(good) as two:
        for n in range(10):
            to = [f"gone{n}x{i}@sink.test" for i in range(3)] + [f"fine{n}x{i}@sink.test" for i in range(7)]
            one.sendmail("a@bad.test", to, "From: a@bad.test\r\n\r\nlist\r\n")
            two.sendmail("a@good.test", f"ok{n}@sink.test", "From: a@good.test\r\n\r\nreceipt\r\n")
        wait_for(lambda: show(boat, "bad")["quota"] == 30, 30, "the quota of bad")
        # The hour's quota is used: what bad sends now waits, and each message says so once.
        for n in range(6):
            one.sendmail("a@bad.test", f"later{n}@sink.test", "From: a@bad.test\r\n\r\nlist\r\n")
            two.sendmail("a@good.test", f"more{n}@sink.test", "From: a@good.test\r\n\r\nreceipt\r\n")
    wait_count(boat, "good", "delivered", 16)
    wait_for(lambda: {"bounce_rate", "reputation", "quota"} <= set(show(boat, "bad")["alerts"]), 20, "bad's alerts")
    waiting = [m for m in boat.queue_json() if m["sender"].endswith("@bad.test")]
    assert len(waiting) >= 6
    limited = [e["message_id"] for e in boat.events("rate_limit")]
    assert len(limited) == len(set(limited))
    assert {m["queue_id"] for m in waiting} <= set(limited)
    assert not [m for m in boat.queue_json() if m["sender"].endswith("@good.test")]

    now = show(boat, "good")
    assert (now["quota"], now["quota_by"], now["alerts"]) == (start["quota"], start["quota_by"], [])
    assert now["reputation"] >= start["reputation"] > show(boat, "bad")["reputation"]
    assert now["statistics"]["rate_limited"]["total"] == now["statistics"]["bounces"]["total"] == 0


def test_quota_set_by_hand_is_not_moved(packetboat, account):
    packetboat.tool("pbaccount", "set", "shop", "quota=7")
    assert (show(packetboat, "shop")["quota"], show(packetboat, "shop")["quota_by"]) == (7, "hand")
    packetboat.tool("pbaccount", "set", "shop", "quota=0")
    assert (show(packetboat, "shop")["quota"], show(packetboat, "shop")["quota_by"]) == (0, "hand")
    packetboat.tool("pbaccount", "set", "shop", "quota=auto")
    assert show(packetboat, "shop")["quota_by"] == "reputation"


def test_reputation_takes_the_flow_down_to_its_quota(new_packetboat, sink):
    """The hour's quota of a bad sender holds its mail back; it is queued, not refused."""
    boat = new_packetboat(reputation_quotas="90:5")
    account = boat.add_account("shop")
    boat.add_domain(account, "shop.test")
    sink.on("RCPT", "550 5.1.1 no such user", arg="gone")
    boat.send(account, "a@shop.test", "gone@sink.test")
    wait_count(boat, "shop", "bounces", 1)
    for n in range(8):
        boat.send(account, "a@shop.test", f"ok{n}@sink.test")
    wait_for(lambda: boat.events("rate_limit"), 10, "a rate_limit event")
    assert len(sink.messages) <= 5
    assert len(boat.queue_json()) >= 3
    wait_for(lambda: "quota" in show(boat, "shop")["alerts"], 10, "the alert about the quota")


def test_a_full_queue_refuses_new_mail_of_its_account_only(packetboat, account, sink):
    """452 while deliveries go on; it ends by itself when a tenth of the queue is free."""
    sink.on("RCPT", "450 4.2.1 later")
    other = packetboat.add_account("other")
    packetboat.add_domain(other, "other.test")
    packetboat.tool("pbaccount", "set", "shop", "queue=10")
    with packetboat.login(account) as smtp:
        refused = None

        def full():
            nonlocal refused
            smtp.rset()
            code, text = smtp.mail("orders@shop.test")
            if code == 250:
                smtp.rcpt("bob@sink.test")
                code, text = smtp.data(b"From: orders@shop.test\r\n\r\nHello.\r\n")
            refused = (code, text)
            return code == 452

        wait_for(full, 20, "the queue to be full")
        assert refused[1].startswith(b"4.3.1 The queue of this account")
        assert 10 <= len(packetboat.queue_json()) <= 20

        packetboat.send(other, "news@other.test", "eve@sink.test")
        packetboat.wait_event("alert", name="queue", over=False)
        packetboat.kill("smtpd", signal.SIGKILL)
        wait_for(packetboat.ready, 20, "smtpd is back")

    with packetboat.login(account) as smtp:
        wait_for(lambda: smtp.mail("orders@shop.test")[0] == 452 or smtp.rset() is None, 20, "the new smtpd to refuse too")
        sink.normal()
        packetboat.tool("pbqueue", "retry", "ALL")
        wait_for(lambda: smtp.mail("orders@shop.test")[0] == 250, 20, "room")
    packetboat.wait_event("alert", name="queue", over=True)
    packetboat.wait_queue_empty()
