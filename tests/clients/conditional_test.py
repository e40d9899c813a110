"""Conditional writes through three nodes: exactly one of many creators wins, nobody's swap is lost, and a
retry under the same id gets the first answer.

DRUMLIN_RACE_ROUNDS sets how often 32 clients race (40).
"""

import hashlib
import http.client
import os
import threading
import time
import unittest
import uuid

from botocore.exceptions import ClientError

from world import WorldTest

ROUNDS = int(os.environ.get("DRUMLIN_RACE_ROUNDS", "40"))
CLIENTS = 32


def status_of(error):
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


class Race(WorldTest):
    NODES = 3

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.nodes = [cls.world.s3(n, max_pool_connections=CLIENTS) for n in range(3)]
        cls.s3.create_bucket(Bucket="race")

    def crowd(self, body):
        """body(number, s3) in CLIENTS threads at once, each through one of the nodes; what each returned."""
        results = [None] * CLIENTS
        barrier = threading.Barrier(CLIENTS)

        def run(number):
            barrier.wait()
            try:
                results[number] = body(number, self.nodes[number % 3])
            except BaseException as error:  # noqa: B902 - told to the test below
                results[number] = error

        threads = [threading.Thread(target=run, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return results

    def test_one_of_thirty_two_creates(self):
        def create(number, s3):
            wins = []
            for turn in range(ROUNDS):
                turnstile.wait()
                try:
                    s3.put_object(Bucket="race", Key=f"lock/{turn}", Body=str(number).encode(), IfNoneMatch="*")
                    wins.append(turn)
                except ClientError as error:
                    if (error.response["Error"]["Code"], status_of(error)) != ("PreconditionFailed", 412):
                        raise
            return wins

        turnstile = threading.Barrier(CLIENTS)
        begin = time.monotonic()
        winners = {}
        for number, wins in enumerate(self.crowd(create)):
            for turn in wins:
                winners.setdefault(turn, []).append(number)
        took = time.monotonic() - begin
        self.assertEqual({turn for turn in range(ROUNDS) if len(winners.get(turn, [])) != 1}, set())
        for turn, (winner,) in winners.items():
            s3 = self.nodes[turn % 3]
            self.assertEqual(s3.get_object(Bucket="race", Key=f"lock/{turn}")["Body"].read(), str(winner).encode())
        print(f"{ROUNDS} rounds of {CLIENTS} clients, one winner each, {took:.1f} s; "
              f"{len({w for (w,) in winners.values()})} different clients won", flush=True)

    def test_no_swap_is_lost(self):
        self.s3.put_object(Bucket="race", Key="counter", Body=b"0")
        goal = 3

        def count(number, s3):
            done = refused = 0
            while done < goal:
                got = s3.get_object(Bucket="race", Key="counter")
                value = int(got["Body"].read().split()[0])
                try:
                    # Other bytes for each client: equal bytes would have equal tags.
                    s3.put_object(Bucket="race", Key="counter", Body=f"{value + 1} by {number}".encode(),
                                  IfMatch=got["ETag"])
                    done += 1
                except ClientError as error:
                    if status_of(error) != 412:
                        raise
                    refused += 1
                    time.sleep(0.002 * number)
            return refused

        refused = sum(self.crowd(count))
        final = int(self.s3.get_object(Bucket="race", Key="counter")["Body"].read().split()[0])
        print(f"{CLIENTS * goal} swaps by {CLIENTS} clients, {refused} refused", flush=True)
        self.assertEqual(final, CLIENTS * goal)

    def ask(self, node, method, path, body=b"", headers=None):
        """One signed request by hand; (status, headers, body)."""
        where = self.world.nodes[node]
        connection = http.client.HTTPConnection("127.0.0.1", where.s3_port, timeout=30)
        sent = self.world.signed(method, path, body, headers)
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        result = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return result

    def test_a_retry_over_another_node_gets_the_first_answer(self):
        for header in ("amz-sdk-invocation-id", "x-drumlin-request-id"):
            path = f"/race/retry-{header}"
            headers = {header: str(uuid.uuid4()), "If-None-Match": "*"}
            first = self.ask(0, "PUT", path, b"once", dict(headers))
            self.assertEqual(first[0], 200, first)
            for node in (1, 2, 0):
                again = self.ask(node, "PUT", path, b"once", dict(headers))
                self.assertEqual(again[0], 200)
                for name in ("ETag", "x-drumlin-version"):
                    self.assertEqual(again[1][name], first[1][name])
            self.assertEqual(self.ask(1, "PUT", path, b"other", dict(headers))[0], 412, "another request")

    def test_what_was_remembered_outlives_every_node(self):
        headers = {"amz-sdk-invocation-id": str(uuid.uuid4()), "If-None-Match": "*"}
        first = self.ask(0, "PUT", "/race/kept", b"once", dict(headers))
        self.assertEqual(first[0], 200)
        for node in self.world.nodes:
            node.kill()
        for node in self.world.nodes:
            os.system(node.restart_command())
        self.world.cluster.wait_ready()
        again = self.ask(2, "PUT", "/race/kept", b"once", dict(headers))
        self.assertEqual((again[0], again[1]["x-drumlin-version"]), (200, first[1]["x-drumlin-version"]))


class Surface(WorldTest):
    """What boto3 makes of the rest."""

    def test_conditions(self):
        bucket = self.bucket()
        put = self.s3.put_object
        self.assert_error("NoSuchKey", 404, put, Bucket=bucket, Key="k", Body=b"x", IfMatch='"e"')
        etag = put(Bucket=bucket, Key="k", Body=b"one", IfNoneMatch="*")["ETag"]
        answer = self.assert_error("PreconditionFailed", 412, put, Bucket=bucket, Key="k", Body=b"x", IfNoneMatch="*")
        self.assertEqual(answer["Error"]["Message"], "At least one of the pre-conditions you specified did not hold")
        self.assert_error("NotImplemented", 501, put, Bucket=bucket, Key="k", Body=b"x", IfNoneMatch=etag)
        put(Bucket=bucket, Key="k", Body=b"two", IfMatch=etag)
        self.assert_error("PreconditionFailed", 412, self.s3.delete_object, Bucket=bucket, Key="k", IfMatch=etag)
        self.s3.delete_object(Bucket=bucket, Key="k", IfMatch='"' + hashlib.md5(b"two").hexdigest() + '"')

    def test_delete_objects(self):
        bucket = self.bucket()
        keys = [f"k{i}" for i in range(20)] + [" a ", "a&b<c>", "ä", "quote\"'"]
        for key in keys:
            self.s3.put_object(Bucket=bucket, Key=key, Body=b"x")
        entries = [{"Key": key} for key in keys + ["never"]]
        answer = self.s3.delete_objects(Bucket=bucket, Delete={"Objects": entries})
        self.assertEqual([d["Key"] for d in answer["Deleted"]], keys + ["never"])
        self.assertNotIn("Errors", answer)
        self.assertEqual(self.s3.list_objects_v2(Bucket=bucket)["KeyCount"], 0)
        self.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
        quiet = self.s3.delete_objects(Bucket=bucket, Delete={
            "Quiet": True, "Objects": [{"Key": "k", "ETag": '"other"'}, {"Key": "none", "VersionId": "null"}]})
        self.assertNotIn("Deleted", quiet)
        self.assertEqual([(e["Key"], e["Code"]) for e in quiet["Errors"]], [("k", "PreconditionFailed")])

    def test_a_thousand_at_once(self):
        bucket = self.bucket()
        entries = [{"Key": f"k{i}"} for i in range(1000)]
        self.assertEqual(len(self.s3.delete_objects(Bucket=bucket, Delete={"Objects": entries})["Deleted"]), 1000)
        self.assert_error("MalformedXML", 400, self.s3.delete_objects, Bucket=bucket,
                          Delete={"Objects": entries + [{"Key": "one more"}]})

    def test_versions(self):
        bucket = self.bucket()
        keys = sorted(f"dir{i % 3}/k{i:02}" for i in range(25))
        for key in keys:
            self.s3.put_object(Bucket=bucket, Key=key, Body=b"x")
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 4})
        found = [v for page in pages for v in page.get("Versions", [])]
        self.assertEqual([v["Key"] for v in found], keys)
        self.assertEqual({(v["VersionId"], v["IsLatest"]) for v in found}, {("null", True)})
        top = self.s3.list_object_versions(Bucket=bucket, Delimiter="/")
        self.assertEqual([p["Prefix"] for p in top["CommonPrefixes"]], ["dir0/", "dir1/", "dir2/"])
        got = self.s3.get_object(Bucket=bucket, Key=keys[0], VersionId="null")
        self.assertEqual((got["Body"].read(), got["VersionId"]), (b"x", "null"))
        self.s3.delete_object(Bucket=bucket, Key=keys[0], VersionId="null")
        self.assertEqual(len(self.s3.list_object_versions(Bucket=bucket)["Versions"]), 24)

    def test_every_checksum(self):
        bucket = self.bucket()
        for name in ("CRC32", "SHA1", "SHA256", "CRC32C", "CRC64NVME"):
            for body in (b"", b"moraine" * 3000):
                with self.subTest(name=name, size=len(body)):
                    try:
                        put = self.s3.put_object(Bucket=bucket, Key=name, Body=body, ChecksumAlgorithm=name)
                    except Exception as error:  # noqa: B902
                        if "CRT" not in str(error) and type(error).__name__ != "MissingDependencyException":
                            raise
                        continue  # boto3 needs another library for it; s3_test has the values
                    got = self.s3.get_object(Bucket=bucket, Key=name, ChecksumMode="ENABLED")
                    self.assertEqual(got["Body"].read(), body)
                    self.assertEqual(got["Checksum" + name], put["Checksum" + name])
                    self.assertNotIn("Checksum" + name, self.s3.head_object(Bucket=bucket, Key=name))

    def test_what_nobody_has_configured(self):
        bucket = self.bucket()
        for call, code in ((self.s3.get_bucket_policy, "NoSuchBucketPolicy"),
                           (self.s3.get_bucket_cors, "NoSuchCORSConfiguration"),
                           (self.s3.get_bucket_tagging, "NoSuchTagSet"),
                           (self.s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
                           (self.s3.get_bucket_encryption, "ServerSideEncryptionConfigurationNotFoundError"),
                           (self.s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
                           (self.s3.get_public_access_block, "NoSuchPublicAccessBlockConfiguration")):
            self.assert_error(code, 404, call, Bucket=bucket)
        acl = self.s3.get_bucket_acl(Bucket=bucket)
        self.assertEqual([(g["Permission"], g["Grantee"]["Type"]) for g in acl["Grants"]],
                         [("FULL_CONTROL", "CanonicalUser")])
        self.assertNotIn("Status", self.s3.get_bucket_versioning(Bucket=bucket))
        self.assertEqual(self.s3.get_bucket_request_payment(Bucket=bucket)["Payer"], "BucketOwner")
        self.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
        self.assertEqual(self.s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"], [])
        self.s3.delete_bucket_policy(Bucket=bucket)


if __name__ == "__main__":
    unittest.main()
