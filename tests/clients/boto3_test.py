"""boto3 against one node: the operations that exist, with the shapes of input that break servers."""

import base64
import datetime
import hashlib
import unittest
import urllib.error
import urllib.request

from world import WorldTest

# Literal keys that clients, proxies and servers like to change on the way.
ODD_KEYS = [
    "plain", "with space", "plus+plus", "per%20cent", "tilde~", "equals=and&amp", "at@colon:semi;", "star*(x)'!",
    "quote\"s", "ünïcödé", "日本語/キー", "emoji-\U0001f9ca", "a//b", "/leading", "trailing/", "//", ".", "..", "a/../b",
    "a/./b", "question?mark", "hash#tag", "back\\slash", "<tag>&</tag>", "comma,", "dollar$", "a" * 1024,
    "tab\there", "é" * 512, "combining e\u0301", "[brackets]{braces}", "pipe|", "caret^", "grave`",
]


class Buckets(WorldTest):
    def test_create_head_list_delete(self):
        names = ["bucket-a", "bucket.b", "bucket-c"]
        for name in names:
            self.s3.create_bucket(Bucket=name)
            self.s3.head_bucket(Bucket=name)
        listed = self.s3.list_buckets()
        self.assertEqual([b["Name"] for b in listed["Buckets"]], sorted(names))
        age = datetime.datetime.now(datetime.timezone.utc) - listed["Buckets"][0]["CreationDate"]
        self.assertLess(abs(age.total_seconds()), 120)
        for name in names:
            self.s3.delete_bucket(Bucket=name)
        self.assertEqual(self.s3.list_buckets()["Buckets"], [])
        self.assert_error("404", 404, self.s3.head_bucket, Bucket="bucket-a")

    def test_location(self):
        bucket = self.bucket()
        self.assertIsNone(self.s3.get_bucket_location(Bucket=bucket)["LocationConstraint"])
        self.s3.delete_bucket(Bucket=bucket)

    def test_delete_refuses_while_not_empty(self):
        bucket = self.bucket()
        self.s3.put_object(Bucket=bucket, Key="k", Body=b"v")
        self.assert_error("BucketNotEmpty", 409, self.s3.delete_bucket, Bucket=bucket)
        self.assertEqual(self.s3.get_object(Bucket=bucket, Key="k")["Body"].read(), b"v")
        self.s3.delete_object(Bucket=bucket, Key="k")
        self.s3.delete_bucket(Bucket=bucket)

    def test_made_again_it_is_empty(self):
        bucket = self.bucket()
        self.s3.put_object(Bucket=bucket, Key="k", Body=b"v")
        self.s3.delete_object(Bucket=bucket, Key="k")
        self.s3.delete_bucket(Bucket=bucket)
        self.assert_error("NoSuchBucket", 404, self.s3.put_object, Bucket=bucket, Key="k", Body=b"v")
        self.s3.create_bucket(Bucket=bucket)
        self.assertEqual(self.s3.list_objects_v2(Bucket=bucket)["KeyCount"], 0)
        self.s3.delete_bucket(Bucket=bucket)

    def test_missing(self):
        self.assert_error("NoSuchBucket", 404, self.s3.list_objects_v2, Bucket="no-such-bucket")
        self.assert_error("NoSuchBucket", 404, self.s3.delete_bucket, Bucket="no-such-bucket")
        self.assert_error("NoSuchBucket", 404, self.s3.get_object, Bucket="no-such-bucket", Key="k")


