// The workload's conditional writes, with an SDK's retries, and DeleteObjects.
#include <fmt/format.h>

#include "sim/workload/names.h"

namespace drumlin::sim {
namespace {

// An answer of the condition itself.
bool is_refusal(const S3Answer& answer) {
  return answer.status == 412 || (answer.status == 404 && answer.code == "NoSuchKey");
}

std::string in_words(const S3Answer& answer) {
  return fmt::format("{} {} {} {}", answer.status, answer.code, answer.version,
                     answer.headers.get("ETag"));
}

}  // namespace

struct Workload::Conditional {
  std::string id;
  std::string body;
  std::optional<History::Value> value;  // a put's
  History::Demand demand;
  http::Headers headers;
};

Workload::Conditional Workload::conditional(Client& client, const Op& op) const {
  Conditional out;
  out.id = fmt::format("c{}-{}", client.number, client.puts++);
  if (op.kind != OpKind::kDeleteMatch) {
    out.body = body_of(out.id, op.size);
    out.value = History::Value{out.id, hex(as_view(md5(out.body))), op.size};
  }
  out.headers.append("amz-sdk-invocation-id", out.id);
  if (op.kind == OpKind::kPutAbsent) {
    out.demand.absent = true;
    out.headers.append("If-None-Match", "*");
    return out;
  }
  const auto known = etags_.find(object_target(op));
  if (known != etags_.end()) out.demand.etag = known->second;
  out.headers.append("If-Match",
                     known == etags_.end() ? "*" : fmt::format("\"{}\"", known->second));
  return out;
}

S3Answer Workload::send(Client& client, const Op& op, uint32_t node, const Conditional& write) {
  const Endpoint where = cluster_.s3(1 + (node - 1) % plan_.nodes);
  S3Answer answer = write.value
                        ? client.s3->put(where, object_target(op), write.body, write.id,
                                         op.encoding, write.headers)
                        : client.s3->call(where, "DELETE", object_target(op), write.headers);
  if (write.value && answer.ok() && unquoted(answer.headers.get("ETag")) != write.value->etag) {
    verdict_.safety("body", fmt::format("put of {} answered with ETag {}", write.id,
                                        answer.headers.get("ETag")));
  }
  return answer;
}

S3Answer Workload::write_if(Client& client, const Op& op, uint32_t node) {
  const Conditional write = conditional(client, op);
  const History::Start start = history_.begin(bucket_name(op.bucket), key_of(op.key));
  S3Answer answer;
  bool uncertain = false;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (attempt > 0) (void)client.runtime.sleep_for(kPause);
    answer = send(client, op, node++, write);
    uncertain = uncertain || answer.outcome == Outcome::kUnknown;
    if (answer.outcome != Outcome::kUnknown && !worth_another_node(answer)) break;
  }
  // What no condition refused and no shard answered says nothing of an earlier try.
  if (uncertain && !answer.ok() && !is_refusal(answer)) answer.outcome = Outcome::kUnknown;
  note_conditional(start, op, write, answer);
  note_bucket(start, op, answer);
  // As if the answer had been lost on its way.
  if ((answer.ok() || is_refusal(answer)) && xxh3(write.id) % 3 == 0) {
    const S3Answer again = send(client, op, node, write);
    if (again.ok() || is_refusal(again)) {
      history_.answered_again(start, bucket_name(op.bucket), key_of(op.key), in_words(answer),
                              in_words(again));
    }
  }
  return answer;
}

void Workload::note_conditional(const History::Start& start, const Op& op, const Conditional& write,
                                const S3Answer& answer) {
  const std::string bucket = bucket_name(op.bucket);
  const std::string key = key_of(op.key);
  if (is_refusal(answer)) {
    history_.refused(start, bucket, key, write.value, write.demand, answer.version);
    return;
  }
  if (answer.ok() && write.value) etags_[object_target(op)] = write.value->etag;
  history_.wrote_if(start, bucket, key, write.value, write.demand, answer.outcome, answer.version);
}

S3Answer Workload::remove_many(Client& client, const Op& op, const Endpoint& node) {
  const std::string bucket = bucket_name(op.bucket);
  std::vector<std::string> keys;
  std::string body = "<Delete>";
  for (uint32_t i = 0; i < op.size; ++i) {
    std::string key = key_of((op.key + i) % kKeysPerBucket);
    if (!fits_xml(key)) {
      if (op.size > 1) continue;
      key = key_of(0);
    }
    body += fmt::format("<Object><Key>{}</Key></Object>", xml_escape(key));
    keys.push_back(std::move(key));
  }
  const History::Start start = history_.begin();
  S3Answer answer = client.s3->post(node, fmt::format("/{}?delete", bucket), body + "</Delete>");
  note_bucket(start, op, answer);
  if (!answer.ok()) {
    for (const std::string& key : keys)
      history_.deleted(start, bucket, key, answer.outcome);
    return answer;
  }
  std::map<std::string, std::string> errors;  // by key
  for (const std::string& error : xml_elements(answer.body, "Error")) {
    const auto key = xml_elements(error, "Key");
    const auto code = xml_elements(error, "Code");
    if (key.size() == 1 && code.size() == 1) errors[xml_unescape(key.front())] = code.front();
  }
  const size_t done = xml_elements(answer.body, "Deleted").size();
  if (done + errors.size() != keys.size()) {
    verdict_.safety("answer",
                    fmt::format("DeleteObjects of {} keys: {}", keys.size(), answer.body));
    return answer;
  }
  for (const std::string& key : keys) {
    const auto error = errors.find(key);
    const Outcome outcome = error == errors.end()              ? Outcome::kDone
                            : error->second == "InternalError" ? Outcome::kUnknown
                                                               : Outcome::kNotDone;
    history_.deleted(start, bucket, key, outcome);
  }
  return answer;
}

}  // namespace drumlin::sim
