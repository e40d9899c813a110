"""TLS of a real node: what it refuses to start with, whom it talks to, a new certificate on SIGHUP."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.request

from startup_test import Refusals
from world import BINARY, World, WorldTest, cluster

PATIENCE_S = 30.0


def openssl(*words):
    subprocess.run(["openssl", *words], capture_output=True, check=True)


def certificate_at(port):
    """PEM of what the port shows, unverified."""
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=15)


class Served(WorldTest):
    TLS = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3.create_bucket(Bucket="target")
        cls.node = cls.world.nodes[0]

    def tearDown(self):
        self.assertEqual(self.node.pid(), self.pids[0], "the node died")
        self.s3.put_object(Bucket="target", Key="alive", Body=b"yes")
        self.assertEqual(self.s3.get_object(Bucket="target", Key="alive")["Body"].read(), b"yes")

    def raw(self, port=None):
        connection = socket.create_connection(("127.0.0.1", port or self.node.s3_port), timeout=15)
        self.addCleanup(connection.close)
        return connection

    def answer(self, data, port):
        """All that comes back until the server closes."""
        connection = self.raw(port)
        out = b""
        try:
            connection.sendall(data)
            while part := connection.recv(65536):
                out += part
        except ConnectionResetError:
            pass
        return out

    def test_a_body_whose_length_only_its_trailer_knows(self):
        """boto3 over TLS: Transfer-Encoding: chunked around aws-chunked, no Content-Length."""
        sent = []
        client = self.world.s3()
        client.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.append(request.headers))
        for size in (0, 1, 65536, 3_000_000):
            body = os.urandom(size)
            client.put_object(Bucket="target", Key="k", Body=body)
            self.assertTrue(client.get_object(Bucket="target", Key="k")["Body"].read() == body)
            headers = {name.lower(): str(value) for name, value in sent[-1].items()}
            self.assertNotIn("content-length", headers)
            self.assertIn("chunked", headers["transfer-encoding"])
            self.assertRegex(headers["x-amz-content-sha256"], "STREAMING-UNSIGNED-PAYLOAD-TRAILER")

    def test_plain_http_is_not_answered(self):
        for port in (self.node.s3_port, self.node.api_port):
            self.assertNotIn(b"HTTP/1", self.answer(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", port))
            self.assertLess(len(self.answer(os.urandom(4096), port)), 100)

    def test_versions(self):
        def dial(low, high):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.minimum_version, context.maximum_version = low, high
            context.set_alpn_protocols(["h2", "http/1.1"])
            with context.wrap_socket(self.raw()) as connection:
                self.assertEqual(connection.selected_alpn_protocol(), "http/1.1")
                return connection.version()

        v = ssl.TLSVersion
        self.assertEqual(dial(v.TLSv1_2, v.TLSv1_2), "TLSv1.2")
        self.assertEqual(dial(v.TLSv1_2, v.TLSv1_3), "TLSv1.3")
        with self.assertRaises(OSError):
            dial(v.TLSv1, v.TLSv1_1)

    def test_handshakes_that_do_not_end_harm_nobody(self):
        for i in range(300):
            connection = self.raw()
            if i % 2:
                connection.sendall(bytes.fromhex("16030100a5010000a10303"))
        begin = time.monotonic()
        self.world.s3().put_object(Bucket="target", Key="beside", Body=b"x")
        self.assertLess(time.monotonic() - begin, 5)

    def test_the_admin_command(self):
        def status(*words):
            return subprocess.run([BINARY, "admin", "status", "--config", self.node.config, "--json", *words],
                                  capture_output=True, text=True, timeout=30, check=False)

        for words in ((), ("--ca", self.world.cluster.ca)):
            done = status(*words)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(json.loads(done.stdout)["node"], 1)
        stranger, key = os.path.join(self.world.directory, "s.pem"), os.path.join(self.world.directory, "s.key")
        cluster.make_certificate(stranger, key)
        done = status("--ca", stranger)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("certificate verify failed", done.stderr)
        for wrong, reason in ((key, "no PEM certificate"), ("/nowhere", "/nowhere")):
            done = status("--ca", wrong)
            self.assertEqual(done.returncode, 1)
            self.assertIn(reason, done.stderr)

    def test_metrics_count_handshakes(self):
        self.answer(b"GET / HTTP/1.1\r\n\r\n", self.node.s3_port)
        keys = self.world.cluster.keys
        manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        manager.add_password(None, self.node.api, keys["access_key"], keys["secret_key"])
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=self.world.cluster.trust()),
                                             urllib.request.HTTPBasicAuthHandler(manager))
        text = opener.open(self.node.api + "/metrics", timeout=15).read().decode()
        for outcome in ("ok", "failed"):
            line = rf'drumlin_tls_handshakes_total{{listener="[^"]*:{self.node.s3_port}",outcome="{outcome}"}} (\d+)'
            self.assertGreater(int(re.search(line, text).group(1)), 0)
        expires = float(re.search(r"^drumlin_tls_certificate_not_after_seconds (\S+)", text, re.MULTILINE).group(1))
        self.assertAlmostEqual(expires, time.time() + cluster.CERTIFICATE_DAYS * 86400, delta=86400)


class Reload(unittest.TestCase):
    def setUp(self):
        self.world = World(tls=True)
        self.addCleanup(self.world.close)
        self.world.__enter__()
        self.node = self.world.nodes[0]
        self.ca, self.key = self.world.cluster.ca, self.world.cluster.tls_key

    def logged(self, what, times=1):
        """Waits until the log has so many lines with it; returns them."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with open(self.node.log, encoding="utf-8") as f:
                lines = [line for line in f if what in line]
            if len(lines) >= times:
                return lines
            self.assertLess(time.monotonic(), deadline, f"{what} is not in the log")
            time.sleep(0.02)

    def reload(self, what, times):
        self.node.signal(signal.SIGHUP)
        return self.logged(what, times)[-1]

    def test_a_new_certificate_while_clients_are_served(self):
        first = certificate_at(self.node.s3_port)
        stop, failures, done = threading.Event(), [], [0]

        def traffic():
            client = self.world.s3(retries=1)
            while not stop.is_set():
                try:
                    client.put_object(Bucket="target", Key=f"k{done[0]}", Body=b"x" * 10000)
                    done[0] += 1
                except Exception as error:  # pylint: disable=broad-except
                    failures.append(error)

        self.world.s3().create_bucket(Bucket="target")
        kept = ssl.create_default_context(cafile=self.ca).wrap_socket(
            socket.create_connection(("127.0.0.1", self.node.api_port), timeout=15), server_hostname="127.0.0.1")
        self.addCleanup(kept.close)

        def ask():
            kept.sendall(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
            return kept.recv(65536).startswith(b"HTTP/1.1 200 ")

        self.assertTrue(ask())
        writer = threading.Thread(target=traffic)
        writer.start()
        shown = [first]
        for i in range(2, 5):
            cluster.make_certificate(self.ca, self.key)
            self.reload("certificate in use", i)
            for port in (self.node.s3_port, self.node.api_port):
                now = certificate_at(port)
                with open(self.ca, encoding="utf-8") as f:
                    self.assertEqual(ssl.PEM_cert_to_DER_cert(now), ssl.PEM_cert_to_DER_cert(f.read()))
                self.assertNotIn(now, shown)
            shown.append(now)
            self.assertTrue(ask(), "a connection keeps what it began with")
        before, deadline = done[0], time.monotonic() + PATIENCE_S
        while done[0] <= before and time.monotonic() < deadline:
            time.sleep(0.01)
        stop.set()
        writer.join()
        self.assertEqual(failures, [])
        self.assertGreater(done[0], before)
        self.world.s3().put_object(Bucket="target", Key="after", Body=b"x")

    def test_a_bad_certificate_is_refused_and_the_old_one_stays(self):
        first = certificate_at(self.node.s3_port)
        with open(self.ca, encoding="utf-8") as f:
            good = f.read()
        with open(self.key, encoding="utf-8") as f:
            good_key = f.read()
        other = os.path.join(self.world.directory, "other.pem")
        other_key = os.path.join(self.world.directory, "other.key")
        cluster.make_certificate(other, other_key)
        with open(other_key, encoding="utf-8") as f:
            foreign = f.read()

        def put(path, text):
            if text is None:
                os.remove(path)
            else:
                cluster.write_private(path, text)

        cases = [(self.key, foreign, "does not belong"), (self.key, None, "No such file"), (self.key, "", "no PEM"),
                 (self.ca, "nonsense", "no PEM certificate"), (self.ca, good[:200], "certificate"),
                 (self.ca, None, "No such file")]
        for count, (path, text, reason) in enumerate(cases, 1):
            with self.subTest(reason=reason, path=os.path.basename(path)):
                put(path, text)
                line = self.reload("the new certificate is refused", count)
                entry = json.loads(line)
                self.assertEqual((entry["level"], entry["area"]), ("error", "tls"))
                self.assertIn(reason, entry["why"])
                self.assertIn(path, entry["why"])
                self.assertEqual(certificate_at(self.node.s3_port), first)
                put(path, good if path == self.ca else good_key)
        self.world.s3().list_buckets()
        with open(self.node.log, encoding="utf-8") as f:
            log = f.read()
        for secret in (good_key + foreign).splitlines():
            if "-----" not in secret:
                self.assertNotIn(secret[:20], log)

    def test_a_hangup_without_tls(self):
        with World(tls=False) as plain:
            self.node = plain.nodes[0]
            self.assertIn("no certificate", self.reload("asked to reload", 1))
            plain.s3().list_buckets()


class Startup(Refusals):
    def setUp(self):
        super().setUp()
        self.world.close()
        self.world = World(tls=True)
        self.addCleanup(self.world.close)
        self.node = self.world.nodes[0]
        self.node.write_config()
        self.ca, self.key = self.world.cluster.ca, self.world.cluster.tls_key

    def test_only_one_of_the_two(self):
        self.refuses_edited("certificate = ", "# ", 2, "tls.certificate", "tls.key", "missing")
        self.refuses_edited(f'key = "{self.key}"', 'key = ""', 2, "tls.key", "missing")

    def test_files_that_are_not_good(self):
        self.refuses_edited(self.ca, "/nowhere.pem", 1, "tls.certificate", "/nowhere.pem", "No such file")
        self.refuses_edited(self.key, "/nowhere.key", 1, "tls.key", "/nowhere.key", "No such file")
        self.refuses_edited(self.key, self.world.directory, 1, "tls.key", "irectory")
        self.refuses_edited(f'key = "{self.key}"', f'key = "{self.ca}"', 1, "tls.key", "no PEM private key")
        other, other_key = os.path.join(self.world.directory, "o.pem"), os.path.join(self.world.directory, "o.key")
        cluster.make_certificate(other, other_key)
        self.refuses_edited(self.key, other_key, 1, "tls.key", other_key, "does not belong")
        locked = os.path.join(self.world.directory, "locked.key")
        openssl("pkcs8", "-topk8", "-in", self.key, "-out", locked, "-passout", "pass:x")
        self.refuses_edited(self.key, locked, 1, locked, "passphrase")
        self.assertFalse(os.path.exists(os.path.join(self.node.data, "superblock")), "before the disk was touched")

    def test_one_that_has_expired_is_served_with_a_warning(self):
        with open(self.ca, encoding="utf-8") as f:
            der = ssl.PEM_cert_to_DER_cert(f.read())
        # Two times of 13 bytes each, YYMMDDHHMMSSZ; that the signature breaks is for clients to see.
        times = re.search(rb"\x17\x0d(\d{12}Z)\x17\x0d(\d{12}Z)", der)
        der = der[:times.start(1)] + b"200101000000Z\x17\x0d200201000000Z" + der[times.end(2):]
        cluster.write_private(self.ca, ssl.DER_cert_to_PEM_cert(der))
        self.node.start()
        deadline = time.monotonic() + PATIENCE_S
        while "leader" not in self.node.log_tail():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        certificate_at(self.node.s3_port)
        with open(self.node.log, encoding="utf-8") as f:
            warning = next(json.loads(line) for line in f if '"warn"' in line)
        self.assertEqual(warning["msg"], "clients will refuse the certificate")
        self.assertEqual(warning["why"], "it has expired on 2020-02-01")


if __name__ == "__main__":
    unittest.main()
