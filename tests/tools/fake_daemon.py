#!/usr/bin/env python3
"""Stands in for `drumlin server --config FILE`: answers /health/ready until SIGTERM.

Settings of section [fake] steer it: fail (exit at once), stubborn (ignore SIGTERM), slow_s.
"""

import http.server
import signal
import ssl
import sys
import time
import tomllib


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health/ready" else 404)
        self.end_headers()

    def log_message(self, *unused):
        pass


def main():
    assert sys.argv[1:3] == ["server", "--config"], sys.argv
    with open(sys.argv[3], "rb") as f:
        config = tomllib.load(f)
    fake = config.get("fake", {})
    if fake.get("fail"):
        sys.exit("fake: the disk is on fire")
    signal.signal(signal.SIGTERM, signal.SIG_IGN if fake.get("stubborn") else lambda *_: sys.exit(0))
    time.sleep(float(fake.get("slow_s", 0)))
    http.server.HTTPServer.allow_reuse_address = True
    server = http.server.HTTPServer(("127.0.0.1", config["ports"]["api"]), Handler)
    if "tls" in config:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(config["tls"]["certificate"], config["tls"]["key"])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


main()
