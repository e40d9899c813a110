#include "replica/applier.h"

#include <algorithm>

#include "shard/query.h"

namespace drumlin::replica {
namespace {

segment::BodyKey key_of(const shard::BodyId& id, uint32_t generation) {
  return {id.shard, generation, id.index, id.n};
}

struct Extent {
  uint64_t first = 0;
  uint64_t count = 0;
  bool unsatisfiable = false;
};

// RFC 9110, 14.1.2. A range of an empty body is never satisfiable, a suffix of nothing neither.
// REQUIRES: first <= last, if there are both.
Extent resolve(const BodyRange& range, uint64_t size) {
  if (!range.first && !range.last) return {0, size, false};
  if (!range.first) {
    const uint64_t count = std::min(*range.last, size);
    return {size - count, count, count == 0};
  }
  if (range.last) DRUMLIN_CHECK_LE(*range.first, *range.last);
  if (*range.first >= size) return {0, 0, true};
  const uint64_t end = range.last ? std::min(*range.last, size - 1) : size - 1;
  return {*range.first, end - *range.first + 1, false};
}

}  // namespace

Result<std::unique_ptr<Applier>> Applier::open(Services& services, uint32_t shard) {
  std::unique_ptr<Applier> out(new Applier(services, shard));
  const auto view = services.kv.snapshot(kv::Access::kBlocking);
  DRUMLIN_TRY(out->load(*view).with_context("shard " + std::to_string(shard)));
  return out;
}

Status Applier::load(const kv::View& view) {
  DRUMLIN_ASSIGN(const auto pointer, view.get(shard::Keys(number_, 0).meta()));
  if (pointer) {
    DRUMLIN_ASSIGN(const shard::Installed last, shard::decode_installed(*pointer));
    generation_ = last.generation;
    installed_ = last.index;
    installed_term_ = last.term;
  }
  shard_ = std::make_unique<shard::Shard>(number_, generation_);
  shard_->set_probes(services_.runtime.probes());
  return shard_->load(view);
}

Status Applier::try_apply(const raft::Entry& entry, std::string& reply) {
  DRUMLIN_CHECK(!locked());
  if (services_.runtime.buggify("kv.write_would_block")) return {Code::kWouldBlock, "buggify"};
  const Status status = apply_on(services_.kv, kv::Access::kNonBlocking, entry, reply);
  if (status.is(Code::kWouldBlock)) return status;
  if (!status.ok()) broken(status);
  shard_->commit_applied();
  return {};
}

bool Applier::apply(const raft::Entry& entry, std::string& reply) {
  const Mutex::Guard guard(busy_);
  if (entry.index <= applied()) return false;
  Status status;
  services_.runtime.offload([&] {
    const auto view = services_.kv.snapshot(kv::Access::kBlocking);
    status = apply_on(*view, kv::Access::kBlocking, entry, reply);
  });
  if (!status.ok()) broken(status);
  // Here and not in the job: others read applied() meanwhile.
  shard_->commit_applied();
  return true;
}

// All but shard_->commit_applied().
Status Applier::apply_on(const kv::View& view, kv::Access access, const raft::Entry& entry,
                         std::string& reply) {
  kv::Batch batch;
  const std::string_view command =
      entry.kind == raft::EntryKind::kCommand ? entry.data.view() : std::string_view();
  DRUMLIN_ASSIGN(shard::Applied applied, shard_->apply(view, batch, entry.index, command));
  for (const shard::BodyEffect& effect : applied.bodies) {
    const segment::BodyKey key = key_of(effect.id, generation_);
    DRUMLIN_TRY(effect.put ? services_.bodies.put(key, effect.bytes, batch)
                           : services_.bodies.drop(key, effect.size, batch));
  }
  DRUMLIN_TRY(services_.kv.write(batch, access));
  reply = std::move(applied.reply);
  // At once: after a crash the kv may hold this entry although nobody has heard of its reply.
  if (services_.watch != nullptr) {
    services_.watch->applied(group_, entry.index, entry.term, command, reply);
  }
  return {};
}

std::string Applier::rows_of(uint32_t generation) const {
  return shard::Keys(number_, generation).all();
}

void Applier::in_job(const std::function<Status()>& work) {
  Status status;
  services_.runtime.offload([&] { status = work(); });
  if (!status.ok()) broken(status);
}

Applier::Image Applier::image() {
  const Mutex::Guard guard(busy_);
  return {services_.kv.snapshot(kv::Access::kBlocking), rows_of(generation_), applied()};
}

// In pieces: what is erased may be much, and others write meanwhile.
Status Applier::erase(std::string_view first, std::string_view end) {
  constexpr size_t kPiece = 1000;
  const auto view = services_.kv.snapshot(kv::Access::kBlocking);
  kv::Batch batch;
  const auto cursor = view->cursor(first, end);
  for (; cursor->valid(); cursor->next()) {
    batch.remove(cursor->key());
    if (batch.changes().size() < kPiece) continue;
    DRUMLIN_TRY(services_.kv.write(batch, kv::Access::kBlocking));
    batch.clear();
  }
  DRUMLIN_TRY(cursor->status());
  return batch.empty() ? Status() : services_.kv.write(batch, kv::Access::kBlocking);
}

void Applier::begin_install() {
  const std::string first = rows_of(generation_ + 1);
  const std::string end = shard::Keys::after_prefix(rows_of(UINT32_MAX));
  in_job([&] { return erase(first, end); });
}

void Applier::fill(const std::vector<SnapshotPart::Row>& rows) {
  const std::string prefix = rows_of(generation_ + 1);
  kv::Batch batch;
  for (const SnapshotPart::Row& row : rows)
    batch.put(prefix + row.key, row.value);
  in_job([&] { return services_.kv.write(batch, kv::Access::kBlocking); });
}

bool Applier::install(LogIndex index, Term term) {
  const Mutex::Guard guard(busy_);
  if (applied() >= index) return false;
  auto next = std::make_unique<shard::Shard>(number_, generation_ + 1);
  next->set_probes(services_.runtime.probes());
  bool sound = false;
  in_job([&]() -> Status {
    const Status loaded = next->load(*services_.kv.snapshot(kv::Access::kBlocking));
    sound = loaded.ok() && next->applied() == index;
    if (!sound) return loaded.is(Code::kIo) ? loaded : Status();
    kv::Batch batch;
    batch.put(shard::Keys(number_, 0).meta(),
              shard::encode(shard::Installed{generation_ + 1, index, term}));
    DRUMLIN_TRY(services_.kv.write(batch, kv::Access::kBlocking));
    // A flush makes durable all that was written before: the rows too.
    return services_.kv.flush();
  });
  if (!sound) return false;
  ++generation_;
  installed_ = index;
  installed_term_ = term;
  shard_ = std::move(next);
  return true;
}

void Applier::sweep() {
  const std::string first = rows_of(1);
  const std::string end = rows_of(generation_);
  if (first < end) in_job([&] { return erase(first, end); });
}

void Applier::broken(const Status& why) {
  // The log has the truth; a damaged kv is rebuilt from it (or from peers), never patched.
  services_.runtime.halt("the key-value store cannot be used: " + why.to_string());
  DRUMLIN_UNREACHABLE("halt() returned");
}

Result<QueryReply> Applier::query(const QueryRequest& request, Instant deadline) {
  if (!locked() && !services_.runtime.buggify("kv.read_would_block")) {
    auto reply = query_on(services_.kv, request);
    if (!reply.is(Code::kWouldBlock)) return or_broken(std::move(reply));
  }
  const auto too_late = [this] {
    services_.runtime.probe("replica.query_too_late");
    return Status(Code::kTimeout, "the shard was busy until after the deadline");
  };
  if (!busy_.lock(deadline).ok()) return too_late();
  const Mutex::Guard guard(busy_, Mutex::Adopt());
  // Nobody waits for the answer any more, but others wait for the shard.
  if (services_.runtime.clock().now() >= deadline ||
      services_.runtime.buggify("replica.late_query")) {
    return too_late();
  }
  Result<QueryReply> reply = Status(Code::kCancelled);
  services_.runtime.offload([&] {
    const auto view = services_.kv.snapshot(kv::Access::kBlocking);
    reply = query_on(*view, request);
  });
  return or_broken(std::move(reply));
}

// A disk that does not give back what it holds is no better for reads than for writes: another replica leads
// as soon as this node is gone.
Result<QueryReply> Applier::or_broken(Result<QueryReply> reply) {
  if (reply.is(Code::kIo)) broken(reply.status());
  return reply;
}

Result<QueryReply> Applier::query_on(const kv::View& view, const QueryRequest& request) const {
  QueryReply out;
  DRUMLIN_ASSIGN(out.reply, shard_->query(view, request.query));
  if (!request.want_body) return out;
  DRUMLIN_ASSIGN(const auto object, shard::object_in_reply(out.reply));
  if (!object) return out;
  const Extent extent = resolve(request.range, object->size);
  out.unsatisfiable = extent.unsatisfiable;
  out.first = extent.first;
  if (extent.count == 0) return out;
  out.body_left_out = extent.count > request.max_body;
  if (out.body_left_out) return out;
  auto body =
      services_.bodies.read(key_of(object->body, generation_), extent.first, extent.count, view);
  if (body.is(Code::kNotFound))
    return Status(Code::kCorrupt, "a body is missing: " + body.status().message());
  if (!body.ok()) return body.status();
  out.body = std::move(*body);
  if (out.body.size() != extent.count)
    return Status(Code::kCorrupt, "a body is shorter than its record says");
  return out;
}

}  // namespace drumlin::replica
