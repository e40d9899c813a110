#include "sim/workload/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "base/digest.h"
#include "http/date.h"
#include "sim/workload/names.h"

namespace drumlin::sim {
namespace {

// The keys of a page of either version, encoded: well-formed, no more than asked for, full if there is more.
bool parse_items(const std::string& xml, size_t max_keys, History::Page& page) {
  for (const std::string& inner : xml_elements(xml, "CommonPrefixes")) {
    const auto prefix = xml_elements(inner, "Prefix");
    if (prefix.size() != 1) return false;
    page.prefixes.push_back(uri_decode(prefix.front()));
  }
  const auto keys = xml_elements(xml, "Key");
  const auto etags = xml_elements(xml, "ETag");
  const auto sizes = xml_elements(xml, "Size");
  const auto truncated = xml_elements(xml, "IsTruncated");
  if (keys.size() != etags.size() || keys.size() != sizes.size() || truncated.size() != 1 ||
      keys.size() + page.prefixes.size() > max_keys) {
    return false;
  }
  page.truncated = truncated.front() == "true";
  if (page.truncated && keys.size() + page.prefixes.size() != max_keys) return false;
  for (size_t i = 0; i < keys.size(); ++i) {
    std::string etag = etags[i];
    // "&quot;" or a bare quote, as the XML writer likes.
    std::erase(etag, '"');
    for (size_t at; (at = etag.find("&quot;")) != std::string::npos;)
      etag.erase(at, 6);
    uint64_t size = 0;
    std::from_chars(sizes[i].data(), sizes[i].data() + sizes[i].size(), size);
    page.items.push_back({uri_decode(keys[i]), etag, size});
  }
  return true;
}

// A ListObjectsV2 answer: as many keys as it says, and a token if there is more.
bool parse_page(const std::string& xml, size_t max_keys, History::Page& page, std::string& token) {
  if (!parse_items(xml, max_keys, page)) return false;
  const auto tokens = xml_elements(xml, "NextContinuationToken");
  const std::vector<std::string> count = {std::to_string(page.items.size() + page.prefixes.size())};
  if (page.truncated) token = tokens.empty() ? "" : tokens.front();
  return xml_elements(xml, "KeyCount") == count && page.truncated == (tokens.size() == 1);
}

}  // namespace

// A range of a GET in one of the three forms of RFC 9110, and what it means.
struct Workload::Asked {
  std::string header;  // empty: all
  std::optional<uint64_t> first;
  std::optional<uint64_t> last;  // without `first`: so many at the end

  static Asked from(uint32_t n) {
    if (n == 0) return {};
    const uint64_t begin = n / 2;
    if (n % 3 == 0) return {fmt::format("bytes={}-{}", begin, begin + n - 1), begin, begin + n - 1};
    if (n % 3 == 1) return {fmt::format("bytes={}-", begin), begin, std::nullopt};
    return {fmt::format("bytes=-{}", n), std::nullopt, n};
  }
  // Of an object of so many bytes: from where, and how many; none if it cannot be satisfied.
  std::pair<uint64_t, uint64_t> of(uint64_t size) const {
    if (header.empty()) return {0, size};
    if (!first) return {size - std::min(size, *last), std::min(size, *last)};
    if (*first >= size) return {*first, 0};
    return {*first, std::min(last.value_or(size - 1), size - 1) - *first + 1};
  }
};

// Whose clock is more than 15 minutes from the client's must refuse, and nobody else may.
class Workload::ClockWatch {
 public:
  ClockWatch(Workload& workload, Runtime& client, uint32_t node)
      : workload_(workload),
        client_(client),
        machine_(workload.cluster_.machine(node)),
        changes_(machine_.clock_changes()),
        far_(far()),
        near_(near()) {}

  void check(const S3Answer& answer) {
    workload_.verdict_.evaluated("skew");
    // Set while the request was on its way: either may be right.
    if (machine_.clock_changes() != changes_) return;
    // Without a good key nobody is told of clocks; and a HEAD is not told why.
    const bool wordless = workload_.plan_.users > 0 && answer.code.empty();
    if (answer.status == 403 && (wordless || answer.code == "InvalidAccessKeyId")) return;
    const bool refused = too_skewed(answer);
    const bool served = answer.status != 0 && !refused && answer.status < 500;
    if (refused) workload_.world_.chaos().reached("s3.request_too_skewed");
    if ((refused && near_ && near()) || (served && far_ && far())) {
      workload_.verdict_.safety(
          "skew",
          fmt::format("node {} is {} s away from the client and answered {} {}",
                      machine_.id().value(), to_seconds(skew()), answer.status, answer.code));
    }
  }

