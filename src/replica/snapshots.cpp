#include "replica/snapshots.h"

#include <algorithm>
#include <array>

#include "base/codec.h"
#include "base/digest.h"

namespace drumlin::replica {
namespace {

constexpr Duration kPartTimeout = 10s;
constexpr Duration kRetryPause = 300ms;
constexpr int kTries = 5;  // of a part

size_t bytes_of(const SnapshotPart::Row& row) {
  return row.key.size() + row.value.size() + 16;
}

// The hash over all rows of a snapshot, and one more.
uint64_t add_row(uint64_t hash, const SnapshotPart::Row& row) {
  return xxh3(row.value, xxh3(row.key, hash));
}

}  // namespace

// The rows of an image, a part at a time.
class Snapshots::Source {
 public:
  Source(Runtime& runtime, size_t part_bytes, const Applier::Image& image)
      : runtime_(runtime),
        part_bytes_(part_bytes),
        prefix_(image.prefix.size()),
        cursor_(image.view->cursor(image.prefix, shard::Keys::after_prefix(image.prefix))) {}

  // Goes on in `part` where the last one ended. Yields.
  Status next(SnapshotPart& part) {
    const size_t most =
        runtime_.buggify("replica.small_snapshot_parts", part_bytes_, size_t{1}, size_t{4096});
    part.offset += part.rows.size();
    part.rows.clear();
    Status status;
    runtime_.offload([&] {
      size_t bytes = 0;
      for (; cursor_->valid() && bytes < most; cursor_->next()) {
        part.rows.push_back(
            {std::string(cursor_->key().substr(prefix_)), std::string(cursor_->value())});
        part.hash = add_row(part.hash, part.rows.back());
        bytes += bytes_of(part.rows.back());
      }
      part.last = !cursor_->valid();
      status = cursor_->status();
      bytes_ = bytes;
    });
    return status;
  }
  size_t bytes() const { return bytes_; }  // of the last part

 private:
  Runtime& runtime_;
  size_t part_bytes_;
  size_t prefix_;
  std::unique_ptr<kv::Cursor> cursor_;
  size_t bytes_ = 0;
};

Snapshots::Snapshots(Services& services, Loop& loop, GroupId group, raft::Raft& core,
                     Applier& applier, Installed installed)
    : services_(services),
      loop_(loop),
      group_(group),
      core_(core),
      applier_(applier),
      installed_(std::move(installed)) {}

bool Snapshots::wanted_still(const raft::Output::Snapshot& wanted) const {
  return !stopped_ && core_.role() == raft::Role::kLeader && core_.term() == wanted.term;
}

void Snapshots::send(const raft::Output::Snapshot& wanted) {
  Result<LogIndex> sent = Status(Code::kCancelled);
  if (loop_.snapshot_turns().acquire(1).ok()) {
    if (wanted_still(wanted)) sent = send_all(wanted);
    loop_.snapshot_turns().release(1);
  }
  if (stopped_) return;
  if (!sent.ok() && wanted_still(wanted)) {
    services_.observer.log.warn(
        "raft", "a snapshot did not get there",
        {{"shard", group_}, {"to", wanted.peer}, {"why", sent.status().to_string()}});
  }
  core_.snapshot_sent(wanted, sent.ok() ? *sent : LogIndex());
  loop_.wake(group_);
}

Result<LogIndex> Snapshots::send_all(const raft::Output::Snapshot& wanted) {
  const Applier::Image image = applier_.image();
  // While we waited for it the log may have been cut behind it; then another try will do better.
  if (image.index < core_.log().start()) return Status(Code::kAborted, "the log was cut meanwhile");
  const auto pin = sending_.insert(image.index);
  auto sent = send_image(image, wanted);
  sending_.erase(pin);
  return sent;
}

Result<LogIndex> Snapshots::send_image(const Applier::Image& image,
                                       const raft::Output::Snapshot& wanted) {
  SnapshotPart part;
  part.shard = static_cast<uint32_t>(group_.value());
  part.term = wanted.term;
  part.index = image.index;
  part.index_term = core_.log().term_at(image.index);
  std::array<char, 8> id{};
  services_.runtime.secure_random(id);  // no two transfers must be taken for one
  part.transfer = load_le<uint64_t>(id.data()) | 1;
  services_.observer.log.info("raft", "sending a snapshot",
                              {{"shard", group_}, {"to", wanted.peer}, {"index", image.index}});
  Source source(services_.runtime, services_.options.snapshot_part_bytes, image);
  while (wanted_still(wanted)) {
    DRUMLIN_TRY(source.next(part));
    DRUMLIN_TRY(take_turn(source.bytes()));
    DRUMLIN_ASSIGN(const SnapshotReply reply, send_part(wanted.peer, part, wanted));
    if (reply.installed != LogIndex()) return std::min(reply.installed, image.index);
    if (part.last || reply.received != part.offset + part.rows.size()) {
      return Status(Code::kAborted, "the receiver has lost what came before");
    }
  }
  return Status(Code::kAborted, "no longer leader");
}

// So many bytes a second for all transfers of the node together.
Status Snapshots::take_turn(size_t bytes) {
  const uint64_t rate = services_.options.snapshot_bytes_per_s;
  if (rate == 0) return {};
  const Instant now = services_.runtime.clock().now();
  const Instant turn = std::max(now, services_.snapshot_next);
  services_.snapshot_next =
      turn + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(
                 static_cast<double>(bytes) / static_cast<double>(rate)));
  return services_.runtime.sleep_until(turn);
}

