// fuzz_seeds DIR: writes DIR/<target>/seed-*, the first inputs of the targets of binary formats, with
// the encoders of this build. The texts among the seeds are written here, too, so that all of them
// can be made anew when a format changes.
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "auth/basic.h"
#include "auth/sigv4.h"
#include "base/check.h"
#include "base/digest.h"
#include "fuzz/targets/memory_stream.h"
#include "fuzz/targets/peer_world.h"
#include "fuzz/targets/tls_talk.h"
#include "replica/wire.h"
#include "rpc/frame.h"
#include "rpc/handshake.h"
#include "s3/list_token.h"
#include "shard/command.h"
#include "shard/query.h"
#include "tests/wal/machine.h"
#include "wal/format.h"
#include "wal/hardstate.h"
#include "wal/superblock.h"

namespace drumlin::fuzz {
namespace {

using namespace std::string_literals;  // NOLINT(google-build-using-namespace)

class Seeds {
 public:
  explicit Seeds(std::filesystem::path root) : root_(std::move(root)) {}
  void add(const std::string& target, const std::string& name, const std::string& bytes) {
    std::filesystem::create_directories(root_ / target);
    std::ofstream out(root_ / target / ("seed-" + name), std::ios::binary);
    out << bytes;
    DRUMLIN_CHECK(out.good(), target, name);
  }