 private:
  Duration skew() const {
    const World& world = workload_.world_;
    const WallTime node =
        world.options().epoch + world.now().time_since_epoch() + machine_.wall_error();
    const WallTime client = client_.clock().wall();
    return node > client ? node - client : client - node;
  }
  // With room for what the request takes.
  bool far() const { return skew() > 15min + 10s; }
  bool near() const { return skew() < 15min - 10s; }

  Workload& workload_;
  Runtime& client_;
  Machine& machine_;
  const uint64_t changes_;
  const bool far_;
  const bool near_;
};

Workload::Workload(World& world, const Plan& plan, Cluster& cluster, History& history,
                   Verdict& verdict)
    : world_(world),
      plan_(plan),
      cluster_(cluster),
      history_(history),
      verdict_(verdict),
      access_(verdict),
      users_(plan.users) {
  for (uint32_t c = 0; c <= plan.clients; ++c) {  // one more: for prepare() and read_back()
    clients_.push_back(
        std::make_unique<Client>(world.client_runtime(fmt::format("client-{}", c)), c));
    Rng clock = world.stream(fmt::format("client clock/{}", c));
    const Duration skew = std::chrono::seconds(plan.client_skew_s);
    world.set_client_clock(clients_.back()->runtime,
                           clock.duration_between(Duration(0), 2 * skew) - skew);
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
    prepare_users(client);
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
    for (uint32_t b = 0; b < plan_.buckets + plan_.churn_buckets(); ++b) {
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
  Instant due = client.runtime.clock().now();
  for (const Op& op : plan_.ops) {
    if (op.client != client.number) continue;
    if (stopped_) return;
    // Whoever is late does not think: what was planned to overlap with faults shall.
    due += std::chrono::milliseconds(op.think_ms);
    (void)client.runtime.sleep_until(due);
    if (stopped_) return;
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
  for (;; client.node = 1 + client.node % plan_.nodes) {
    const S3Answer answer = perform(client, op, client.node);
    const bool again = answer.outcome == Outcome::kUnknown || worth_another_node(answer) ||
                       answer.code == "OperationAborted" ||
                       // A key that is not known yet, or no longer.
                       answer.status == 403;
    if (!again) return;
    (void)client.runtime.sleep_for(kPause);
  }
}

S3Answer Workload::perform(Client& client, const Op& op, uint32_t node_number) {
  const Endpoint node = cluster_.s3(node_number);
  const Instant began = world_.now();
  sign_as_owner(client, op);
  S3Answer answer;
  ClockWatch clocks(*this, client.runtime, node_number);
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
    case OpKind::kListV1:
      answer = list_v1(client, op, node);
      break;
    case OpKind::kPutAbsent:
    case OpKind::kPutMatch:
    case OpKind::kDeleteMatch:
      answer = write_if(client, op, node_number);
      break;
    case OpKind::kDeleteMany:
      answer = remove_many(client, op, node);
      break;
    case OpKind::kCreateBucket:
    case OpKind::kDeleteBucket:
    case OpKind::kHeadBucket:
      answer = bucket(client, op, node);
      break;
    case OpKind::kIntrude:
      answer = intrude(client, op, node);
      break;
    case OpKind::kOldKey:
      answer = old_key(client, op, node);
      break;
    case OpKind::kRotateKey:
      answer = rotate_key(client, op, node_number);
      break;
  }
  world_.trace().event(world_.now(), 1000 + client.number, "op.end", static_cast<uint64_t>(op.kind),
                       static_cast<uint64_t>(answer.status), answer.code);
  // A conditional write has chosen its own nodes.
  const bool elsewhere = op.kind == OpKind::kPutAbsent || op.kind == OpKind::kPutMatch ||
                         op.kind == OpKind::kDeleteMatch;
  if (!elsewhere && op.kind != OpKind::kRotateKey) clocks.check(answer);
  check_answer(op, answer);
  if (op.kind != OpKind::kRotateKey) note_key(client.s3->keys.access_key, began, answer);
  return answer;
}

// What no healthy node ever says, whatever the faults.
void Workload::check_answer(const Op& op, const S3Answer& answer) {
  const bool read = op.kind == OpKind::kGet || op.kind == OpKind::kHead ||
                    op.kind == OpKind::kList || op.kind == OpKind::kListV1 ||
                    op.kind == OpKind::kHeadBucket || op.kind == OpKind::kOldKey;
  const bool conditional = op.kind == OpKind::kPutAbsent || op.kind == OpKind::kPutMatch ||
                           op.kind == OpKind::kDeleteMatch;
  const bool honest_500 =
      answer.status == 500 && !read && answer.headers.get("x-drumlin-outcome") == "unknown";
  const bool client_error = answer.status >= 400 && answer.status < 500;
  // AccessChecker knows when a key may be refused, and what an intruder may hear.
  const bool refused =
      plan_.users > 0 && answer.status == 403 &&
      (answer.code == "InvalidAccessKeyId" || answer.code.empty() || op.kind == OpKind::kIntrude);
  const bool expected = refused || too_skewed(answer) || answer.status == 404 ||
                        answer.status == 409 ||
                        (answer.status == 416 && op.kind == OpKind::kGet && op.size > 0) ||
                        (answer.status == 412 && conditional) ||
                        (answer.code == "TooManyBuckets" && op.kind == OpKind::kCreateBucket);
  verdict_.evaluated("answer");
  if ((client_error && !expected) ||
      (answer.status >= 500 && answer.status != 503 && !honest_500)) {
    verdict_.safety("answer", fmt::format("operation {} on {}: {} {}", static_cast<int>(op.kind),
                                          object_target(op), answer.status, answer.code));
  }
}

// An object's operation tells of its bucket, too.
void Workload::note_bucket(const History::Start& start, const Op& op, const S3Answer& answer) {
  const bool missing = answer.status == 404 && !answer.headers.has("x-drumlin-version");
  if (missing) history_.saw_bucket(start, bucket_name(op.bucket), false);
  if (answer.ok()) history_.saw_bucket(start, bucket_name(op.bucket), true);
}

std::string Workload::key_of(uint32_t number) const {
  return key_name(number, plan_.odd_keys != 0);
}

std::string Workload::object_target(const Op& op) const {
  return fmt::format("/{}/{}", bucket_name(op.bucket), uri_encode(key_of(op.key), true));
}

S3Answer Workload::put(Client& client, const Op& op, const Endpoint& node) {
  const std::string id = fmt::format("c{}-{}", client.number, client.puts++);
  const std::string body = body_of(id, op.size);
  const std::string etag = hex(as_view(md5(body)));
  const History::Start start = history_.begin(bucket_name(op.bucket), key_of(op.key));
  S3Answer answer = client.s3->put(node, object_target(op), body, id, op.encoding);
  if (answer.ok() && unquoted(answer.headers.get("ETag")) != etag) {
    verdict_.safety("body",
                    fmt::format("put of {} answered with ETag {}", id, answer.headers.get("ETag")));
  }
  history_.wrote(start, bucket_name(op.bucket), key_of(op.key), History::Value{id, etag, op.size},
                 answer.outcome, answer.version);
  if (answer.ok()) etags_[object_target(op)] = etag;
  note_bucket(start, op, answer);
  return answer;
}

// The bytes are those that were written, all of them or those that were asked for.
void Workload::check_body(const Asked& asked, const S3Answer& answer, const History::Value& value) {
  verdict_.evaluated("body");
  const std::string whole = body_of(value.id, value.size);
  const auto [first, count] = asked.of(value.size);
  if (count != answer.body.size() || whole.substr(first, count) != answer.body ||
      hex(as_view(md5(whole))) != value.etag) {
    verdict_.safety(
        "body",
        fmt::format("{} of {} bytes: the {} bytes for \"{}\" are not those that were written",
                    value.id, value.size, answer.body.size(), asked.header));
  }
}

S3Answer Workload::get(Client& client, const Op& op, const Endpoint& node) {
  const bool head = op.kind == OpKind::kHead;
  const Asked asked = head ? Asked{} : Asked::from(op.size);
  http::Headers headers;
  if (!asked.header.empty()) headers.append("Range", asked.header);
  const std::string bucket = bucket_name(op.bucket);
  const std::string key = key_of(op.key);
  const History::Start start = history_.begin(bucket, key);
  S3Answer answer = client.s3->call(node, head ? "HEAD" : "GET", object_target(op), headers);
  if (answer.ok() || answer.status == 416) {
    const bool ranged = !asked.header.empty();
    const std::string range(answer.headers.get("Content-Range"));
    unsigned long long from = 0, last = 0, size = answer.content_length;
    if ((answer.status == 416 && std::sscanf(range.c_str(), "bytes */%llu", &size) != 1) ||
        (answer.ok() && (answer.status == 206) != ranged) ||
        (answer.status == 206 &&
         std::sscanf(range.c_str(), "bytes %llu-%llu/%llu", &from, &last, &size) != 3)) {
      verdict_.safety("body", fmt::format("GET \"{}\": {} with Content-Range \"{}\"", asked.header,
                                          answer.status, range));
      return answer;
    }
    const auto [first, count] = asked.of(size);
    const bool right = answer.status != 206 || (from == first && last + 1 == first + count);
    if (!right || (ranged && (count == 0) != (answer.status == 416))) {
      verdict_.safety("body", fmt::format("GET \"{}\" of {} bytes: {} with Content-Range \"{}\"",
                                          asked.header, size, answer.status, range));
      return answer;
    }
    if (answer.status == 416) {
      history_.read_size(start, bucket, key, size, answer.version);
    } else {
      const History::Value value{std::string(answer.headers.get("x-amz-meta-id")),
                                 unquoted(answer.headers.get("ETag")), size};
      if (!head) check_body(asked, answer, value);
      etags_[object_target(op)] = value.etag;
      const auto modified = http::parse_date(answer.headers.get("Last-Modified"));
      if (!modified) verdict_.safety("answer", "a GET without Last-Modified");
      if (modified) history_.saw_time(bucket, key, answer.version, *modified);
      history_.read(start, bucket, key, value, answer.version);
    }
  } else if (answer.status == 404 && answer.headers.has("x-drumlin-version")) {
    history_.read(start, bucket, key, std::nullopt, answer.version);
  }
  note_bucket(start, op, answer);
  return answer;
}

S3Answer Workload::remove(Client& client, const Op& op, const Endpoint& node) {
  const History::Start start = history_.begin(bucket_name(op.bucket), key_of(op.key));
  S3Answer answer = client.s3->call(node, "DELETE", object_target(op));
  history_.wrote(start, bucket_name(op.bucket), key_of(op.key), std::nullopt, answer.outcome,
                 answer.version);
  note_bucket(start, op, answer);
  return answer;
}

// From the beginning, below a prefix, or behind a key; page by page to the end.
S3Answer Workload::list(Client& client, const Op& op, const Endpoint& node) {
  History::Page asked;
  asked.prefix = op.key % 3 == 1 ? "dir/" : "";
  asked.delimiter = op.key % 4 == 2 ? "/" : "";
  asked.after = op.key % 3 == 2 ? key_of(op.key) : "";
  std::string base =
      fmt::format("/{}?list-type=2&encoding-type=url&max-keys={}", bucket_name(op.bucket), op.size);
  if (!asked.prefix.empty()) base += "&prefix=" + uri_encode(asked.prefix, false);
  if (!asked.delimiter.empty()) base += "&delimiter=" + uri_encode(asked.delimiter, false);
  std::string target = base;
  if (!asked.after.empty()) target += "&start-after=" + uri_encode(asked.after, false);
  for (;;) {
    const History::Start start = history_.begin();
    S3Answer answer = client.s3->call(node, "GET", target);
    note_bucket(start, op, answer);
    if (!answer.ok()) return answer;
    History::Page page = asked;
    std::string token;
    if (!parse_page(answer.body, op.size, page, token)) {
      verdict_.safety("listing", fmt::format("a malformed page of {}: {}", target, answer.body));
      return answer;
    }
    if (page.truncated) asked.goes_on_after(page);
    const bool more = page.truncated;
    history_.listed(start, bucket_name(op.bucket), std::move(page));
    if (!more) return answer;
    target = base + "&continuation-token=" + token;
  }
}

S3Answer Workload::list_v1(Client& client, const Op& op, const Endpoint& node) {
  std::string after;
  for (;;) {
    const std::string target =
        fmt::format("/{}?encoding-type=url&max-keys={}&marker={}", bucket_name(op.bucket), op.size,
                    uri_encode(after, false));
    const History::Start start = history_.begin();
    S3Answer answer = client.s3->call(node, "GET", target);
    note_bucket(start, op, answer);
    if (!answer.ok()) return answer;
    History::Page page;
    page.after = after;
    if (!parse_items(answer.body, op.size, page)) {
      verdict_.safety("listing", fmt::format("a malformed page of {}: {}", target, answer.body));
      return answer;
    }
    if (page.truncated) after = page.items.back().key;
    const bool more = page.truncated;
    history_.listed(start, bucket_name(op.bucket), std::move(page));
    if (!more) return answer;
  }
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
  } else if (answer.code == "TooManyBuckets") {
    history_.refused_bucket(start, name);
  }
  return answer;
}

}  // namespace drumlin::sim