Result<SnapshotReply> Snapshots::send_part(NodeId to, const SnapshotPart& part,
                                           const raft::Output::Snapshot& wanted) {
  Status last;
  for (int i = 0; i < kTries && wanted_still(wanted); ++i) {
    if (i > 0) {
      services_.runtime.probe("replica.snapshot_part_again");
      DRUMLIN_TRY(services_.runtime.sleep_for(kRetryPause));
    }
    auto reply =
        loop_.call(to, kSnapshot, encode(part), after(services_.runtime.clock(), kPartTimeout));
    if (reply.ok()) return decode_snapshot_reply(*reply);
    last = reply.status();
    if (last.is(Code::kAborted) || last.is(Code::kUnsupported)) break;
  }
  return last.ok() ? Status(Code::kAborted, "no longer leader") : last;
}

Result<SnapshotReply> Snapshots::receive(SnapshotPart part) {
  if (stopped_) return Status(Code::kUnavailable, "stopping");
  if (!services_.kv.durable()) {
    return Status(Code::kUnsupported, "a kv that keeps nothing cannot take a snapshot");
  }
  if (part.term < core_.term() || core_.role() == raft::Role::kLeader) {
    return Status(Code::kAborted, "of a leader whose term is over");
  }
  // Applied is committed, and durable in our log.
  if (applier_.applied() >= part.index) return SnapshotReply{0, part.index};
  if (receiving_) return Status(Code::kUnavailable, "a part is being taken");
  receiving_ = true;
  auto reply = take(part);
  receiving_ = false;
  return reply;
}

Result<SnapshotReply> Snapshots::take(SnapshotPart& part) {
  if (part.offset == 0 && (!incoming_ || incoming_->transfer != part.transfer)) {
    incoming_ = Incoming{part.transfer};
    applier_.begin_install();
  }
  if (!incoming_ || incoming_->transfer != part.transfer || part.offset > incoming_->received) {
    return Status(Code::kAborted, "of a transfer that is over");
  }
  if (part.offset == incoming_->received) {
    applier_.fill(part.rows);
    for (const SnapshotPart::Row& row : part.rows)
      incoming_->hash = add_row(incoming_->hash, row);
    incoming_->received += part.rows.size();
  }
  const SnapshotReply so_far{incoming_->received, LogIndex()};
  if (!part.last) return so_far;
  const bool whole = incoming_->hash == part.hash;
  incoming_.reset();
  if (!whole) return Status(Code::kAborted, "the rows do not match their hash");
  services_.runtime.buggify_delay("replica.slow_install", 2s);
  if (!applier_.install(part.index, part.index_term)) {
    if (applier_.applied() < part.index)
      return Status(Code::kAborted, "the rows are no such state");
    return SnapshotReply{0, part.index};
  }
  installed_(part.index, part.index_term);
  applier_.sweep();
  return SnapshotReply{so_far.received, part.index};
}

}  // namespace drumlin::replica
