// DeleteObjects: many keys in one request, each deleted on its own, and told of on its own.
#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "runtime/fan_out.h"
#include "s3/body.h"
#include "s3/conditions.h"
#include "s3/operations.h"
#include "s3/xml.h"

namespace drumlin::s3 {
namespace {

constexpr size_t kMaxObjects = 1000;
constexpr size_t kMaxElements = kMaxObjects * 6 + 8;  // an Object has five children
constexpr uint64_t kMaxRequestBytes = 2 << 20;
// Deletes under way at once: many share a sync of the log, and one request must not fill its queue.
constexpr size_t kWorkers = 32;

struct Entry {
  std::string key;
  bool by_version = false;  // named its version, "null"
  router::WriteTerms terms;
  std::optional<Error> error;
};

struct Batch {
  std::vector<Entry> entries;
  bool quiet = false;
};

// Conditions are never ignored: an element that is not known is an error.
Outcome<Entry> read_object(const XmlElement& object) {
  Entry entry;
  std::optional<std::string_view> etag;
  std::optional<std::string_view> size;
  std::optional<std::string_view> modified;
  for (const XmlElement& child : object.children) {
    if (!child.children.empty()) return ErrorCode::kMalformedXml;
    if (child.name == "Key") {
      entry.key = child.text;
    } else if (child.name == "VersionId") {
      entry.by_version = child.text == "null";
      if (!entry.by_version && !child.text.empty()) entry.error = ErrorCode::kNoSuchVersion;
    } else if (child.name == "ETag") {
      etag = child.text;
    } else if (child.name == "Size") {
      size = child.text;
    } else if (child.name == "LastModifiedTime") {
      modified = child.text;
    } else {
      return ErrorCode::kMalformedXml;
    }
  }
  if (entry.key.empty() || !valid_utf8(entry.key) || entry.key.find('\0') != std::string::npos) {
    return ErrorCode::kMalformedXml;
  }
  if (entry.key.size() > kMaxKeyBytes) entry.error = ErrorCode::kKeyTooLong;
  DRUMLIN_S3_ASSIGN(entry.terms.when, delete_condition(etag, size, modified));
  return entry;
}

Outcome<Batch> parse(const Request& request, std::string_view body) {
  const auto root = read_xml(body, "Delete", kMaxElements);
  if (!root.has_value()) return ErrorCode::kMalformedXml;
  Batch out;
  for (const XmlElement& child : root->children) {
    if (child.name == "Quiet") {
      if (child.text != "true" && child.text != "false") return ErrorCode::kMalformedXml;
      out.quiet = child.text == "true";
      continue;
    }
    if (child.name != "Object") return ErrorCode::kMalformedXml;
    DRUMLIN_S3_ASSIGN(Entry entry, read_object(child));
    entry.terms.request = request_digest(request, entry.key, entry.terms.when, {});
    out.entries.push_back(std::move(entry));
  }
  if (out.entries.empty() || out.entries.size() > kMaxObjects) return ErrorCode::kMalformedXml;
  return out;
}

// Of the fibers that do it.
struct Work {
  void delete_one(size_t i) {
    Entry& entry = entries[i];
    if (entry.error.has_value()) return;
    const auto written = store.delete_object(bucket, entry.key, entry.terms, call);
    if (!written.ok()) {
      entry.error = bucket_error(written.status(), bucket);
    } else if (written->outcome != router::Written::Outcome::kDone) {
      entry.error = refused(*written, entry.key, condition_name(entry.terms.when));
    }
  }
  router::Store& store;
  const std::string bucket;
  const router::Call call;
  std::vector<Entry> entries;
};

Response report(const std::vector<Entry>& entries, bool quiet) {
  XmlDocument document("DeleteResult", kNamespace);
  for (const Entry& entry : entries) {
    if (entry.error.has_value()) {
      const XmlNode node = document.root().child("Error");
      node.text("Key", entry.key);
      if (entry.by_version) node.text("VersionId", "null");
      node.text("Code", info(entry.error->code).name);
      node.text("Message", entry.error->message.empty() ? info(entry.error->code).message
                                                        : std::string_view(entry.error->message));
    } else if (!quiet) {
      const XmlNode node = document.root().child("Deleted");
      node.text("Key", entry.key);
      if (entry.by_version) node.text("VersionId", "null");
    }
  }
  Response response;
  response.headers.append("Content-Type", "application/xml");
  response.text = document.to_string();
  return response;
}

}  // namespace

Outcome<Response> delete_objects(Context& context, const Request& request) {
  const uint64_t limit = std::min(kMaxRequestBytes, context.settings.max_body_bytes);
  DRUMLIN_S3_ASSIGN(const BodyPlan plan, plan_body(request, limit, true));
  if (!plan.md5.has_value() && !plan.checksum.expected.has_value() &&
      !plan.checksum.in_trailer.has_value()) {
    return Error(ErrorCode::kInvalidRequest,
                 "Missing required header for this request: Content-MD5");
  }
  // Until the answer has left, which names all keys again.
  DRUMLIN_S3_ASSIGN(auto memory, acquire_body_bytes(context, plan.size, context.deadline()));
  Batch batch;
  {
    DRUMLIN_S3_ASSIGN(const Body body, read_body(context, request, plan));
    DRUMLIN_S3_ASSIGN(batch, parse(request, body.bytes));
  }
  const std::string& bucket = request.target.bucket;
  const auto found = context.store.get_bucket(bucket, context.call());
  if (!found.ok()) return bucket_error(found.status(), bucket);
  const size_t n = batch.entries.size();
  const auto work =
      std::make_shared<Work>(Work{context.store, bucket, context.call(), std::move(batch.entries)});
  fan_out(context.runtime, "delete objects", n, kWorkers,
          [work](size_t i) { work->delete_one(i); });
  Response response = report(work->entries, batch.quiet);
  response.memory = std::move(memory);
  return response;
}

}  // namespace drumlin::s3
