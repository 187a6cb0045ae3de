"""Alerts: by webhook, mail and command, once per matter, also when the queue is stuck."""

import pwd
import re
import signal
import smtplib

import pytest

from lib.wait import wait_for

SCRIPT = """#!/bin/sh
read -r text
echo "$ALERT_NAME $ALERT_STATE ${ALERT_ACCOUNT:--} $# $1 $(id -u) $(ls /proc/self/fd | wc -l) $text" >>"$1"
"""


@pytest.fixture
def new_watched(new_packetboat, make_packetboat, new_directory, keep, name_server):
    """An instance with a command, and what the command wrote: [name, state, account, words, ...]."""
    def make(**options):
        directory = new_directory("alerts")
        directory.chmod(0o755)
        script, out = directory / "tell", directory / "out"
        script.write_text(SCRIPT)
        script.chmod(0o755)
        out.touch()
        out.chmod(0o666)
        boat = new_packetboat(alert_command=f"{script} {out}", alert_retry_time="1s", **options)
        boat.told = lambda: [line.split(" ", 7) for line in out.read_text().splitlines()]
        boat.told_of = lambda name: [t for t in boat.told() if t[0] == name]
        return boat
    return make


def mails(sink, address):
    return [m for m in sink.messages if address in m.recipients]


def alerts(boat, name):
    return boat.events("alert", name=name)


def test_an_alert_goes_to_mail_webhook_and_command_once(new_watched, sink, new_webhook):
    boat, hook = new_watched(), new_webhook()
    boat.tool("pbaccount", "add", "shop", "contact=ops@sink.test")
    boat.tool("pbhook", "add", "shop", hook.url, "--kinds", "alert")
    boat.add_key("shop", "--label", "till\u00e9")
    wait_for(lambda: boat.told_of("key_made"), 20, "the command")
    wait_for(lambda: mails(sink, "ops@sink.test"), 20, "the mail")
    event = hook.wait_event("alert")["details"]
    assert event["name"] == "key_made" and not event["over"]
    name, state, account, words, *_, text = boat.told_of("key_made")[0]
    assert (state, account, words) == ("on", "shop", "1")
    assert re.fullmatch(r"key \d+ \(till\?+\) of shop was made", text), text
    mail = mails(sink, "ops@sink.test")[0]
    assert mail.mail_from == ""
    for line in (b"Subject: [Packetboat] shop: key_made", b"Auto-Submitted: auto-generated", b"To: <ops@sink.test>"):
        assert line in mail.data, mail.data

    # The old contact hears of the new one; a paused account's alerts leave as well.
    boat.tool("pbaccount", "pause", "shop")
    boat.tool("pbaccount", "set", "shop", "contact=new@sink.test")
    wait_for(lambda: len(mails(sink, "ops@sink.test")) == 2, 20, "the second mail")
    assert b"the contact of shop is new@sink.test now, and was ops@sink.test" in mails(sink, "ops@sink.test")[1].data
    wait_for(lambda: mails(sink, "new@sink.test"), 20, "the mail to the new contact")

    # Nothing is repeated by a new process, or by all of them. (The tool's answer comes when what was said before is durable.)
    wait_for(lambda: alerts(boat, "contact_changed") and len(boat.told()) == 2, 20, "the alert everywhere")
    for n in range(3):
        boat.tool("pbaccount", "set", "shop", f"notes={n}")
    boat.kill("accountd", signal.SIGKILL)
    wait_for(lambda: boat.tool("pbaccount", "list", check=False).code == 0, 20, "accountd is back")
    boat.restart()
    boat.tool("pbkey", "revoke", "shop", str(boat.tool("pbkey", "list", "--json", "shop").lines()[0]["id"]))
    wait_for(lambda: boat.told_of("key_revoked"), 20, "the command again")
    wait_for(lambda: len(mails(sink, "new@sink.test")) == 2, 20, "the mail to the new contact")
    wait_for(lambda: alerts(boat, "key_revoked"), 20, "the event")
    assert [t[0] for t in boat.told()] == ["key_made", "contact_changed", "key_revoked"]
    assert [e["name"] for e in boat.events("alert")] == ["key_made", "contact_changed", "key_revoked"]
    assert len(mails(sink, "ops@sink.test")) == 2 and len(mails(sink, "new@sink.test")) == 2


