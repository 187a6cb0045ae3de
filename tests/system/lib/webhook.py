"""An HTTP(S) endpoint that remembers every POST."""

import dataclasses
import http.server
import json
import ssl
import threading
import time

from .ca import Certificate
from .wait import wait_for


@dataclasses.dataclass
class Post:
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    status: int              # what was answered
    time: float

    def events(self) -> list[dict]:
        return json.loads(self.body).get("events", [])


class WebhookReceiver:
    """`answers` is used up first (status, or (status, seconds of delay, header fields)); then `usual`, 200.

    statuses of None close the connection without an answer.
    """

    def __init__(self, address: str, port: int, certificate: Certificate | None = None, name: str | None = None):
        self.posts: list[Post] = []
        self.answers: list = []
        self.usual: object = 200
        self.lock = threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                receiver._post(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, port), Handler)
        self.server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.cert, certificate.key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if certificate else 'http'}://{name or address}:{port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)

    def _post(self, request):
        if request.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = read_chunks(request.rfile)
        else:
            body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        with self.lock:
            answer = self.answers.pop(0) if self.answers else self.usual
        status, delay, fields = (*answer, {})[:3] if isinstance(answer, tuple) else (answer, 0, {})
        if delay:
            time.sleep(delay)  # the slow endpoint that the test asked for
        headers = {name.lower(): value for name, value in request.headers.items()}
        with self.lock:
            self.posts.append(Post(request.path, headers, body, status or 0, time.time()))
        if status is None:
            request.close_connection = True
            return
        request.send_response(status)
        for name, value in fields.items():
            request.send_header(name, value)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def events(self, kind: str | None = None) -> list[dict]:
        """Events of all POSTs answered with 2xx, in the order of arrival."""
        with self.lock:
            posts = list(self.posts)
        return [e for p in posts if 200 <= p.status < 300 for e in p.events() if kind in (None, e["kind"])]

    def wait_event(self, kind: str, deadline: float = 20, **details) -> dict:
        """The first event of this kind whose top-level fields have these values."""
        def look():
            return next((e for e in self.events(kind) if all(e.get(k) == v for k, v in details.items())), None)
        return wait_for(look, deadline, f"webhook event {kind} {details}")


def read_chunks(stream) -> bytes:
    body = b""
    while size := int(stream.readline().partition(b";")[0], 16):
        body += stream.read(size)
        stream.readline()
    while stream.readline().strip():
        pass
    return body
