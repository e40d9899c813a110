#include "sim/workload/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/digest.h"

namespace drumlin::sim {
namespace {

std::string bucket_name(uint32_t number) {
  return fmt::format("bucket-{}", number);
}

// A few in "folders", so that listings meet delimiters and slashes in keys.
std::string key_name(uint32_t number) {
  return number % 4 == 3 ? fmt::format("dir/key-{:02}", number) : fmt::format("key-{:02}", number);
}

std::string object_target(const Op& op) {
  return fmt::format("/{}/{}", bucket_name(op.bucket), key_name(op.key));
}

// The body that goes with an id: whoever sees the id can tell what must be in it.
std::string body_of(std::string_view id, size_t bytes) {
  std::string out;
  out.reserve(bytes + 8);
  for (Rng rng(xxh3(id)); out.size() < bytes;) {
    const uint64_t word = rng.next();
    out.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  out.resize(bytes);
  return out;
}

std::string unquoted(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"')
    etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

// A node that says so, or does not speak, may be the wrong one: another may know better.
bool worth_another_node(const S3Answer& answer) {
  return answer.outcome == Outcome::kNotDone && (answer.status == 0 || answer.status == 503);
}

constexpr int kAttempts = 3;
constexpr Duration kPause = 200ms;

}  // namespace

struct Workload::Client {
  Client(Runtime& r, uint32_t n) : runtime(r), number(n) {}
  Runtime& runtime;
  uint32_t number;
  S3Client* s3 = nullptr;  // on its fiber's stack: connections end with the world
  uint64_t puts = 0;
};

Workload::Workload(World& world, const Plan& plan, Cluster& cluster, History& history,
                   Verdict& verdict)
    : world_(world), plan_(plan), cluster_(cluster), history_(history), verdict_(verdict) {
  for (uint32_t c = 0; c <= plan.clients; ++c) {  // one more: for prepare() and read_back()
    clients_.push_back(
        std::make_unique<Client>(world.client_runtime(fmt::format("client-{}", c)), c));
  }
}

Workload::~Workload() = default;

void Workload::spawn(size_t client, std::string_view name, std::function<void(Client&)> body) {
  ++busy_;
  Client& c = *clients_.at(client);
  c.runtime.spawn(name, [this, &c, run = std::move(body)] {
    S3Client s3(c.runtime);
    c.s3 = &s3;
    run(c);
    --busy_;
  });
}

void Workload::prepare() {
  spawn(plan_.clients, "prepare", [this](Client& client) {
    for (uint32_t b = 0; b < plan_.buckets; ++b) {
      Op op;
      op.kind = OpKind::kCreateBucket;
      op.bucket = b;
      persist(client, op);
    }
  });
}

void Workload::start() {
  for (uint32_t c = 0; c < plan_.clients; ++c) {
    spawn(c, "client", [this](Client& client) { run(client); });
  }
}

void Workload::read_back() {
  spawn(plan_.clients, "read back", [this](Client& client) {
    for (uint32_t b = 0; b < plan_.buckets + kChurnBuckets; ++b) {
      Op op;
      op.bucket = b;
      op.kind = OpKind::kHeadBucket;
      persist(client, op);
      op.kind = OpKind::kList;
      op.size = 1000;
      persist(client, op);
      op.kind = OpKind::kGet;
      op.size = 0;
      for (op.key = 0; op.key < kKeysPerBucket; ++op.key)
        persist(client, op);
    }
  });
}

void Workload::run(Client& client) {
  for (const Op& op : plan_.ops) {
    if (op.client != client.number) continue;
    (void)client.runtime.sleep_for(std::chrono::milliseconds(op.think_ms));
    ++counts_.begun;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      if (attempt > 0) (void)client.runtime.sleep_for(kPause);
      const uint32_t node = 1 + (op.node - 1 + static_cast<uint32_t>(attempt)) % plan_.nodes;
      const S3Answer answer = perform(client, op, node);
      if (worth_another_node(answer)) continue;
      if (answer.outcome == Outcome::kUnknown) {
        ++counts_.unknown;
      } else {
        ++counts_.answered;
        if (answer.ok()) ++counts_.succeeded;
      }
      break;
    }
  }
}

// Until it is answered, by any node.
void Workload::persist(Client& client, const Op& op) {
  for (uint32_t attempt = 0;; ++attempt) {
    const S3Answer answer = perform(client, op, 1 + attempt % plan_.nodes);
    const bool again = answer.outcome == Outcome::kUnknown || worth_another_node(answer) ||
                       answer.code == "OperationAborted";
    if (!again) return;
    (void)client.runtime.sleep_for(kPause);
  }
}

S3Answer Workload::perform(Client& client, const Op& op, uint32_t node_number) {
  const Endpoint node = cluster_.s3(node_number);
  S3Answer answer;
  switch (op.kind) {
    case OpKind::kPut:
      answer = put(client, op, node);
      break;
    case OpKind::kGet:
    case OpKind::kHead:
      answer = get(client, op, node);
      break;
    case OpKind::kDelete:
      answer = remove(client, op, node);
      break;
    case OpKind::kList:
      answer = list(client, op, node);
      break;
    case OpKind::kCreateBucket:
    case OpKind::kDeleteBucket:
    case OpKind::kHeadBucket:
      answer = bucket(client, op, node);
      break;
  }
  world_.trace().event(world_.now(), 1000 + client.number, "op.end", static_cast<uint64_t>(op.kind),
                       static_cast<uint64_t>(answer.status), answer.code);
  if (answer.status >= 400 && answer.status < 500 && answer.status != 404 && answer.status != 409) {
    verdict_.safety("answer",
                    fmt::format("{} {}: unexpected answer {} {}", static_cast<int>(op.kind),
                                object_target(op), answer.status, answer.code));
  }
  return answer;
}

S3Answer Workload::put(Client& client, const Op& op, const Endpoint& node) {
  const std::string id = fmt::format("c{}-{}", client.number, client.puts++);
  const std::string body = body_of(id, op.size);
  const std::string etag = hex(as_view(md5(body)));
  const History::Start start = history_.begin();
  S3Answer answer =
      client.s3->put(node, bucket_name(op.bucket), key_name(op.key), body, id, op.encoding);
  if (answer.ok() && unquoted(answer.headers.get("ETag")) != etag) {
    verdict_.safety("body",
                    fmt::format("put of {} answered with ETag {}", id, answer.headers.get("ETag")));
  }
  history_.wrote(start, bucket_name(op.bucket), key_name(op.key), History::Value{id, etag},
                 answer.outcome, answer.version);
  return answer;
}

void Workload::check_body(const Op& op, const S3Answer& answer, const History::Value& value) {
  if (op.kind == OpKind::kHead) return;
  verdict_.evaluated("body");
  size_t total = answer.body.size();
  size_t first = 0;
  if (answer.status == 206) {  // "bytes first-last/total"
    const std::string range(answer.headers.get("Content-Range"));
    unsigned long long from = 0, last = 0, size = 0;
    if (std::sscanf(range.c_str(), "bytes %llu-%llu/%llu", &from, &last, &size) != 3 ||
        last - from + 1 != answer.body.size()) {
      verdict_.safety("body", fmt::format("{}: Content-Range {} with {} bytes", value.id, range,
                                          answer.body.size()));
      return;
    }
    first = from;
    total = size;
  }
  const std::string whole = body_of(value.id, total);
  if (whole.substr(first, answer.body.size()) != answer.body ||
      hex(as_view(md5(whole))) != value.etag) {
    verdict_.safety(
        "body", fmt::format("{}: the {} bytes from {} on are not those that were written", value.id,
                            answer.body.size(), first));
  }
}

S3Answer Workload::get(Client& client, const Op& op, const Endpoint& node) {
  http::Headers headers;
  if (op.kind == OpKind::kGet && op.size > 0) {
    headers.append("Range", fmt::format("bytes={}-{}", op.size / 2, op.size / 2 + op.size - 1));
  }
  const History::Start start = history_.begin();
  S3Answer answer =
      client.s3->call(node, op.kind == OpKind::kHead ? "HEAD" : "GET", object_target(op), headers);
  if (answer.status ==
      416) {  // the object is too short for the range: an answer, but it names no version
    answer.status = 404;
    return answer;
  }
  if (answer.ok()) {
    const History::Value value{std::string(answer.headers.get("x-amz-meta-id")),
                               unquoted(answer.headers.get("ETag"))};
    check_body(op, answer, value);
    history_.read(start, bucket_name(op.bucket), key_name(op.key), value, answer.version);
  } else if (answer.status == 404 && answer.headers.has("x-drumlin-version")) {
    history_.read(start, bucket_name(op.bucket), key_name(op.key), std::nullopt, answer.version);
  }
  return answer;
}

S3Answer Workload::remove(Client& client, const Op& op, const Endpoint& node) {
  const History::Start start = history_.begin();
  S3Answer answer = client.s3->call(node, "DELETE", object_target(op));
  history_.wrote(start, bucket_name(op.bucket), key_name(op.key), std::nullopt, answer.outcome,
                 answer.version);
  return answer;
}

S3Answer Workload::list(Client& client, const Op& op, const Endpoint& node) {
  const History::Start start = history_.begin();
  S3Answer answer = client.s3->call(
      node, "GET", fmt::format("/{}?list-type=2&max-keys={}", bucket_name(op.bucket), op.size));
  if (!answer.ok()) return answer;
  const auto keys = xml_elements(answer.body, "Key");
  auto etags = xml_elements(answer.body, "ETag");
  const auto truncated = xml_elements(answer.body, "IsTruncated");
  if (keys.size() != etags.size() || truncated.size() != 1 ||
      !std::is_sorted(keys.begin(), keys.end())) {
    verdict_.safety("listing",
                    fmt::format("a malformed or unordered page of {}", bucket_name(op.bucket)));
    return answer;
  }
  std::vector<History::Listed> items;
  for (size_t i = 0; i < keys.size(); ++i) {
    std::string etag = etags[i];
    // "&quot;" or a bare quote, as the XML writer likes.
    std::erase(etag, '"');
    for (size_t at; (at = etag.find("&quot;")) != std::string::npos;)
      etag.erase(at, 6);
    items.push_back({keys[i], etag});
  }
  history_.listed(start, bucket_name(op.bucket), std::move(items), truncated.front() == "true");
  return answer;
}

S3Answer Workload::bucket(Client& client, const Op& op, const Endpoint& node) {
  const std::string name = bucket_name(op.bucket);
  const std::string_view method = op.kind == OpKind::kCreateBucket   ? "PUT"
                                  : op.kind == OpKind::kDeleteBucket ? "DELETE"
                                                                     : "HEAD";
  const History::Start start = history_.begin();
  S3Answer answer = client.s3->call(node, method, "/" + name);
  const bool is_delete = op.kind == OpKind::kDeleteBucket;
  if (answer.ok()) {
    history_.saw_bucket(start, name, !is_delete);
  } else if (answer.status == 404) {
    history_.saw_bucket(start, name, false);
  } else if (answer.code == "BucketAlreadyOwnedByYou" || answer.code == "BucketNotEmpty") {
    history_.saw_bucket(start, name, true);
  }
  return answer;
}

}  // namespace drumlin::sim
