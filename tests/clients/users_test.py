"""Users of a cluster of three: keys by `drumlin admin`, own buckets, everything of others denied."""

import base64
import json
import re
import subprocess
import time
import unittest
import urllib.error
import urllib.request

import boto3
import botocore.config
import botocore.exceptions

from world import BINARY, REGION, WorldTest


class UsersTest(WorldTest):
    NODES = 3

    def admin(self, *arguments, node=0, expect=0):
        """Standard output of `drumlin admin ...` at a node."""
        done = subprocess.run([BINARY, "admin", *arguments, "--config", self.world.nodes[node].config],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, expect, done.stderr)
        return done.stdout if expect == 0 else done.stderr

    def new_key(self, user, node=0):
        out = self.admin("keys", "create", user, node=node)
        return re.fullmatch(r"access_key +(\S+)\nsecret_key +(\S+)\n", out).groups()

    def client(self, key, node=0):
        return boto3.session.Session().client(
            "s3", endpoint_url=self.world.nodes[node].s3, region_name=REGION, aws_access_key_id=key[0],
            aws_secret_access_key=key[1], verify=self.world.cluster.ca,
            config=botocore.config.Config(retries={"total_max_attempts": 3, "mode": "standard"},
                                          s3={"addressing_style": "path"}, signature_version="s3v4"))

    def new_user(self, name):
        """A client of a new user, good on every node."""
        self.admin("users", "create", name)
        key = self.new_key(name)
        time.sleep(1)  # what a key is known by everywhere
        return key

    @classmethod
    def good(cls, client):
        try:
            client.list_buckets()
            return True
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "InvalidAccessKeyId":
                raise
            return False

    def api(self, method, path, body=None, key=None):
        keys = self.world.cluster.keys
        key = key or (keys["access_key"], keys["secret_key"])
        request = urllib.request.Request(self.world.nodes[0].api + path, method=method, data=body)
        request.add_header("Authorization", "Basic " + base64.b64encode(":".join(key).encode()).decode())
        try:
            with self.world.open(request) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def test_denial_of_every_operation(self):
        alice, bob = self.client(self.new_user("alice")), self.client(self.new_user("bob"), node=1)
        where = {"Bucket": "alices"}
        one = {**where, "Key": "k"}
        alice.create_bucket(**where)
        alice.put_object(**one, Body=b"hers")
        denied = [
            (bob.get_object, one), (bob.put_object, {**one, "Body": b"his"}), (bob.delete_object, one),
            (bob.get_object, {**where, "Key": "no such key"}),
            (bob.put_object, {**one, "Body": b"his", "IfNoneMatch": "*"}),
            (bob.put_object, {**one, "Body": b"his", "IfMatch": '"x"'}),
            (bob.delete_objects, {**where, "Delete": {"Objects": [{"Key": "k"}]}}),
            (bob.list_objects, where), (bob.list_objects_v2, where), (bob.list_object_versions, where),
            (bob.get_bucket_location, where), (bob.delete_bucket, where), (bob.get_bucket_acl, where),
            (bob.get_object_acl, one), (bob.get_object_tagging, one), (bob.get_bucket_policy, where),
            (bob.get_bucket_versioning, where), (bob.get_bucket_cors, where), (bob.delete_bucket_cors, where)]
        for call, parameters in denied:
            with self.subTest(call.__name__, **parameters):
                self.assert_error("AccessDenied", 403, call, **parameters)
        for call, parameters in ((bob.head_bucket, where), (bob.head_object, one)):
            with self.subTest(call.__name__):
                self.assert_error("403", 403, call, **parameters)
        self.assert_error("BucketAlreadyExists", 409, bob.create_bucket, **where)
        self.assert_error("BucketAlreadyOwnedByYou", 409, alice.create_bucket, **where)
        self.assert_error("NoSuchBucket", 404, bob.get_object, Bucket="nobodys", Key="k")
        self.assertEqual(bob.list_buckets()["Buckets"], [])
        self.assertEqual([b["Name"] for b in alice.list_buckets()["Buckets"]], ["alices"])
        self.assertEqual(alice.get_object(**one)["Body"].read(), b"hers")

        url = bob.generate_presigned_url("get_object", Params=one, ExpiresIn=60)
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.world.open(url)
        self.assertEqual(caught.exception.code, 403)

        # Root may do everything; owners are real.
        self.assertEqual(self.s3.get_object(**one)["Body"].read(), b"hers")
        owner = alice.list_buckets()["Owner"]["ID"]
        self.assertNotEqual(owner, bob.list_buckets()["Owner"]["ID"])
        self.assertEqual(self.s3.list_objects_v2(**where, FetchOwner=True)["Contents"][0]["Owner"]["ID"], owner)
        self.assertEqual(self.s3.get_bucket_acl(**where)["Owner"]["ID"], owner)
        self.s3.get_object(**one, ExpectedBucketOwner=owner)
        self.assert_error("AccessDenied", 403, alice.get_object, **one, ExpectedBucketOwner="0" * 64)

        self.assertIn("owns bucket \"alices\"", self.admin("users", "delete", "alice", expect=1))
        alice.delete_object(**one)
        alice.delete_bucket(**where)
        self.admin("users", "delete", "alice")
        time.sleep(1)
        self.assertFalse(self.good(alice))

    def test_a_bucket_made_again_by_another_is_anothers_at_once(self):
        carol, dave = self.new_user("carol"), self.new_user("dave")
        for former, later in ((carol, dave), (dave, carol)):
            self.client(former).create_bucket(Bucket="passed-on")
            for node in range(3):
                self.client(former, node).put_object(Bucket="passed-on", Key="k", Body=b"x")
            self.client(former).delete_object(Bucket="passed-on", Key="k")
            self.client(former).delete_bucket(Bucket="passed-on")
            self.client(later).create_bucket(Bucket="passed-on")
            for node in range(3):
                self.assert_error("AccessDenied", 403, self.client(former, node).put_object, Bucket="passed-on",
                                  Key="k", Body=b"y")
                self.client(later, node).put_object(Bucket="passed-on", Key="k", Body=b"z")
            self.client(later).delete_object(Bucket="passed-on", Key="k")
            self.client(later).delete_bucket(Bucket="passed-on")

    def test_rotation_over_three_nodes(self):
        old = self.new_user("erin")
        erin = [self.client(old, node) for node in range(3)]
        self.assertTrue(all(self.good(client) for client in erin))
        new = self.new_key("erin", node=0)
        made = time.monotonic()
        on_three = self.client(new, node=2)
        while not self.good(on_three):
            self.assertLess(time.monotonic() - made, 1)
        self.admin("keys", "delete", old[0], node=1)
        gone = time.monotonic()
        for client in erin:
            while self.good(client):
                self.assertLess(time.monotonic() - gone, 1)
        self.assertTrue(self.good(on_three))

    def test_disabled_and_enabled(self):
        key = self.new_user("frank")
        frank = self.client(key, node=2)
        for what, name in (("keys", key[0]), ("users", "frank")):
            self.assertTrue(self.good(frank))
            self.admin(what, "disable", name)
            time.sleep(1)
            self.assertFalse(self.good(frank))
            self.admin(what, "enable", name)
            time.sleep(1)
        self.assertTrue(self.good(frank))

    def test_the_commands(self):
        key = self.new_user("grace")
        users, keys = self.admin("users", "list", node=1), self.admin("keys", "list", node=2)
        self.assertRegex(users, r"(?m)^grace +active +1 ")
        self.assertRegex(keys, rf"(?m)^{key[0]} +active .* grace$")
        self.assertRegex(self.admin("keys", "list", "grace"), key[0])
        whole = json.loads(self.admin("users", "list", "--json"))
        self.assertIn("grace", [user["name"] for user in whole["users"]])
        for text in (users, keys, json.dumps(whole)):
            self.assertNotIn(key[1], text)
        for node in self.world.nodes:
            self.assertNotIn(key[1], node.log_tail(100000), "a secret is in a log")
        for arguments, reason in ((("users", "create", "grace"), "there is a user"),
                                  (("users", "create", "no good"), "a user's name"),
                                  (("users", "delete", "nobody"), "no user"),
                                  (("keys", "create", "nobody"), "no user"),
                                  (("keys", "delete", "DKNOSUCHKEY"), "no access key"),
                                  (("keys", "list", "nobody"), "no user")):
            with self.subTest(arguments):
                self.assertIn(reason, self.admin(*arguments, expect=1))
        for arguments in (("users",), ("keys", "create"), ("users", "rename", "grace"), ("keys", "list", "--no")):
            with self.subTest(arguments):
                self.admin(*arguments, expect=2)
        keys = [self.new_key("grace") for _ in range(3)]
        self.assertEqual(len({part for key in keys for part in key}), 6)
        self.assertIn("4 keys", self.admin("keys", "create", "grace", expect=1))
        # The API is root's.
        for method, path in (("GET", "/v1/users"), ("POST", "/v1/users/grace/keys"), ("GET", "/v1/status")):
            self.assertEqual(self.api(method, path, key=key)[0], 401)
        self.assertEqual(self.api("POST", "/v1/users", b"{")[0], 400)


if __name__ == "__main__":
    unittest.main()
