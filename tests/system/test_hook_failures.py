"""Endpoints that fail, and what becomes of their events."""

import random

import pytest

from lib.net import accepts, free_port
from lib.packetboat import make_message
from lib.process import Server, find_program
from lib.connect_proxy import ConnectProxy
from lib.wait import wait_for


@pytest.fixture
def new_shop(new_packetboat, sink):
    """new_shop(parameter=value, ...): a suite with an account that may send, and quick retries."""
    def make(**parameters):
        boat = new_packetboat(**{"webhook_retry_schedule": "1s"} | parameters)
        boat.shop = boat.add_account("shop")
        boat.add_domain(boat.shop, "shop.test")
        return boat
    return make


def send(boat, n: int = 1) -> list[str]:
    ids = [boat.send(boat.shop, "a@shop.test", f"bob{i}@sink.test") for i in range(n)]
    wait_for(lambda: set(ids) <= {e["message_id"] for e in boat.events("delivery")}, 30, "the deliveries")
    return ids


def status(boat, hook) -> dict:
    return next(h for h in boat.tool("pbhook", "status", "--json", "shop").lines() if h["url"] == hook.url)


def listed(boat, hook) -> dict:
    return next(h for h in boat.tool("pbhook", "list", "--json", "shop").lines() if h["url"] == hook.url)


def ids(events: list[dict]) -> list[str]:
    return [e["message_id"] for e in events]


def refused(boat, url: str):
    boat.wait_log(rf"relay={url}.*its address is not public", 20)


# -- disabled --------------------------------------------------------------

def test_endpoint_that_only_fails_is_disabled_with_an_alert(new_shop, new_webhook):
    boat, dead, watcher = new_shop(webhook_disable_time="2s"), new_webhook(), new_webhook()
    dead.usual = 500
    boat.tool("pbhook", "add", "shop", dead.url)
    boat.tool("pbhook", "add", "shop", watcher.url, "--kinds", "alert")
    sent = send(boat)
    alert = watcher.wait_event("alert")["details"]
    assert alert["name"] == "webhook_disabled" and "HTTP 500" in alert["text"]
    wait_for(lambda: listed(boat, dead)["status"] == "disabled", 20, "accountd knows it")
    assert "webhook_disable_time" in boat.tool("pbhook", "list", "shop").out
    posts = len(dead.posts)
    boat.kill("webhookd")
    sent += send(boat)
    watcher_state = wait_for(lambda: status(boat, watcher), 20, "webhookd is back")
    assert watcher_state["state"] == "ok" and status(boat, dead)["state"] == "disabled"
    assert len(dead.posts) == posts
    dead.usual = 200
    boat.tool("pbhook", "enable", "shop", dead.url)
    wait_for(lambda: set(ids(dead.events("delivery"))) == set(sent), 20, "what was kept")
    assert status(boat, dead)["state"] == "ok"


# -- dead letters ----------------------------------------------------------

def give_up(boat, hook, n: int) -> tuple[list[str], str]:
    """Messages whose events became dead letters, and one behind them whose event was taken."""
    hook.usual = 500
    sent = send(boat, n)

    def dead():
        return sum(r["events"] for r in boat.tool("pbhook", "deadletter", "list", "--json", "shop", hook.url).lines()) == n
    wait_for(dead, 30, "dead letters")
    hook.usual = 200
    later = send(boat)[0]
    hook.wait_event("delivery", 20, message_id=later)
    assert not set(sent) & set(ids(hook.events("delivery")))
    return sent, later


@pytest.mark.both_users
def test_dead_letters_are_listed_and_replayed_once(new_shop, new_webhook):
    boat, hook = new_shop(webhook_retry_lifetime="2s"), new_webhook()
    boat.tool("pbhook", "add", "shop", hook.url, "--kinds", "delivery")
    assert boat.tool("pbhook", "deadletter", "replay", "shop", hook.url, check=False).code == 67
    sent, later = give_up(boat, hook, 3)
    ranges = boat.tool("pbhook", "deadletter", "list", "--json", "shop", hook.url).lines()
    assert {r["state"] for r in ranges} == {"kept"} and status(boat, hook)["dead"] == 3
    boat.kill("webhookd")  # they are on disk
    wait_for(lambda: status(boat, hook)["dead"] == 3, 20, "the dead letters are known again")
    before = len(hook.events("delivery"))
    assert boat.tool("pbhook", "deadletter", "replay", "--json", "shop", hook.url).json()["events"] == 3
    boat.kill("webhookd")  # and so is the wish
    wait_for(lambda: set(sent) <= set(ids(hook.events("delivery"))), 20, "the dead letters")
    wait_for(lambda: boat.tool("pbhook", "deadletter", "list", "--json", "shop", hook.url).lines() == [], 20, "none left")
    again = dict.fromkeys(ids(hook.events("delivery"))[before:])
    again.pop(later, None)  # taken less than a second before the kill
    assert list(again) == sent  # in order, and nothing else