 private:
  std::filesystem::path root_;
};

void http(Seeds& seeds) {
  const std::string get = "GET /bucket/key?list-type=2 HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\n";
  const std::string put =
      "PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello";
  const std::string chunked =
      "POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
      "1;name=value\r\n!\r\n0\r\nX-Trailer: t\r\n\r\n";
  seeds.add("http_request", "get", "\x02\x03\x01" + get);
  seeds.add("http_request", "many", "\x00"s + "\r\n" + get + put + chunked + get);
  seeds.add("http_request", "chunked", "\x03\x01\x07\x02" + chunked);
  seeds.add("http_request", "old", "\x00"s + "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  seeds.add("http_request", "smuggled",
            "\x00"s +
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  seeds.add("http_request", "folded",
            "\x00"s + "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n");
  seeds.add("http_response", "length",
            "\x00\x00"s +
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\nhello"
                "HTTP/1.1 304 Not Modified\r\n\r\n");
  seeds.add("http_response", "chunked",
            "\x00\x01\x04"s +
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
                "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  seeds.add("http_response", "to-the-end", "\x00\x00"s + "HTTP/1.0 200 OK\r\n\r\nhello");
  seeds.add("http_response", "to-head",
            "\x01\x00"s + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
}

// The pair of targets/auth.cpp, and its clock.
void auth_texts(Seeds& seeds) {
  const auth::Credentials who{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
  const WallTime now = auth::parse_amz_date("20130524T000000Z").value();
  const std::vector<auth::HeaderView> headers = {{"host", "a.example"}, {"range", "bytes=0-9"}};
  const auto by_header = [&](const std::string& target, std::string_view payload) {
    const auth::Signed made = auth::sign({"GET", target, headers}, who, "us-east-1", now, payload);
    return "\x00"s + "GET " + target +
           "\nHost: a.example\nRange: bytes=0-9\nx-amz-date:" + made.amz_date +
           "\nx-amz-content-sha256:" + made.content_sha256 +
           "\nAuthorization: " + made.authorization + "\n";
  };
  seeds.add("sigv4", "header", by_header("/b/k%20?max-keys=2&prefix=J", hex(sha256(""))));
  seeds.add("sigv4", "streaming", by_header("/b/k", auth::kStreamingSignedTrailerText));
  seeds.add("sigv4", "presigned",
            "\x00"s + "GET " +
                auth::presign({"GET", "/b/k?versionId=1", headers}, who, "us-east-1", now, 60) +
                "\nHost: a.example\nRange: bytes=0-9\n");
  seeds.add("sigv4", "bent",
            "\x01\x05path/\x01\x03k=v\x04host\x02\x01"
            "a\x02 b\x01"
            "b\x01"
            "c\x00"s);
  seeds.add("sigv4", "bent-presigned", "\x01\x05p%20/?\x00\x04host\x00\x01"s);
  seeds.add("tokens", "list", s3::make_list_token({"some/key", false}, "bucket", "secret"));
  seeds.add("tokens", "basic", auth::make_basic(who));
  seeds.add("tokens", "amz-date", "20130524T000000Z");
  seeds.add("tokens", "date", "Sun, 06 Nov 1994 08:49:37 GMT");
  seeds.add("tokens", "date-850", "Sunday, 06-Nov-94 08:49:37 GMT");
  seeds.add("tokens", "date-asctime", "Sun Nov  6 08:49:37 1994");
}

void s3_texts(Seeds& seeds) {
  // Mode, step, decoded length.
  seeds.add("aws_chunked", "unsigned", "\x00\x02\x08"s + "5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n");
  seeds.add("aws_chunked", "trailer",
            "\x04\x02\x05"s + "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n");
  auth::ChunkChain chain({"key", "20130524T000000Z", "20130524/us-east-1/s3/aws4_request"},
                         std::string(64, '5'));
  std::string body = "5;chunk-signature=" + chain.next(hex(sha256("hello"))) + "\r\nhello\r\n";
  body += "0;chunk-signature=" + chain.next(hex(sha256(""))) + "\r\n";
  seeds.add("aws_chunked", "signed", "\x02\x09\x05"s + body + "\r\n");
  const std::string trailer = "x-amz-checksum-crc32:NhCmhg==";
  seeds.add("aws_chunked", "signed-trailer",
            "\x06\x09\x05"s + body + trailer +
                "\r\nx-amz-trailer-signature:" + chain.trailer(trailer + "\n") + "\r\n\r\n");
  for (const char mode : {'\x01', '\x03', '\x05', '\x07'}) {
    seeds.add("aws_chunked", "made-" + std::to_string(static_cast<int>(mode)),
              std::string(1, mode) +
                  "\x06\x05hello\x02"
                  "ab\x01\n"s);
  }
  seeds.add("s3_xml", "location",
            "<?xml version=\"1.0\"?><CreateBucketConfiguration "
            "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>eu-west-1"
            "</LocationConstraint></CreateBucketConfiguration>");
  seeds.add("s3_xml", "delete",
            "<Delete><Quiet>true</Quiet><Object><Key>a&amp;b &lt;&#13;c</Key></Object>"
            "<Object><Key><![CDATA[d]]></Key></Object></Delete>");
  seeds.add("s3_xml", "entities",
            "<!DOCTYPE d [<!ENTITY a \"aa\"><!ENTITY b \"&a;&a;\">]><Delete><Object>&b;</Object>"
            "</Delete>");
  seeds.add("s3_xml", "text", " a\r\n<&>\"'\tb ");
  seeds.add("s3_uri", "key", "/bucket/a%20b/../c%2Fd//e?versionId=%41+b&uploads&x=");
  seeds.add("s3_uri", "bucket", "/my-bucket.x?list-type=2&prefix=a%2F&delimiter=/");
  seeds.add("s3_uri", "utf8", "/bucket/\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
  seeds.add("s3_uri", "range", "bytes=10-99");
  seeds.add("s3_uri", "suffix", "bytes=-5");
  seeds.add("config_file", "all",
            "[node]\nid = 2\nlisten = \"127.0.0.1\"\nregion = 'eu'\n[ports]\ns3 = 9100\n"
            "[cluster]\nname = \"c\"\nsecret = \"0123456789abcdef0123456789abcdef\"\nshards = 16\n"
            "nodes = [{id = 1, peer = \"127.0.0.1:1\"}, {id = 2, peer = \"127.0.0.1:2\", "
            "s3 = \"127.0.0.1:3\"}]\n[auth]\naccess_key = \"k\"\nsecret_key = \"s\"\n"
            "[storage]\nkv = \"memory\"\n[limits]\nmax_requests = 10\n[timers]\ntick_ms = 50\n"
            "[log]\nlevel = \"debug\"\n");
  seeds.add("config_file", "broken", "[node]\nid = \"two\"\nnonsense = 1\n");
}

struct Side {
  bool dialer;
  NodeId self;
  NodeId other;
};

// What one side of a handshake says to one that has said `heard`.
std::string said(const Side& side, const std::string& heard) {
  PeerWorld world;
  Memory membership;
  MemoryStream stream(heard);
  const rpc::Identity self = identity(side.self);
  const auto session = side.dialer
                           ? rpc::dial_handshake(world, stream, self, membership, side.other, 1)
                           : rpc::accept_handshake(world, stream, self, membership);
  session.status().ignore();  // it wants to hear more
  return stream.written();
}

void peers(Seeds& seeds) {
  const std::vector<rpc::Frame> frames = {{rpc::FrameType::kMessage, 1, Code::kOk, 0, "abc"},
                                          {rpc::FrameType::kRequest, 3, Code::kOk, 7, ""},
                                          {rpc::FrameType::kReply, 3, Code::kNotLeader, 7, "2"}};
  for (const std::string& key : {std::string(), std::string(32, 'k')}) {
    auto memory = std::make_unique<MemoryStream>("");
    const MemoryStream& sink = *memory;
    rpc::FrameStream stream(std::move(memory), key, "");
    DRUMLIN_CHECK_OK(stream.write(frames));
    seeds.add("peer_frames", key.empty() ? "plain" : "secret",
              (key.empty() ? "\x00"s : "\x02"s) + "\x02\x05\x11" + sink.written());
  }
  seeds.add("peer_frames", "made",
            "\x01\x09\x20\x00\x01\x00\x00\x03"
            "abc\x01\x03\x05\x07\x02xy"s);
  seeds.add("peer_frames", "made-secret",
            "\x03\x19\x40\x00\x01\x00\x00\x03"
            "abc"s);

  // Each side is told what the other has said so far, until both are in.
  std::string dialer;
  std::string acceptor;
  for (int i = 0; i < 3; ++i) {
    dialer = said({true, NodeId(2), NodeId(1)}, acceptor);
    acceptor = said({false, NodeId(1), NodeId(2)}, dialer);
  }
  seeds.add("handshake", "accepted", "\x00"s + dialer);
  dialer.clear();
  acceptor.clear();
  for (int i = 0; i < 3; ++i) {
    dialer = said({true, NodeId(1), NodeId(2)}, acceptor);
    acceptor = said({false, NodeId(2), NodeId(1)}, dialer);
  }
  seeds.add("handshake", "dialed", "\x01"s + acceptor);
}

shard::Command command() {
  shard::Command out;
  out.log_time = WallTime(Duration(5));
  out.session = {1, 2, 3, 4};
  shard::Put put{"bucket", 5, 1, "key", {}, "the body"};
  put.attributes = {"etag", {{"Content-Type", "a/b"}}, {{"name", "value"}}, {{"crc32", "AAAA"}}};
  out.payload = put;
  return out;
}

void replicas(Seeds& seeds) {
  raft::Message append;
  append.type = raft::MessageType::kAppend;
  append.term = Term(3);
  append.index = LogIndex(7);
  append.commit = LogIndex(6);
  append.entries = {{Term(3), LogIndex(8), raft::EntryKind::kNoop, Blob()},
                    {Term(3), LogIndex(9), raft::EntryKind::kCommand, Blob("data")}};
  raft::Message reply;
  reply.type = raft::MessageType::kAppendReply;
  reply.reject = true;
  reply.hint_index = LogIndex(4);
  const std::vector<replica::GroupMessage> batch{{GroupId(1), append}, {GroupId(2), reply}};
  seeds.add("replica_wire", "batch", "\x00"s + replica::encode_batch(batch));
  replica::ProposeRequest propose{3, shard::encode(command()), 5s};
  seeds.add("replica_wire", "propose", "\x01"s + replica::encode(propose));
  replica::QueryRequest query;
  query.query = shard::encode_query(shard::GetObject{"bucket", 5, 1, "key"});
  query.want_body = true;
  query.range = {1, 5};
  seeds.add("replica_wire", "query", "\x02"s + replica::encode(query));
  replica::QueryReply answer{"reply", Blob("body"), 1, false, false};
  seeds.add("replica_wire", "reply", "\x03"s + replica::encode(answer));

  seeds.add("shard_codec", "put", "\x00"s + shard::encode(command()));
  shard::Command create = command();
  create.payload = shard::CreateBucket{"bucket", 16};
  seeds.add("shard_codec", "create", "\x00"s + shard::encode(create));
  seeds.add("shard_codec", "get", "\x01"s + query.query);
  seeds.add(
      "shard_codec", "list",
      "\x01"s + shard::encode_query(shard::ListPartition{"b", 1, 1, "p/", "/", "p/a", true, 9}));
  const shard::BucketRecord record{"bucket", 5, 16, 1, shard::BucketState::kActive, {}};
  seeds.add("shard_codec", "reply",
            "\x02"s + shard::encode(shard::Reply{Code::kOk, shard::Detail::kNone, 9, "m", record}));
  shard::GetObjectReply object;
  object.object.emplace();
  object.object->attributes.etag = "etag";
  seeds.add("shard_codec", "object", "\x03"s + shard::encode(object));
  shard::ListPartitionReply list;
  list.items.push_back({"key", false, 1, 2, {}, "etag"});
  seeds.add("shard_codec", "listing", "\x04"s + shard::encode(list));
  seeds.add("shard_codec", "bucket", "\x05"s + shard::encode(shard::GetBucketReply{record}));
  shard::ListBucketsReply page;
  page.records = {record};
  seeds.add("shard_codec", "buckets", "\x06"s + shard::encode(page));
  page.more = true;
  page.next = "bucket-with-another-owner";
  seeds.add("shard_codec", "buckets-more", "\x06"s + shard::encode(page));
  page.records[0].owner = 7;
  page.next = page.records[0].name;
  seeds.add("shard_codec", "buckets-owned", "\x06"s + shard::encode(page));
  shard::Command key = command();
  key.payload = shard::CreateKey{"alice", "ALICEACCESSKEY", "a secret of sixteen"};
  seeds.add("shard_codec", "create-key", "\x00"s + shard::encode(key));
  seeds.add("shard_codec", "get-users", "\x01"s + shard::encode_query(shard::GetUsers{7}));
  shard::UserRecord alice{7, "alice", shard::UserState::kDisabled, {}, {}};
  alice.keys.push_back({"ALICEACCESSKEY", "a secret of sixteen", shard::UserState::kActive, {}});
  shard::GetUsersReply users;
  seeds.add("shard_codec", "users-known", "\x08"s + shard::encode(users));
  users.users = {alice};
  seeds.add("shard_codec", "users", "\x08"s + shard::encode(users));
  seeds.add("shard_codec", "made", "\x07\x01\x01\x02\x03\x04\x00\x01\x01\x01\x01k"s);
}

// Values as targets/shard.cpp draws them: log time, session, kind, fields.
void shards(Seeds& seeds) {
  const auto head = [](char number) { return "\x05\x01\x01"s + number + "\x00"s; };
  const std::string create = head('\x01') + "\x02\x00\x04"s;
  const std::string activate = head('\x02') + "\x03\x00\x01"s;
  const std::string install = head('\x03') + "\x08\x00\x01\x01"s;
  const std::string put = head('\x04') +
                          "\x00\x00\x01\x01\x01k\x01"
                          "e\x00\x00\x03"
                          "abc"s;
  const std::string del = head('\x05') + "\x01\x00\x01\x01\x01k"s;
  const std::string begin = head('\x06') + "\x04\x00"s;
  const std::string close = head('\x07') + "\x09\x00\x01\x02"s;
  const std::string decide = head('\x08') + "\x05\x00\x01\x01\x01"s;
  const std::string tombstone = head('\x09') + "\x0b\x00\x01\x02"s;
  const std::string finish = head('\x0a') + "\x06\x00\x01"s;
  seeds.add(
      "shard_apply", "life",
      create + activate + install + put + put + del + begin + close + decide + tombstone + finish);
  seeds.add("shard_apply", "again", create + create + install + put + put + close + begin);
}

wal::Record entry(uint64_t group, uint64_t index, std::string data) {
  return {GroupId(group), 1, Term(2), LogIndex(index), Blob(std::move(data))};
}

void storage(Seeds& seeds) {
  const std::vector<wal::Record> records = {entry(1, 1, "abc"), entry(2, 1, ""), entry(1, 2, "d")};
  const wal::BatchPlan plan({&records[0], &records[1], &records[2]});
  seeds.add("wal_format", "batch",
            "\x00"s + wal::encode(plan, 7, Lsn(1), {Lsn(0), Lsn(1), 1}).bytes);
  seeds.add("wal_format", "marker",
            "\x00"s + wal::encode(wal::BatchPlan({}), 7, Lsn(4), {Lsn(3), Lsn(1), 1}).bytes);
  seeds.add("wal_format", "file", "\x00"s + wal::encode(wal::FileHeader{Lsn(9), 77}));
  seeds.add("wal_format", "made",
            "\x01\x07\x01\x05\x30\x10\x00\x01\x02\x03"
            "abc\x01\x01\x02\x00"s);
  const std::string log =
      "\x06\x00\x02\x01\x01\x02\x03"
      "abc\x00\x01\x02\x02xy\x04\x01\x02\x01\x02\x01q"
      "\x00\x00\x00\x01\x00\x01\x02\x01z\x00\x00"s;
  seeds.add("wal_recovery", "sound", log + "\x00"s);
  seeds.add("wal_recovery", "bent", log + "\x02\x00\x00\x41\x10\x01\x00\x50\x00"s);
  seeds.add("wal_recovery", "short",
            "\x02\x00\x01\x01\x01\x02\x03"
            "abc\x00\x00\x01\x00\x00\x50\x00"s);

  wal::test::Machine machine;
  DRUMLIN_CHECK(machine.run([&] {
    auto votes = wal::HardStateStore::open(machine, machine.observer(), {}, 3);
    DRUMLIN_CHECK_OK(votes.status());
    (*votes)->put(GroupId(1), {Term(5), NodeId(2)});
    DRUMLIN_CHECK_OK((*votes)->close());
    wal::Superblock first;
    first.node = NodeId(1);
    first.boot_id = "boot";
    first.peers[NodeId(2)] = 5;
    DRUMLIN_CHECK_OK(wal::SuperblockStore::format(machine, machine.observer(), first).status());
  }));
  const auto files = machine.disk().image().files;
  const std::string& votes = files.at("hardstate.a");
  // 0xf0 0x01: 256 bytes, the whole file.
  DRUMLIN_CHECK_EQ(votes.size(), size_t{256});
  seeds.add("hardstate", "both", "\x01\x01\xf1\x01"s + votes + files.at("hardstate.b"));
  seeds.add("hardstate", "one", "\x01\x00"s + votes);
  seeds.add("hardstate", "damaged", "\x00\x02\x01\x05\x02\x06\x01\x40\xff\x10\x00"s);
  std::string copies = "\x01"s;
  for (uint32_t i = 0; i < 4; ++i) {
    const std::string copy =
        files.at("superblock").substr(i * wal::SuperblockStore::kCopyBytes, 200);
    copies += (i == 3 ? ""s : "\xc8"s) + copy;
  }
  seeds.add("superblock", "copies", copies);
  seeds.add("superblock", "damaged",
            "\x00\x01\x02\x04"
            "boot\x01\x05table\x01\x02\x03\x01\x02\x05\x00\x00\x00\x00\x00"
            "\x01\x02\x00\x10\xff\x01\x20\xff"s);
}

// Method, target, body: each with its length before it.
void admin(Seeds& seeds) {
  const auto ask = [](char method, const std::string& target, const std::string& body = {}) {
    return std::string(1, method) + static_cast<char>(target.size()) + target +
           static_cast<char>(body.size()) + body;
  };
  constexpr char kGet = 0, kPost = 2, kDelete = 3;
  const std::string alice = ask(kPost, "/v1/users", R"({"name": "alice"})");
  const std::string key = ask(kPost, "/v1/users/alice/keys");
  const std::string show = ask(kGet, "/v1/users/alice");
  seeds.add("admin_api", "user", alice + key + show + ask(kGet, "/v1/users"));
  seeds.add("admin_api", "states",
            alice + key + ask(kPost, "/v1/users/alice/disable") +
                ask(kPost, "/v1/keys/DKYYYYYYYYYYYYYYYYYY/disable") + show +
                ask(kPost, "/v1/users/alice/enable") +
                ask(kDelete, "/v1/keys/DKYYYYYYYYYYYYYYYYYY") + ask(kDelete, "/v1/users/alice"));
  seeds.add(
      "admin_api", "escaped",
      ask(kPost, "/v1/users", R"({"name": "a\u0040b+c"})") + ask(kGet, "/v1/users/a%40b%2bc"));
  seeds.add("admin_api", "wrong",
            ask(kPost, "/v1/users", R"({"name": ["x", {"name": 1e5}]})") +
                ask(kGet, "/v1/users/%0") +
                ask(kPost, "/v1/users", R"({"name": "x", "name": "y"})") + ask(1, "/metrics"));
}

std::string der_of(const std::string& pem) {
  const size_t begin = pem.find('\n') + 1;
  std::string out;
  std::array<char, 49> line{};
  for (size_t at = begin; pem[at] != '-'; at = pem.find('\n', at) + 1) {
    const std::string_view text = std::string_view(pem).substr(at, pem.find('\n', at) - at);
    const int n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(line.data()),
                                  reinterpret_cast<const unsigned char*>(text.data()),
                                  static_cast<int>(text.size()));
    const auto padding = static_cast<size_t>(std::count(text.begin(), text.end(), '='));
    out.append(line.data(), static_cast<size_t>(n) - padding);
  }
  return out;
}

void tls_identities(Seeds& seeds) {
  const auto& [certificate, key, x509, pkey] = test_identity();
  seeds.add("tls_files", "pem", "\x00"s + certificate + key);
  seeds.add("tls_files", "chain", "\x00"s + key + certificate + certificate);
  seeds.add("tls_files", "certificate", "\x01"s + der_of(certificate));
  seeds.add("tls_files", "key", "\x02"s + der_of(key));
  // What a client says, with the length of no steps before it.
  Bend to_server;
  Bend to_client;
  test::World world;
  world.run([&] { (void)Talk(world, to_server, to_client).run(kClientSays); });
  seeds.add("tls_server", "client", "\x00\x00"s + to_server.copy);
  seeds.add("tls_server", "client-byte-by-byte", "\x00\x01\x00"s + to_server.copy);
  seeds.add("tls_server", "http", "\x00\x00GET / HTTP/1.1\r\nHost: a\r\n\r\n"s);
  seeds.add("tls_server", "sound", "\x01\x00\x00\x00\x00\x00\x20\xf1\x05"s);
  seeds.add("tls_server", "bent-hello", "\x01\x00\x02\x05\x10\x00\x20"s);
  seeds.add("tls_server", "bent-data", "\x01\x00\x30\x05\x10\x00\xf1\x07\x20"s);
  seeds.add("tls_server", "bent-answer", "\x01\x01\x40\x05\x10\x01\xf1\x07\x20"s);
}

}  // namespace
}  // namespace drumlin::fuzz

int main(int argc, char** argv) {
  using namespace drumlin::fuzz;  // NOLINT(google-build-using-namespace)
  if (argc != 2) {
    std::cerr << "fuzz_seeds DIR\n";
    return 2;
  }
  Seeds seeds(argv[1]);
  http(seeds);
  auth_texts(seeds);
  s3_texts(seeds);
  peers(seeds);
  replicas(seeds);
  shards(seeds);
  storage(seeds);
  admin(seeds);
  tls_identities(seeds);
  return 0;
}
