"""What strangers send: refused with the right words, and the node serves everybody else meanwhile."""

import datetime
import errno
import hashlib
import re
import socket
import time
import unittest

from world import WorldTest


class BadInput(WorldTest):
    TLS = False  # it speaks by hand; what strangers say to TLS is in tls_test.py

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3.create_bucket(Bucket="target")

    def tearDown(self):
        # Whatever the test sent, the node is the same process and answers.
        self.assertEqual(self.world.nodes[0].pid(), self.pids[0], "the node died")
        self.s3.put_object(Bucket="target", Key="alive", Body=b"yes")
        self.assertEqual(self.s3.get_object(Bucket="target", Key="alive")["Body"].read(), b"yes")

    def connect(self, port=None):
        connection = socket.create_connection(("127.0.0.1", port or self.world.nodes[0].s3_port), timeout=15)
        self.addCleanup(connection.close)
        return connection

    def send(self, data, port=None, close=False):
        """Sends the bytes; returns what comes back until the server closes or is silent for a while."""
        connection = self.connect(port)
        answer = b""
        try:
            connection.sendall(data)
            if close:
                try:
                    connection.shutdown(socket.SHUT_WR)
                except OSError as error:
                    if error.errno != errno.ENOTCONN:  # the server was quicker; what it said is still to be read
                        raise
            connection.settimeout(3)
            while True:
                part = connection.recv(65536)
                if not part:
                    break
                answer += part
        except (TimeoutError, ConnectionResetError, BrokenPipeError):
            pass
        return answer

    def request(self, method, path, headers, body=b"", close=True):
        lines = [f"{method} {path} HTTP/1.1"] + [f"{name}: {value}" for name, value in headers.items()]
        if not any(name.lower() in ("content-length", "transfer-encoding") for name in headers):
            lines.append(f"Content-Length: {len(body)}")
        if close:
            lines.append("Connection: close")
        return self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def refused(self, answer, status, code=None):
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertRegex(head, rb"^HTTP/1\.1 " + str(status).encode(), answer[:500])
        if code is not None:
            self.assertIn(f"<Code>{code}</Code>".encode(), body)
            self.assertRegex(body, rb"<RequestId>[^<]+</RequestId>")

    def test_garbage(self):
        noise = hashlib.shake_128(b"noise").digest(4096)
        hello = bytes.fromhex("16030100a5010000a10303") + noise[:160]
        samples = (noise, b"\0" * 1000, b"\r\n" * 1000, hello, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                   b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"x" * 100000)
        for port in (self.world.nodes[0].s3_port, self.world.nodes[0].api_port, self.world.nodes[0].peer_port):
            for sample in samples:
                with self.subTest(port=port - self.world.nodes[0].s3_port, sample=sample[:12]):
                    answer = self.send(sample, port, close=True)
                    self.assertNotIn(b" 200 ", answer[:15])
                    if port == self.world.nodes[0].peer_port:
                        self.assertEqual(answer, b"")
                    elif b" HTTP/" in sample:  # a version that nobody speaks here: RFC 9110, 15.6.6
                        self.assertRegex(answer, rb"^HTTP/1\.1 505 ")
                    else:
                        self.assertRegex(answer, rb"^($|HTTP/1\.1 4)")

    def test_oversized_headers(self):
        for header in ("x-big: " + "a" * 1_000_000, "\r\n".join(f"x-{i}: b" for i in range(50_000))):
            answer = self.send(f"GET / HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n".encode())
            self.assertRegex(answer[:12] or b"HTTP/1.1 4", rb"HTTP/1\.1 4")
        answer = self.send(b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertRegex(answer[:12] or b"HTTP/1.1 4", rb"HTTP/1\.1 4")

    def test_smuggling(self):
        host = "Host: a\r\n"
        for lines in ("Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: -1\r\n", "Content-Length: 5x\r\n",
                      "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked, gzip\r\n",
                      "Content-Length: 99999999999999999999999\r\n", "Bad Name: x\r\n", " folded: x\r\n"):
            with self.subTest(lines):
                answer = self.send(f"PUT /target/smuggled HTTP/1.1\r\n{host}{lines}\r\nhello!".encode(), close=True)
                self.assertRegex(answer[:12], rb"HTTP/1\.1 (400|403|501)")
                self.assertEqual(len(re.findall(rb"HTTP/1\.1 ", answer)), 1, "the body was read as a request")

    def test_half_a_request(self):
        headers = self.world.signed("PUT", "/target/half", b"x" * 1000)
        head = "PUT /target/half HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers.items())
        for part in (head[:20], head, head + "Content-Length: 1000\r\n\r\n" + "x" * 500):
            self.send(part.encode(), close=True)
        connection = self.connect()
        connection.sendall((head + "Content-Length: 1000\r\n\r\n" + "x" * 500).encode())
        connection.close()
        self.assert_error("404", 404, self.s3.head_object, Bucket="target", Key="half")

    def test_many_idle_connections_harm_nobody(self):
        for i in range(300):
            connection = self.connect()
            if i % 2:
                connection.sendall(b"GET / HT")
        begin = time.monotonic()
        self.s3.put_object(Bucket="target", Key="beside", Body=b"x")
        self.assertLess(time.monotonic() - begin, 5)

    def test_credentials(self):
        host = f"127.0.0.1:{self.world.nodes[0].s3_port}"
        self.refused(self.request("GET", "/target", {"Host": host}), 403, "AccessDenied")
        good = self.world.signed("GET", "/target")
        self.assertRegex(self.request("GET", "/target", good)[:12], rb"HTTP/1\.1 200")
        self.refused(self.request("GET", "/target", self.world.signed("GET", "/target", key="A" * 20)),
                     403, "InvalidAccessKeyId")
        self.refused(self.request("GET", "/target", self.world.signed("GET", "/target", secret="wrong" * 8)),
                     403, "SignatureDoesNotMatch")
        self.refused(self.request("DELETE", "/target", good), 403, "SignatureDoesNotMatch")
        self.refused(self.request("GET", "/target/other", good), 403, "SignatureDoesNotMatch")
        for damage in ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=,SignedHeaders=,Signature=", "Basic Og==",
                       good["Authorization"][:-10], good["Authorization"].replace("aws4_request", "aws5_request")):
            with self.subTest(damage[:60]):
                answer = self.request("GET", "/target", {**good, "Authorization": damage})
                self.assertRegex(answer[:12], rb"HTTP/1\.1 (400|403)")

    def test_an_old_request(self):
        for minutes, good in ((14, True), (-14, True), (16, False), (-16, False), (3_000_000, False)):
            with self.subTest(minutes=minutes):
                headers = self.world.signed("GET", "/target", ago=datetime.timedelta(minutes=minutes))
                answer = self.request("GET", "/target", headers)
                if good:
                    self.assertRegex(answer, rb"^HTTP/1\.1 200 ")
                else:
                    self.refused(answer, 403, "RequestTimeTooSkewed")
        # A date that contradicts the scope of the signature, and one that is merely not what was signed.
        headers = self.world.signed("GET", "/target")
        self.refused(self.request("GET", "/target", {**headers, "X-Amz-Date": "20200101T000000Z"}),
                     400, "AuthorizationHeaderMalformed")
        day = headers["X-Amz-Date"][:9]
        other = day + ("000000Z" if headers["X-Amz-Date"] != day + "000000Z" else "000001Z")
        self.refused(self.request("GET", "/target", {**headers, "X-Amz-Date": other}), 403, "SignatureDoesNotMatch")

    def test_a_body_that_is_not_what_was_signed(self):
        headers = self.world.signed("PUT", "/target/changed", b"what was signed")
        self.refused(self.request("PUT", "/target/changed", headers, b"what was sent!!"),
                     400, "XAmzContentSHA256Mismatch")
        self.assert_error("404", 404, self.s3.head_object, Bucket="target", Key="changed")

    def test_operations_nobody_knows(self):
        for method, path, statuses in (("PUT", "/target?tagging", b"501"), ("PUT", "/target?policy", b"501"),
                                       ("GET", "/target?moraine", b"(400|501)"), ("BREW", "/target", b"(400|405|501)"),
                                       ("POST", "/target/k?uploads=", b"501"), ("PATCH", "/target/k", b"(405|501)")):
            with self.subTest(path=path, method=method):
                answer = self.request(method, path, self.world.signed(method, path))
                self.assertRegex(answer[:12], rb"HTTP/1\.1 " + statuses)

    def test_too_large(self):
        self.assert_error("EntityTooLarge", 400, self.s3.put_object, Bucket="target", Key="large",
                          Body=b"x" * (9 << 20))

    def test_names_that_are_none(self):
        for name in ("UPPER", "ab", "a_b", "192.168.1.1", "-a-", "a..b"):
            with self.subTest(name):
                answer = self.request("PUT", f"/{name}", self.world.signed("PUT", f"/{name}"))
                self.refused(answer, 400, "InvalidBucketName")


if __name__ == "__main__":
    unittest.main()
