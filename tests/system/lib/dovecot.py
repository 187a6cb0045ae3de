"""The half of Dovecot that Postfix asks about passwords: its authentication protocol, for one user."""

import base64
import socketserver
import threading


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class DovecotAuth:
    """PLAIN, LOGIN or both, on a TCP port of its own (`path` is what smtpd_sasl_path wants)."""

    def __init__(self, address: str, user: str, password: str, mechanisms: str):
        self.user = user
        self.password = password
        self.mechanisms = mechanisms.split()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                outer._serve(self.rfile, self.wfile)

        class TcpServer(socketserver.ThreadingTCPServer):
            daemon_threads = True
        self.server = TcpServer((address, 0), Handler)
        self.path = "inet:%s:%d" % self.server.server_address

    def start(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def _serve(self, reader, writer):
        def say(*fields):
            writer.write(("\t".join(map(str, fields)) + "\n").encode())
            writer.flush()

        say("VERSION", 1, 1)
        for mechanism in self.mechanisms:
            say("MECH", mechanism, "plaintext")
        for fields in (("SPID", 1), ("CUID", 1), ("COOKIE", "00" * 16), ("DONE",)):
            say(*fields)
        logins: dict[str, list[str]] = {}  # what LOGIN has heard so far
        for line in reader:
            verb, *fields = line.decode().rstrip("\n").split("\t")
            if verb == "AUTH" and fields[1] == "PLAIN":
                answer = next(f for f in fields if f.startswith("resp="))[5:]
                self._decide(say, fields[0], base64.b64decode(answer).decode().split("\0")[1:])
            elif verb == "AUTH":
                logins[fields[0]] = []
                say("CONT", fields[0], b64("Username:"))
            elif verb == "CONT":
                heard = logins[fields[0]]
                heard.append(base64.b64decode(fields[1]).decode())
                if len(heard) == 1:
                    say("CONT", fields[0], b64("Password:"))
                else:
                    self._decide(say, fields[0], heard)

    def _decide(self, say, number: str, given: list[str]):
        if given == [self.user, self.password]:
            say("OK", number, f"user={self.user}")
        else:
            say("FAIL", number, f"user={given[0]}")