class Objects(WorldTest):
    def test_round_trip_of_sizes(self):
        bucket = self.bucket()
        for size in (0, 1, 5, 511, 512, 513, 4095, 4096, 65535, 65536, 65537, 1 << 20, 5 * (1 << 20) + 3):
            body = hashlib.shake_128(str(size).encode()).digest(size)
            with self.subTest(size=size):
                put = self.s3.put_object(Bucket=bucket, Key=f"k{size}", Body=body)
                etag = '"' + hashlib.md5(body).hexdigest() + '"'
                self.assertEqual(put["ETag"], etag)
                got = self.s3.get_object(Bucket=bucket, Key=f"k{size}")
                self.assertEqual(got["ContentLength"], size)
                self.assertEqual(got["ETag"], etag)
                self.assertTrue(got["Body"].read() == body)
                head = self.s3.head_object(Bucket=bucket, Key=f"k{size}")
                self.assertEqual((head["ContentLength"], head["ETag"]), (size, etag))
                self.assertEqual(head["LastModified"], got["LastModified"])

    def test_overwrite_and_delete(self):
        bucket = self.bucket()
        for body in (b"first", b"second, longer", b""):
            self.s3.put_object(Bucket=bucket, Key="k", Body=body)
            self.assertEqual(self.s3.get_object(Bucket=bucket, Key="k")["Body"].read(), body)
        self.s3.delete_object(Bucket=bucket, Key="k")
        self.assert_error("NoSuchKey", 404, self.s3.get_object, Bucket=bucket, Key="k")
        self.assert_error("404", 404, self.s3.head_object, Bucket=bucket, Key="k")
        self.s3.delete_object(Bucket=bucket, Key="k")  # again: no error

    def test_metadata_and_headers_come_back(self):
        bucket = self.bucket()
        expires = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
        sent = {"ContentType": "text/x-moraine; charset=utf-8", "CacheControl": "max-age=60", "ContentLanguage": "de",
                "ContentDisposition": 'attachment; filename="a b.txt"', "ContentEncoding": "gzip",
                "Metadata": {"one": "1", "with-dash": "v a l u e", "empty": "", "utf": "=?UTF-8?B?w7w=?="}}
        self.s3.put_object(Bucket=bucket, Key="k", Body=b"v", Expires=expires, **sent)
        for answer in (self.s3.head_object(Bucket=bucket, Key="k"), self.s3.get_object(Bucket=bucket, Key="k")):
            for name, value in sent.items():
                self.assertEqual(answer[name], value, name)
            self.assertEqual(answer["ExpiresString"], "Wed, 02 Jan 2030 03:04:05 GMT")
        self.s3.put_object(Bucket=bucket, Key="k", Body=b"v")
        self.assertEqual(self.s3.head_object(Bucket=bucket, Key="k")["Metadata"], {})
        self.assertEqual(self.s3.head_object(Bucket=bucket, Key="k")["ContentType"], "binary/octet-stream")

    def test_too_much_metadata(self):
        bucket = self.bucket()
        self.assert_error("MetadataTooLarge", 400, self.s3.put_object, Bucket=bucket, Key="k", Body=b"",
                          Metadata={"a": "x" * 2048})

    def test_ranges(self):
        bucket = self.bucket()
        body = bytes(range(256)) * 1000
        self.s3.put_object(Bucket=bucket, Key="k", Body=body)
        for text, begin, end in (("bytes=0-0", 0, 1), ("bytes=10-99", 10, 100), ("bytes=255990-", 255990, 256000),
                                 ("bytes=-7", 255993, 256000), ("bytes=0-999999", 0, 256000),
                                 ("bytes=-999999", 0, 256000)):
            with self.subTest(text):
                got = self.s3.get_object(Bucket=bucket, Key="k", Range=text)
                self.assertEqual(got["ResponseMetadata"]["HTTPStatusCode"], 206)
                self.assertEqual(got["ContentRange"], f"bytes {begin}-{end - 1}/256000")
                self.assertTrue(got["Body"].read() == body[begin:end])
        self.assert_error("InvalidRange", 416, self.s3.get_object, Bucket=bucket, Key="k", Range="bytes=256000-")

    def test_conditions(self):
        bucket = self.bucket()
        etag = self.s3.put_object(Bucket=bucket, Key="k", Body=b"v")["ETag"]
        past = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
        get, where = self.s3.get_object, {"Bucket": bucket, "Key": "k"}
        self.assertEqual(get(**where, IfMatch=etag)["Body"].read(), b"v")
        self.assertEqual(get(**where, IfNoneMatch='"other"')["Body"].read(), b"v")
        self.assertEqual(get(**where, IfModifiedSince=past)["Body"].read(), b"v")
        self.assert_error("PreconditionFailed", 412, get, **where, IfMatch='"other"')
        self.assert_error("PreconditionFailed", 412, get, **where, IfUnmodifiedSince=past)
        self.assert_error("304", 304, get, **where, IfNoneMatch=etag)

    def test_checksums(self):
        bucket = self.bucket()
        for name in ("CRC32", "SHA1", "SHA256"):
            with self.subTest(name):
                put = self.s3.put_object(Bucket=bucket, Key=name, Body=b"moraine", ChecksumAlgorithm=name)
                got = self.s3.get_object(Bucket=bucket, Key=name, ChecksumMode="ENABLED")
                self.assertEqual(got["Body"].read(), b"moraine")
                self.assertEqual(got.get("Checksum" + name), put["Checksum" + name])
        self.assertEqual(put["ChecksumSHA256"], base64.b64encode(hashlib.sha256(b"moraine").digest()).decode())
        self.assert_error("BadDigest", 400, self.s3.put_object, Bucket=bucket, Key="bad", Body=b"moraine",
                          ContentMD5=base64.b64encode(hashlib.md5(b"other").digest()).decode())
        self.assert_error("404", 404, self.s3.head_object, Bucket=bucket, Key="bad")

    def test_odd_keys(self):
        bucket = self.bucket()
        for key in ODD_KEYS:
            with self.subTest(key=key[:40]):
                self.s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
                self.assertEqual(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read(), key.encode())
        listed = []
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 7}):
            listed += [item["Key"] for item in page.get("Contents", [])]
        self.assertEqual(listed, sorted(ODD_KEYS, key=lambda k: k.encode()))
        for key in ODD_KEYS:
            self.s3.delete_object(Bucket=bucket, Key=key)
        self.assertEqual(self.s3.list_objects_v2(Bucket=bucket)["KeyCount"], 0)

    def test_key_too_long(self):
        bucket = self.bucket()
        self.assert_error("KeyTooLongError", 400, self.s3.put_object, Bucket=bucket, Key="a" * 1025, Body=b"")

    def test_presigned(self):
        where = {"Bucket": self.bucket(), "Key": "a b+c"}
        s3 = self.world.s3(signature_version="s3v4")  # unless told, boto3 presigns with Version 2

        def ask(operation, method, client=s3, data=None):
            url = client.generate_presigned_url(operation, Params=where, ExpiresIn=60)
            return self.world.open(urllib.request.Request(url, data=data, method=method))

        self.assertEqual(ask("put_object", "PUT", data=b"by url").status, 200)
        self.assertEqual(ask("get_object", "GET").read(), b"by url")
        self.assertEqual(ask("head_object", "HEAD").headers["Content-Length"], "6")
        for method, client, status, part in (("DELETE", s3, 403, b"<Code>SignatureDoesNotMatch</Code>"),
                                             ("GET", self.s3, 400, b"Please use AWS4-HMAC-SHA256")):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                ask("get_object", method, client)
            self.assertEqual(caught.exception.code, status)
            self.assertIn(part, caught.exception.read())
        self.assertEqual(ask("delete_object", "DELETE").status, 204)

    def test_a_stream_without_a_known_digest(self):
        bucket = self.bucket()
        unsigned = self.world.s3(request_checksum_calculation="when_required")
        unsigned.put_object(Bucket=bucket, Key="k", Body=b"x" * 100000)
        self.assertEqual(unsigned.head_object(Bucket=bucket, Key="k")["ContentLength"], 100000)