def test_deleted_dead_letters_do_not_come_back(new_shop, new_webhook):
    boat, hook = new_shop(webhook_retry_lifetime="2s"), new_webhook()
    boat.tool("pbhook", "add", "shop", hook.url, "--kinds", "delivery")
    sent, _ = give_up(boat, hook, 2)
    assert boat.tool("pbhook", "deadletter", "delete", "shop", hook.url).out == "2 events\n"
    boat.kill("webhookd")
    wait_for(lambda: status(boat, hook)["dead"] == 0, 20, "webhookd is back")
    assert boat.tool("pbhook", "deadletter", "replay", "shop", hook.url, check=False).code == 67
    hook.wait_event("delivery", 20, message_id=send(boat)[0])
    assert not set(sent) & set(ids(hook.events("delivery")))


# -- replay ----------------------------------------------------------------

@pytest.mark.parametrize("by", ["since", "id"])
def test_replay_survives_a_kill_behind_its_answer(by, new_shop, new_webhook):
    boat, hook = new_shop(), new_webhook()
    boat.tool("pbhook", "add", "shop", hook.url, "--kinds", "delivery")
    sent = send(boat, 3)
    wait_for(lambda: set(ids(hook.events("delivery"))) == set(sent), 20, "all events")
    first = hook.events("delivery")[0]["details"]["event_id"]
    hook.usual, before = 503, len(hook.posts)
    wish = "since=1h" if by == "since" else f"id={first}"
    boat.tool("pbhook", "replay", "shop", hook.url, wish)
    boat.kill("webhookd")
    wait_for(lambda: len(hook.posts) > before, 20, "another request")
    hook.usual, before = 200, len(hook.events("delivery"))
    wait_for(lambda: len(hook.events("delivery")) >= before + 3, 20, "all events again")
    assert {e["message_id"] for e in hook.events("delivery")[before:]} == set(sent)


def test_replay_from_what_is_not_there_says_so(new_shop, new_webhook):
    boat, hook = new_shop(), new_webhook()
    boat.tool("pbhook", "add", "shop", hook.url)
    for wish, code in (("id=0192b3c4-0000-7000-8000-ffffffffffff", 65), ("id=2h", 64), ("yesterday-ish", 64)):
        done = boat.tool("pbhook", "replay", "shop", hook.url, wish, check=False)
        assert done.code == code and done.err.count("\n") == 1, done
    send(boat)
    hook.wait_event("delivery")


# -- the ledger ------------------------------------------------------------

def test_ledger_of_events_equals_the_journal_whatever_endpoints_do(new_shop, new_webhook, ca):
    boat = new_shop(webhook_timeout="1s", webhook_batch_limit=5)
    trap = new_webhook()
    redirect = {"Location": "http://169.254.169.254/latest/meta-data/"}
    to_trap = {"Location": trap.url}
    dice = random.Random(5)
    answers = [200, 200, 500, None, (429, 0, {"Retry-After": "1"}), (307, 0, redirect), (308, 0, to_trap), (301, 0, to_trap)]
    flaky, slow, steady = new_webhook(), new_webhook(), new_webhook()
    liar = new_webhook(tls=True, certificate=ca.wrong_name())
    flaky.answers = [dice.choice(answers) for _ in range(12)]
    slow.answers = [(200, 2.5), 200, (200, 2.5)]  # webhook_timeout passes before these answer
    for hook in (flaky, slow, steady, liar):
        boat.tool("pbhook", "add", "shop", hook.url, "--kinds", "all")
    private = ["http://169.254.169.254/latest", "http://10.0.0.1/", "http://[::1]:8080/"]
    for url in private:
        boat.tool("pbhook", "add", "shop", url, "--kinds", "all")
    sent = send(boat, 12)
    journal = {e["event_id"]: e for e in boat.events() if e.get("message_id") in sent}
    assert len(journal) >= 24
    # liar never takes any, so its failures are no events
    for hook in (flaky, slow, steady):
        wait_for(lambda: set(journal) <= {e["details"]["event_id"] for e in hook.events()}, 40, f"all events at {hook.url}")
        foreign = {e["details"]["event_id"] for e in hook.events() if e.get("message_id") in sent} - set(journal)
        assert not foreign
        for message_id in sent:
            firsts = list(dict.fromkeys(e["kind"] for e in hook.events() if e.get("message_id") == message_id))
            assert firsts == ["accepted", "delivery"]
    assert liar.posts == [] and trap.posts == []
    assert "certificate" in wait_for(lambda: status(boat, liar)["last_error"], 20, "why")
    for place in ("169.254.169.254:80", "10.0.0.1:80", "::1:8080"):
        refused(boat, place)


# -- the way there ---------------------------------------------------------

