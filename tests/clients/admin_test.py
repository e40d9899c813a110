"""Health, metrics and status of a cluster of three, by HTTP and by `drumlin admin status`."""

import base64
import json
import math
import re
import subprocess
import unittest
import urllib.error
import urllib.request

from world import BINARY, WorldTest

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL})(?:,{LABEL})*,?)?\}})? (?P<value>\S+)(?: -?\d+)?")


def parse_metrics(text):
    """Prometheus' text format 0.0.4: {family: (type, {(sample, labels): value})}; ValueError names a bad line."""
    if text and not text.endswith("\n"):
        raise ValueError("the last line does not end")
    families, helped = {}, set()
    for line in text.split("\n"):
        if not line:
            continue
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            if name in helped:
                raise ValueError(f"a second HELP: {line}")
            helped.add(name)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            if name in families or kind not in ("counter", "gauge", "histogram", "summary", "untyped"):
                raise ValueError(f"a second or unknown TYPE: {line}")
            families[name] = (kind, {})
        elif not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            if match is None:
                raise ValueError(f"no sample: {line}")
            name, labels = match.group(1), tuple(sorted(re.findall(LABEL, match.group(2) or "")))
            current = list(families)[-1]  # samples of a family stand together, below its TYPE
            ends = ("_bucket", "_sum", "_count") if families[current][0] == "histogram" else ("",)
            if name not in [current + end for end in ends]:
                raise ValueError(f"outside its family: {line}")
            if (name, labels) in families[current][1]:
                raise ValueError(f"twice: {line}")
            families[current][1][name, labels] = float(match["value"])
    for name, (kind, samples) in families.items():
        if kind == "histogram":
            check_histogram(name, samples)
    return families


def check_histogram(name, samples):
    series = {}
    for (sample, labels), value in samples.items():
        if sample == name + "_bucket":
            bound = float(dict(labels)["le"])
            series.setdefault(tuple(label for label in labels if label[0] != "le"), []).append((bound, value))
    for labels, buckets in series.items():
        counts = [count for _, count in sorted(buckets)]
        if counts != sorted(counts) or not math.isinf(max(buckets)[0]):
            raise ValueError(f"buckets of {name} {labels}: {buckets}")
        if counts[-1] != samples[name + "_count", labels] or (name + "_sum", labels) not in samples:
            raise ValueError(f"count or sum of {name} {labels}")


class Admin(WorldTest):
    NODES = 3

    def get(self, node, path, user=None, method="GET"):
        """Status, headers and body."""
        request = urllib.request.Request(node.api + path, method=method)
        if user is not None:
            request.add_header("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
        try:
            with self.world.open(request) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def user(self):
        keys = self.world.cluster.keys
        return f"{keys['access_key']}:{keys['secret_key']}"

    def status(self, node, *arguments):
        return subprocess.run([BINARY, "admin", "status", "--config", node.config, *arguments],
                              capture_output=True, text=True, timeout=30, check=False)

    def test_health_needs_no_credentials_and_the_rest_does(self):
        for node in self.world.nodes:
            for path in ("/health/live", "/health/ready"):
                self.assertEqual(self.get(node, path)[0], 200)
            for path in ("/metrics", "/v1/status", "/", "/v1/nothing"):
                for user in (None, self.user() + "x", "x" + self.user(), ":", "no colon"):
                    status, headers, body = self.get(node, path, user)
                    self.assertEqual((status, headers["WWW-Authenticate"]), (401, 'Basic realm="drumlin"'))
                    self.assertEqual(json.loads(body)["error"], "Unauthorized")
            self.assertEqual(self.get(node, "/", self.user())[0], 404)
            self.assertEqual(self.get(node, "/metrics", self.user(), "POST")[0], 405)

    def test_metrics(self):
        self.s3.create_bucket(Bucket="metrics")

        def puts():
            status, headers, text = self.get(self.world.nodes[0], "/metrics", self.user())
            self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
            families = parse_metrics(text)
            self.assertEqual(families["drumlin_s3_request_seconds"][0], "histogram")
            kind, samples = families["drumlin_s3_requests_total"]
            self.assertEqual(kind, "counter")
            return samples.get(("drumlin_s3_requests_total", (("class", "2xx"), ("operation", "PutObject"))), 0)

        before = puts()
        for i in range(5):
            self.s3.put_object(Bucket="metrics", Key=str(i), Body=b"x")
        self.assertEqual(puts(), before + 5)

    def test_the_parser_refuses_what_is_wrong(self):
        good = '# TYPE a counter\na{b="c\\n\\"",d=""} 1e3 17\na 2\n'
        self.assertEqual(len(parse_metrics(good)["a"][1]), 2)
        for bad in ("# TYPE a counter\na 1", "# TYPE a counter\na 1\na 1\n", "# TYPE a counter\nb 1\n",
                    "# TYPE a counter\na{b=c} 1\n", "# TYPE a counter\na x\n", "# TYPE a tally\n",
                    '# TYPE a histogram\na_bucket{le="1"} 1\na_sum 1\na_count 1\n',
                    '# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n'):
            with self.assertRaises(ValueError, msg=bad):
                parse_metrics(bad)

    def test_status(self):
        led = 0
        for node in self.world.nodes:
            done = self.status(node, "--json")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            status = json.loads(done.stdout)
            self.assertEqual((status["node"], status["admitted"]), (node.id, True))
            self.assertEqual([m["id"] for m in status["members"]], [1, 2, 3])
            self.assertTrue(all(m["connected"] for m in status["members"]))
            self.assertEqual(len(status["shards"]), 32)
            led += sum(shard["role"] == "leader" for shard in status["shards"])
            for secret in self.world.cluster.keys.values():
                self.assertNotIn(str(secret) if len(str(secret)) > 8 else "\0", done.stdout)
        self.assertEqual(led, 32)
        text = self.status(self.world.nodes[0])
        self.assertEqual((text.returncode, text.stderr), (0, ""))
        self.assertRegex(text.stdout, r"^node 1 +cluster ")
        self.assertEqual(len(re.findall(r" yes\n", text.stdout)), 3)
        self.assertIn("shards here: 32", text.stdout)
        self.assertIn("without a leader: 0", text.stdout)

    def test_with_nodes_down(self):
        one, two, three = self.world.nodes
        three.kill()
        wrong = self.status(three)
        self.assertEqual((wrong.returncode, wrong.stdout), (1, ""))
        self.assertIn(f"127.0.0.1:{three.api_port}", wrong.stderr)
        two.kill()
        while self.get(one, "/health/ready")[0] == 200:  # until its leaders have heard nobody for a while
            pass
        status, _, body = self.get(one, "/health/ready")
        self.assertEqual((status, json.loads(body)["error"]), (503, "NotReady"))
        self.assertEqual(self.get(one, "/health/live")[0], 200)
        self.assertIn(" NO\n", self.status(one).stdout)
        for node in (two, three):
            subprocess.run(node.restart_command(), shell=True, check=True, timeout=10)
        self.world.cluster.wait_ready()


if __name__ == "__main__":
    unittest.main()