def test_whoever_takes_an_account_over_cannot_do_it_silently(new_watched, sink):
    """One command is one alert, and what turns alerts off is told to those who had them."""
    boat = new_watched()
    boat.tool("pbaccount", "add", "shop", "contact=ops@sink.test")
    boat.tool("pbaccount", "add", "shop/eu")
    boat.tool("pbaccount", "set", "shop/eu", "contact=ops@sink.test", "notes=as before")  # is nothing new
    boat.tool("pbaccount", "set", "shop/eu", "contact=thief@sink.test")
    wait_for(lambda: mails(sink, "ops@sink.test") and mails(sink, "thief@sink.test"), 20, "mails to both about the subaccount")
    assert b"the contact of shop/eu is thief@sink.test now, and was ops@sink.test" in mails(sink, "ops@sink.test")[0].data
    boat.tool("pbaccount", "set", "shop", "contact=thief@sink.test", "alert_security=no", "quota=0")
    wait_for(lambda: len(mails(sink, "ops@sink.test")) == len(mails(sink, "thief@sink.test")) == 2, 20, "and the account")
    for address in "ops", "thief":
        assert b"the alerts about the keys and the contact of shop are off" in mails(sink, f"{address}@sink.test")[1].data
    wait_for(lambda: len(boat.told()) == 2, 20, "the command, once each")
    boat.tool("pbaccount", "set", "shop", "contact=")
    boat.tool("pbaccount", "alerts", "shop", "security=yes")
    boat.tool("pbaccount", "set", "shop", "contact=ops@sink.test")
    wait_for(lambda: len(boat.told()) == 3, 20, "the new contact")
    boat.tool("pbaccount", "alerts", "shop", "security=no")
    wait_for(lambda: len(boat.told()) == 4, 20, "that alerts are off")
    assert [t[0] for t in boat.told()] == ["contact_changed"] * 3 + ["security_off"]
    assert "is ops@sink.test now, and was nobody" in boat.told()[2][-1]
    wait_for(lambda: sorted(e["name"] for e in boat.events("alert")) == sorted(t[0] for t in boat.told()), 20, "the same as events")
    assert len(mails(sink, "thief@sink.test")) == 2


def test_changes_of_keys_are_told_once_a_command(new_watched):
    boat = new_watched()
    boat.tool("pbaccount", "add", "shop", "alert_security=no")
    for label in ("web", "cron", "till"):
        boat.tool("pbkey", "add", "shop", "--label", label)
    web, cron, till = (k["id"] for k in boat.tool("pbkey", "list", "--json", "shop").lines())
    boat.tool("pbaccount", "alerts", "shop", "security=yes")
    boat.tool("pbkey", "set", "shop", str(web), "--networks", "10.0.0.0/8", "--expires", "2030-12-31")
    boat.tool("pbkey", "set", "shop", str(web), "--networks", "10.0.0.0/8")  # is nothing new
    boat.tool("pbkey", "set", "shop", str(web), "--networks", "", "--label", "www")
    boat.tool("pbkey", "revoke", "shop", str(till))
    assert boat.tool("pbkey", "revoke", "--json", "shop", "ALL").json() == {"account": "shop", "revoked": [web, cron]}
    assert boat.tool("pbkey", "revoke", "--json", "shop", "ALL").json()["revoked"] == []
    boat.tool("pbkey", "add", "shop", "--label", "last")
    wait_for(lambda: boat.told_of("key_made"), 20, "the last alert")
    assert [(t[0], t[-1]) for t in boat.told()[:-1]] == [
        ("key_changed", f"key {web} (web) of shop was changed: networks is 10.0.0.0/8 and was unlimited, "
                        "expires is 2030-12-31T00:00:00Z and was unlimited"),
        ("key_changed", f"key {web} (www) of shop was changed: networks is unlimited and was 10.0.0.0/8, label is www and was web"),
        ("key_revoked", f"key {till} (till) of shop was revoked"),
        ("key_revoked", f"keys {web} (www), {cron} (cron) of shop were revoked")]


