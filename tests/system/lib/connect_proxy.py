"""A small HTTP proxy that does CONNECT and nothing else (RFC 9110 section 9.3.6)."""

import socket
import threading


class ConnectProxy:
    """`connects` has what was asked for: (host, port, header fields).

    answer: the status line's number; anything but 200 refuses. names: what a
    host that is not an address stands for.
    """

    def __init__(self, address: str, names: dict[str, str] | None = None):
        self.connects: list[tuple[str, int, dict[str, str]]] = []
        self.answer = 200
        self.names = names or {}
        self.listener = socket.create_server((address, 0))
        self.address, self.port = self.listener.getsockname()[:2]
        self.thread = threading.Thread(target=self._accept, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket):
        with client, client.makefile("rb") as lines:
            words = lines.readline().decode("latin-1").split()
            fields = {}
            while line := lines.readline().strip():
                name, _, value = line.decode("latin-1").partition(":")
                fields[name.lower()] = value.strip()
            if words[:1] != ["CONNECT"]:
                client.sendall(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n")
                return
            host, _, port = words[1].rpartition(":")
            self.connects.append((host, int(port), fields))
            if self.answer != 200:
                client.sendall(b"HTTP/1.1 %d No\r\nRetry-After: 3600\r\n\r\n" % self.answer)
                return
            with socket.create_connection((self.names.get(host, host.strip("[]")), int(port))) as server:
                client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                back = threading.Thread(target=copy, args=(server, client), daemon=True)
                back.start()
                copy(client, server)
                back.join()


def copy(source: socket.socket, target: socket.socket):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
