"""A TCP proxy that gives each connection to the next of its targets: requests reach every node."""

import socket
import threading


class RoundRobin:
    """Knows bytes only, so TLS passes through. `with RoundRobin([port, ...]) as proxy:` listens at proxy.port."""

    def __init__(self, ports):
        self.ports = ports
        self.counts = [0] * len(ports)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.open = set()
        self.lock = threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        # The accepting thread sleeps in accept(), which a mere close would not end.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            for connection in self.open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def accept(self):
        turn = 0
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            target = turn % len(self.ports)
            turn += 1
            try:
                server = socket.create_connection(("127.0.0.1", self.ports[target]), timeout=15)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self.counts[target] += 1
            with self.lock:
                self.open |= {client, server}
            both = threading.Barrier(2, action=lambda pair=(client, server): self.ended(pair))
            for source, sink in ((client, server), (server, client)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.pump, args=(source, sink, both), daemon=True).start()

    def ended(self, pair):
        with self.lock:
            self.open -= set(pair)
        for connection in pair:
            connection.close()

    @staticmethod
    def pump(source, sink, both):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for connection in (source, sink):
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        both.wait()