def test_an_alert_leaves_while_the_queue_is_stuck(new_watched, sink):
    boat = new_watched()
    boat.tool("pbaccount", "add", "shop", "contact=ops@sink.test")
    boat.kill("qmgr", signal.SIGSTOP)
    boat.add_key("shop")
    wait_for(lambda: boat.told_of("key_made"), 20, "the command, without the queue")
    boat.kill("qmgr", signal.SIGCONT)
    wait_for(lambda: mails(sink, "ops@sink.test"), 30, "the mail")
    wait_for(lambda: alerts(boat, "key_made"), 20, "the event")
    assert len(boat.told()) == 1 and len(mails(sink, "ops@sink.test")) == 1 and len(alerts(boat, "key_made")) == 1


def test_an_old_queue_is_one_alert_and_one_all_clear(new_watched, sink):
    boat = new_watched(alert_queue_interval="1s")
    shop, other = boat.add_account("shop"), boat.add_account("other")
    boat.add_domain(shop, "shop.test")
    boat.add_domain(other, "other.test")
    boat.tool("pbaccount", "alerts", "shop", "queue_age=2s")
    sink.on("RCPT", "450 4.2.1 later")
    boat.send(shop, "a@shop.test", "bob@sink.test")
    boat.send(other, "a@other.test", "bob@sink.test")
    boat.wait_event("alert", name="queue_age", over=False)
    assert "queue_age" in boat.tool("pbaccount", "show", "--json", "shop").json()["alerts"]
    sink.normal()
    boat.tool("pbqueue", "retry", "ALL")
    boat.wait_event("alert", name="queue_age", over=True)
    wait_for(lambda: len(boat.told_of("queue_age")) == 2, 20, "both by command")
    assert [t[1:3] for t in boat.told_of("queue_age")] == [["on", "shop"], ["over", "shop"]]
    assert len(alerts(boat, "queue_age")) == 2


def test_a_key_from_a_new_network_is_told_once(new_watched):
    boat = new_watched()
    shop = boat.add_account("shop")

    def use(address):
        with smtplib.SMTP(boat.address, boat.submission_port, local_hostname="c.test", timeout=20,
                          source_address=(address, 0)) as smtp:
            smtp.starttls(context=boat.tls_context())
            smtp.login(shop.username, shop.password)

    use("127.77.1.1")  # the first one is nothing new
    use("127.77.1.200")
    assert boat.told_of("key_network") == []
    use("127.78.1.1")
    wait_for(lambda: boat.told_of("key_network"), 20, "the alert")
    assert "127.78.1.1" in boat.told_of("key_network")[0][-1]
    use("127.78.1.2")
    use("127.79.1.1")  # another one in the same hour
    boat.tool("pbaccount", "alerts", "shop", "network=no")
    boat.add_key("shop")
    wait_for(lambda: len(boat.told_of("key_made")) == 2, 20, "a later alert")
    assert len(boat.told_of("key_network")) == 1


def test_a_command_that_asks_to_be_run_again_is(new_packetboat, new_directory):
    directory = new_directory("again")
    directory.chmod(0o777)
    script = directory / "tell"
    script.write_text(f"#!/bin/sh\ncd {directory}\necho x >>runs\n[ -e once ] || {{ touch once; exit 75; }}\n")
    script.chmod(0o755)
    boat = new_packetboat(alert_command=str(script), alert_retry_time="1s")
    boat.add_account("shop")
    wait_for(lambda: (directory / "runs").exists() and (directory / "runs").read_text() == "x\nx\n", 20, "two runs")
    boat.wait_log(r"alert_command ended with status 75: it is run again")