class Nginx:
    """An endpoint that speaks HTTP/2 and logs the protocol of each request."""

    def __init__(self, directory, address, certificate):
        self.directory, self.address, self.port = directory, address, free_port(address)
        self.url = f"https://{address}:{self.port}/"
        temporary = "".join(f" {kind}_temp_path {directory}/{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
        (directory / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {directory}/pid; error_log stderr; events {{ }}\n"
            f"http {{ log_format short '$server_protocol $status $request_length';\n"
            f" access_log {directory}/access.log short; client_body_temp_path {directory}/body;{temporary}\n"
            f" server {{ listen {address}:{self.port} ssl http2; client_max_body_size 10m;\n"
            f"  ssl_certificate {certificate.cert}; ssl_certificate_key {certificate.key};\n"
            f"  location / {{ return 200; }} }} }}\n")

    def start(self):
        self.server = Server([find_program("nginx"), "-c", self.directory / "nginx.conf", "-p", self.directory],
                             self.directory / "log")
        self.server.wait_ready(lambda: accepts(self.address, self.port))
        return self

    def stop(self):
        self.server.stop()

    def requests(self) -> list[str]:
        return (self.directory / "access.log").read_text().splitlines()


@pytest.mark.both_users
def test_http2_is_spoken_where_it_is_offered(new_shop, keep, new_directory, addresses, ca):
    boat, address = new_shop(), addresses.next()
    nginx = keep.start(Nginx(new_directory("nginx"), address, ca.server(address)))
    boat.tool("pbhook", "add", "shop", nginx.url)
    send(boat)
    line = wait_for(nginx.requests, 20, "a request")[0]
    assert line.startswith("HTTP/2.0 200 ")


def test_http2_answer_before_the_end_of_the_request_counts(new_shop, keep, new_directory, addresses, ca):
    boat, address = new_shop(), addresses.next()
    nginx = keep.start(Nginx(new_directory("nginx"), address, ca.server(address)))
    boat.tool("pbhook", "add", "shop", nginx.url)
    boat.tool("pbhook", "disable", "shop", nginx.url)
    boat.send(boat.shop, "a@shop.test", [f"bob{i}@sink.test" for i in range(200)],
              make_message("a@shop.test", ["bob@sink.test"]))
    wait_for(lambda: len(boat.events("delivery")) == 200, 30, "the deliveries")
    boat.tool("pbhook", "enable", "shop", nginx.url)
    # `return` reads no body, and 64 KB are all that HTTP/2 lets go unread.
    state = wait_for(lambda: status(boat, nginx)["sent"] >= 200 and status(boat, nginx), 20, "all events")
    assert state["failed"] == 0, state


@pytest.mark.parametrize("tls", [False, True])
def test_proxy_is_told_an_address_that_was_checked(tls, new_shop, new_webhook, keep, addresses, name_server):
    proxy = keep.start(ConnectProxy(addresses.next()))
    name_server.add("proxy.test", "A", proxy.address)
    boat = new_shop(webhook_proxy=f"http://me:secret@proxy.test:{proxy.port}")
    hook = new_webhook(tls=tls, name="hook.test")
    private = new_webhook(name="private.test")
    name_server.add("hook.test", "A", hook.server.server_address[0])
    name_server.add("private.test", "A", "10.1.2.3")
    for endpoint in (hook, private):
        boat.tool("pbhook", "add", "shop", endpoint.url)
    hook.wait_event("delivery", message_id=send(boat)[0])
    host, port, fields = proxy.connects[0]
    assert (host, port) == hook.server.server_address[:2]
    assert fields["proxy-authorization"].startswith("Basic ")
    assert hook.posts[0].headers["host"] == f"hook.test:{port}"
    assert hook.wait_event("delivery") and {c[0] for c in proxy.connects} == {host}
    assert "no public address" in wait_for(lambda: status(boat, private)["last_error"], 20, "why")
    assert "secret" not in boat.log_text()


def test_proxy_that_filters_by_name_is_told_names(new_shop, new_webhook, keep, addresses):
    hook = new_webhook(tls=True, name="only-the-proxy-knows.test")
    proxy = keep.start(ConnectProxy(addresses.next(), {"only-the-proxy-knows.test": hook.server.server_address[0]}))
    boat = new_shop(webhook_proxy=f"http://{proxy.address}:{proxy.port}", webhook_proxy_resolves="yes")
    boat.tool("pbhook", "add", "shop", hook.url)
    boat.tool("pbhook", "add", "shop", "https://10.9.9.9/")
    proxy.answer = 403
    sent = send(boat)
    why = wait_for(lambda: status(boat, hook)["last_error"], 20, "why")
    assert "403" in why
    proxy.answer = 200  # Retry-After of the proxy is not the endpoint's
    hook.wait_event("delivery", message_id=sent[0])
    assert {c[0] for c in proxy.connects} == {"only-the-proxy-knows.test"}


@pytest.mark.parametrize("value", ["proxy:3128", "https://proxy.test:3128", "http://"])
def test_proxy_that_is_none_stops_the_start(value, make_packetboat):
    boat = make_packetboat(webhook_proxy=value)
    boat.expect_error("webhookd|master ended|left behind")
    boat.start_unchecked()
    boat.wait_log("webhook_proxy: .*; it has to be http://host:port")