class Listing(WorldTest):
    KEYS = sorted(["a", "b/1", "b/2", "b/c/3", "b0", "c/", "c/x", "d"] + [f"many/{i:04}" for i in range(1203)])

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3.create_bucket(Bucket="listing")
        for key in cls.KEYS:
            cls.s3.put_object(Bucket="listing", Key=key, Body=key.encode())

    def pages(self, operation="list_objects_v2", **parameters):
        keys, prefixes = [], []
        for page in self.s3.get_paginator(operation).paginate(Bucket="listing", **parameters):
            keys += [item["Key"] for item in page.get("Contents", [])]
            prefixes += [item["Prefix"] for item in page.get("CommonPrefixes", [])]
        return keys, prefixes

    def test_everything_in_order_both_versions(self):
        self.assertEqual(self.pages(), (self.KEYS, []))
        self.assertEqual(self.pages("list_objects"), (self.KEYS, []))

    def test_a_page_says_what_it_is(self):
        page = self.s3.list_objects_v2(Bucket="listing", MaxKeys=5)
        self.assertEqual((page["KeyCount"], page["MaxKeys"], page["IsTruncated"]), (5, 5, True))
        first = page["Contents"][0]
        self.assertEqual((first["Key"], first["Size"]), ("a", 1))
        self.assertEqual(first["ETag"], '"' + hashlib.md5(b"a").hexdigest() + '"')
        self.assertEqual(self.s3.list_objects_v2(Bucket="listing", MaxKeys=0)["KeyCount"], 0)
        self.assertEqual(self.s3.list_objects_v2(Bucket="listing")["KeyCount"], 1000)

    def test_prefix_and_delimiter(self):
        self.assertEqual(self.pages(Prefix="b/"), (["b/1", "b/2", "b/c/3"], []))
        self.assertEqual(self.pages(Delimiter="/"), (["a", "b0", "d"], ["b/", "c/", "many/"]))
        self.assertEqual(self.pages(Prefix="b/", Delimiter="/"), (["b/1", "b/2"], ["b/c/"]))
        self.assertEqual(self.pages(Prefix="nothing"), ([], []))

    def test_small_pages_repeat_and_drop_nothing(self):
        for size in (1, 2, 3):
            for operation in ("list_objects_v2", "list_objects"):
                with self.subTest(size=size, operation=operation):
                    self.assertEqual(self.pages(operation, Delimiter="/", PaginationConfig={"PageSize": size}),
                                     (["a", "b0", "d"], ["b/", "c/", "many/"]))

    def test_start_after(self):
        self.assertEqual(self.pages(Prefix="b", StartAfter="b/1"), (["b/2", "b/c/3", "b0"], []))
        self.assertEqual(self.pages(Prefix="b", StartAfter="a"), (["b/1", "b/2", "b/c/3", "b0"], []))
        self.assertEqual(self.pages(StartAfter="zzz"), ([], []))


if __name__ == "__main__":
    unittest.main()