def test_rules_are_listed_and_mistakes_are_named(packetboat):
    boat = packetboat
    boat.tool("pbaccount", "add", "shop", "alert_bounce_rate=10", "alert_security=no")
    boat.tool("pbaccount", "add", "shop/news", "alert_queue_age=2h")
    rules = {r["alert"]: r for r in boat.tool("pbaccount", "alerts", "--json", "shop/news").lines() if "alert" in r}
    assert (rules["bounce_rate"]["limit"], rules["bounce_rate"]["by"]) == ("10", "shop")
    assert (rules["queue_age"]["limit"], rules["queue_age"]["by"]) == ("7200s", "shop/news")
    assert (rules["rise"]["limit"], rules["rise"]["by"]) == ("5", "default")
    assert (rules["security"]["limit"], rules["security"]["by"]) == ("no", "shop")
    assert rules["domain"]["limit"] == rules["source"]["limit"] == rules["network"]["limit"] == "yes"
    boat.tool("pbaccount", "alerts", "shop", "bounce_rate=")
    rules = {r["alert"]: r for r in boat.tool("pbaccount", "alerts", "--json", "shop").lines() if "alert" in r}
    assert (rules["bounce_rate"]["limit"], rules["bounce_rate"]["by"]) == ("5", "default")
    assert "contact: nobody" in boat.tool("pbaccount", "alerts", "shop").out
    for words, error in (
            (["bounce_rate=101"], "alert_bounce_rate: a number from 0 (never) to 100 is needed, or nothing for the default"),
            (["domain=maybe"], "alert_domain: yes or no is needed, or nothing for the default"),
            (["queue_age=soon"], "alert_queue_age: a time as 90m, 4h or 2d is needed, 0 for never, or nothing for the default"),
            (["volume=3"], "alert_volume: the alerts are bounce_rate, complaint_rate, reputation, quota, rise, queue_age, "
                           "domain, source, network, security")):
        r = boat.tool("pbaccount", "alerts", "shop", *words, check=False)
        assert r.code == 65 and error in r.err, r
    r = boat.tool("pbaccount", "set", "shop", "contact=nobody", check=False)
    assert r.code == 65 and "contact: a mail address is needed, or nothing" in r.err


@pytest.mark.root
def test_started_by_root_the_command_is_nobody_with_nothing_of_ours(new_watched):
    boat = new_watched(mode="root")
    boat.tool("pbaccount", "add", "shop", "contact=ops@sink.test")
    boat.add_key("shop")
    wait_for(lambda: boat.told_of("key_made"), 20, "the command")
    *_, uid, descriptors, _ = boat.told_of("key_made")[0]
    assert int(uid) == pwd.getpwnam("nobody").pw_uid
    assert int(descriptors) == 4  # 0, 1, 2, and that of ls


def test_a_domain_that_fails_is_told_until_it_is_well(new_watched, name_server):
    boat = new_watched(domain_grace_time="0s")
    records = boat.add_domain(boat.add_account("shop"), "shop.test")
    dkim = next(r for r in records if r["purpose"] == "dkim")
    name_server.remove(dkim["name"].rstrip("."), dkim["type"])

    def told(n):
        boat.tool("pbdomain", "verify", "shop", "shop.test", check=False)
        return len(boat.told_of("domain")) == n

    wait_for(lambda: told(1), 30, "the alert")
    name_server.add(dkim["name"].rstrip("."), dkim["type"], dkim["value"])
    wait_for(lambda: told(2), 30, "the all-clear")
    assert [t[1:3] for t in boat.told_of("domain")] == [["on", "shop"], ["over", "shop"]]
    assert "shop.test is not verified" in boat.told_of("domain")[0][-1]


@pytest.mark.parametrize("parameter, value, error", [
    ("alert_command", "tell me", "alert_command: tell: is no absolute path"),
    ("alert_command", "/nowhere/tell me", "alert_command: /nowhere/tell: No such file or directory"),
    ("alert_contact", "ops", "alert_contact: ops: is no mail address"),
])
def test_mistakes_about_alerts_are_found_before_the_start(make_packetboat, parameter, value, error):
    r = make_packetboat(**{parameter: value}).tool("packetboat", "check", check=False)
    assert r.code == 78 and error in r.err, r
