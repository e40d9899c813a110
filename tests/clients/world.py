"""A running Drumlin for the client tests: nodes in a temporary directory, clients that point there."""

import datetime
import os
import shutil
import socket
import sys
import tempfile
import unittest
import unittest.mock
import urllib.request

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
import cluster  # noqa: E402

# Taken out: the daemons inherit the environment, and warn of a DRUMLIN_ variable that is no setting.
BINARY = os.environ.pop("DRUMLIN_BINARY", os.path.join(ROOT, "build", "release", "bin", "drumlin"))
BENCH_CLIENT = os.environ.pop("DRUMLIN_BENCH_CLIENT", os.path.join(ROOT, "build", "release", "bin", "drumlin-bench"))
REGION = "us-east-1"
# Every suite can be run over TLS: DRUMLIN_CLIENTS_TLS=1. Some choose for themselves.
TLS = os.environ.pop("DRUMLIN_CLIENTS_TLS", "") == "1"
# Fewer shards than the default: these tests run unoptimised builds, three nodes at a time, on two cores.
SETTINGS = {"cluster.shards": "32"}


def free_port(nodes=1):
    """A base port with cluster.PORTS_A_NODE unused ports for each node."""
    for _ in range(1000):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            base = probe.getsockname()[1]
        try:
            for port in range(base, base + cluster.PORTS_A_NODE * nodes):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return base
        except (OSError, OverflowError):
            continue
    raise RuntimeError("no free ports")


class World:
    """`with World(nodes=3) as world:` has them running and ready; at the end all are gone."""

    def __init__(self, nodes=1, settings=None, tls=None):
        self.directory = tempfile.mkdtemp(prefix="drumlin-clients-")
        self.cluster = cluster.Cluster(BINARY, os.path.join(self.directory, "data"), nodes, free_port(nodes),
                                       {**SETTINGS, **(settings or {})}, TLS if tls is None else tls)
        self.nodes = self.cluster.nodes
        self.failed = False

    def __enter__(self):
        try:
            self.cluster.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind, *unused):
        self.failed |= kind is not None
        self.close()

    def close(self):
        late = self.cluster.stop()
        if self.failed or late:
            for node in self.nodes:
                print(f"-- end of the log of node {node.id}:\n{node.log_tail(30)}", file=sys.stderr)
        shutil.rmtree(self.directory, ignore_errors=True)
        if late and not self.failed:
            raise AssertionError(f"nodes {late} did not stop on SIGTERM")

    def s3(self, node=0, retries=3, timeout=15, **config):
        """A boto3 client of one node. `retries` counts the first try too."""
        keys = self.cluster.keys
        return boto3.session.Session().client(
            "s3", endpoint_url=self.nodes[node].s3, region_name=REGION,
            aws_access_key_id=keys["access_key"], aws_secret_access_key=keys["secret_key"],
            verify=self.cluster.ca, config=botocore.config.Config(
                retries={"total_max_attempts": retries, "mode": "standard"}, connect_timeout=timeout,
                read_timeout=timeout, s3={"addressing_style": "path"}, **config))

    def open(self, request):
        """urllib's urlopen, which knows our certificate."""
        return urllib.request.urlopen(request, timeout=15, context=self.cluster.trust())

    def environment(self):
        """Of a child process that is an AWS client."""
        keys = self.cluster.keys
        clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        if self.cluster.ca:
            clean["AWS_CA_BUNDLE"] = self.cluster.ca
        return {**clean, "AWS_ACCESS_KEY_ID": keys["access_key"], "AWS_SECRET_ACCESS_KEY": keys["secret_key"],
                "AWS_DEFAULT_REGION": REGION, "AWS_CONFIG_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_ENDPOINT_URL": self.nodes[0].s3}

    def signed(self, method, path, body=b"", headers=None, key=None, secret=None, ago=datetime.timedelta()):
        """Headers of a correctly signed request, to be sent by hand; signed some time `ago`, scope included."""
        keys = self.cluster.keys
        request = botocore.awsrequest.AWSRequest(method, self.nodes[0].s3 + path, headers or {}, body)
        credentials = botocore.credentials.Credentials(key or keys["access_key"], secret or keys["secret_key"])
        now = datetime.datetime.now(datetime.timezone.utc)
        with unittest.mock.patch.object(botocore.auth, "get_current_datetime", lambda: now - ago):
            botocore.auth.S3SigV4Auth(credentials, "s3", REGION).add_auth(request)
        result = dict(request.headers.items())
        result["Host"] = f"127.0.0.1:{self.nodes[0].s3_port}"
        return result


class WorldTest(unittest.TestCase):
    """One world for all tests of the class."""

    NODES = 1
    SETTINGS = {}
    TLS = None  # as the environment says

    @classmethod
    def setUpClass(cls):
        cls.world = World(cls.NODES, cls.SETTINGS, cls.TLS)
        cls.world.__enter__()
        cls.addClassCleanup(cls.world.close)
        cls.s3 = cls.world.s3()
        cls.pids = [node.pid() for node in cls.world.nodes]

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            type(self).world.failed = True
        return result

    def bucket(self):
        """A bucket of this test's own."""
        name = self.id().split(".")[-1].replace("_", "-")[:63].strip("-")
        self.s3.create_bucket(Bucket=name)
        return name

    def assert_error(self, code, status, call, *arguments, **parameters):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(*arguments, **parameters)
        answer = caught.exception.response
        self.assertEqual((answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]), (code, status))
        return answer
