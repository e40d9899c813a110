#include "sim/check/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <tuple>

#include "shard/placement.h"

namespace drumlin::sim {
namespace {

std::string name_of(std::string_view bucket, std::string_view key) {
  return fmt::format("{}/{}", bucket, key);
}

std::string show(const std::optional<History::Value>& value) {
  return value ? fmt::format("{} ({}, {} bytes)", value->id, value->etag, value->size) : "nothing";
}

History::Value value_of(const shard::Put& put) {
  History::Value value{"", put.attributes.etag, put.body.size()};
  for (const auto& [name, text] : put.attributes.user) {
    if (name == "id") value.id = text;
  }
  return value;
}

// As routers show it (router/buckets.cpp).
bool visible(const shard::BucketRecord& record) {
  return record.state != shard::BucketState::kCreating &&
         record.state != shard::BucketState::kRemoving;
}

}  // namespace

uint32_t History::shard_of(std::string_view bucket, std::string_view key) const {
  return shard::shard_of(bucket, key, std::min<uint32_t>(16, shards_), shards_);
}

History::Start History::begin(std::string_view bucket, std::string_view key) const {
  Start start{floor_, {}, 0};
  for (uint32_t s = 0; s < shards_; ++s)
    start.committed.push_back(raft_.committed(GroupId(s)));
  const auto known = key_floor_.find(name_of(bucket, key));
  if (known != key_floor_.end()) start.key_floor = known->second;
  return start;
}

History::Window History::window(const Start& start, uint32_t shard) const {
  return {start.committed[shard], raft_.committed(GroupId(shard))};
}

// Without a look at the log. The version of a key that is not there is that of its shard's last delete.
void History::check_floor(const Start& start, std::string_view bucket, std::string_view key,
                          uint64_t version, bool write) {
  verdict_.evaluated("floor");
  const uint32_t shard = shard_of(bucket, key);
  const uint64_t known = write ? start.floor[shard].value() : start.key_floor;
  if (write ? version <= known : version < known) {
    verdict_.safety("floor",
                    fmt::format("{} of {} got version {}, but {} was known before it began",
                                write ? "write" : "read", name_of(bucket, key), version, known));
  }
  floor_[shard] = std::max(floor_[shard], LogIndex(version));
  uint64_t& floor = key_floor_[name_of(bucket, key)];
  floor = std::max(floor, version);
}

void History::wrote(const Start& start, std::string_view bucket, std::string_view key,
                    std::optional<Value> value, Outcome outcome, uint64_t version) {
  const uint32_t shard = shard_of(bucket, key);
  if (outcome == Outcome::kDone) check_floor(start, bucket, key, version, /*write=*/true);
  writes_.push_back({std::string(bucket), std::string(key), std::move(value), outcome, version,
                     window(start, shard)});
}

void History::read(const Start& start, std::string_view bucket, std::string_view key,
                   std::optional<Value> value, uint64_t version) {
  check_floor(start, bucket, key, version, /*write=*/false);
  reads_.push_back({std::string(bucket), std::string(key), std::move(value), false, version,
                    window(start, shard_of(bucket, key))});
}

void History::read_size(const Start& start, std::string_view bucket, std::string_view key,
                        uint64_t size, uint64_t version) {
  check_floor(start, bucket, key, version, /*write=*/false);
  reads_.push_back({std::string(bucket), std::string(key), Value{"", "", size}, true, version,
                    window(start, shard_of(bucket, key))});
}

void History::listed(const Start& start, std::string_view bucket, Page page) {
  std::vector<Window> windows;
  for (uint32_t s = 0; s < shards_; ++s)
    windows.push_back(window(start, s));
  lists_.push_back({std::string(bucket), std::move(page), std::move(windows)});
}

void History::saw_time(std::string_view bucket, std::string_view key, uint64_t version,
                       WallTime time) {
  verdict_.evaluated("log_time");
  const uint32_t shard = shard_of(bucket, key);
  auto& times = times_[shard];
  const auto it = times.emplace(version, time).first;
  const auto next = std::next(it);
  if (it->second != time || (it != times.begin() && std::prev(it)->second > time) ||
      (next != times.end() && next->second < time)) {
    verdict_.safety(
        "log_time",
        fmt::format("{}, version {} of shard {}: its time, {} s, does not fit "
                    "those of the versions around it",
                    name_of(bucket, key), version, shard, unix_nanos(time) / 1'000'000'000));
  }
}

std::string History::Page::common_prefix(std::string_view key) const {
  if (delimiter.empty() || !key.starts_with(prefix)) return {};
  const size_t at = key.find(delimiter, prefix.size());
  return at == std::string_view::npos ? "" : std::string(key.substr(0, at + delimiter.size()));
}

bool History::Page::before_page(std::string_view key) const {
  return key <= after || (after_is_prefix && key.starts_with(after));
}

std::pair<std::string, bool> History::Page::last() const {
  if (items.empty() || (!prefixes.empty() && prefixes.back() > items.back().key))
    return {prefixes.back(), true};
  return {items.back().key, false};
}

void History::Page::goes_on_after(const Page& page) {
  std::tie(after, after_is_prefix) = page.last();
}

void History::saw_bucket(const Start& start, std::string_view bucket, bool is_visible) {
  seen_.push_back({std::string(bucket), is_visible, window(start, shard::kCatalogueShard)});
}

void History::note_bucket(LogIndex index, const shard::Command& command,
                          const shard::Reply& reply) {
  const auto note = [&](const std::string& name) {
    buckets_[name][index] = reply.bucket && visible(*reply.bucket);
  };
  std::visit(
      [&](const auto& payload) {
        if constexpr (requires { payload.name; }) {
          // A refusal that shows the record tells the state as well; one without says "none".
          if (reply.bucket || reply.code == Code::kOk || reply.code == Code::kNotFound) {
            note(payload.name);
          }
        }
      },
      command.payload);
}

bool History::note_effect(uint32_t shard, LogIndex index, const RaftChecker::Applied& applied) {
  if (applied.command.empty()) return true;
  const auto command = shard::decode_command(applied.command);
  const auto reply = shard::decode_reply(applied.reply);
  if (!command.ok() || !reply.ok()) return false;
  // The same number again: answered from memory, without effect.
  const shard::Session& session = command->session;
  if (reply->detail == shard::Detail::kSession) return true;
  if (session.node != 0 &&
      !sessions_.insert({{session.node, session.boot}, {shard, session.number}}).second) {
    return true;
  }
  if (told_before(shard, index, *command, *reply, applied.reply)) return true;
  check_condition(shard, index, *command, *reply);
  if (const auto* put = shard::put_of(command->payload)) {
    if (reply->code != Code::kOk) return true;
    Value value = value_of(*put);
    effects_[value.id].push_back(index);
    objects_[name_of(put->bucket, put->key)][index] = std::move(value);
  } else if (const auto* del = shard::delete_of(command->payload)) {
    if (reply->code == Code::kOk) objects_[name_of(del->bucket, del->key)][index] = std::nullopt;
  } else if (shard == shard::kCatalogueShard) {
    note_bucket(index, *command, *reply);
    note_owner(index, *command, *reply);
  }
  return true;
}

// What took effect, in the order of each shard's log.
void History::build_timelines() {
  for (uint32_t shard = 0; shard < shards_; ++shard) {
    for (const auto& [index, applied] : raft_.history(GroupId(shard))) {
      if (note_effect(shard, index, applied)) continue;
      verdict_.safety("linearizable", fmt::format("shard {}, index {}: an undecodable entry", shard,
                                                  index.value()));
      return;
    }
  }
}

const History::Timeline<std::optional<History::Value>>* History::timeline(
    std::string_view bucket, std::string_view key) const {
  const auto it = objects_.find(name_of(bucket, key));
  return it == objects_.end() ? nullptr : &it->second;
}

void History::check_write(const Write& write) {
  verdict_.evaluated("linearizable");
  const std::string what =
      fmt::format("{} {}", write.value ? "put of " + write.value->id + " to" : "delete of",
                  name_of(write.bucket, write.key));
  if (write.value) {
    const auto effects = effects_.find(write.value->id);
    const size_t times = effects == effects_.end() ? 0 : effects->second.size();
    if (times > 1) {
      verdict_.safety("linearizable", fmt::format("{} took effect {} times", what, times));
    }
    if (write.outcome == Outcome::kNotDone && times > 0) {
      verdict_.safety("linearizable", what + " was answered \"not done\" and took effect");
    }
  }
  if (write.outcome != Outcome::kDone) return;
  check_version(write, what);
  if (write.demand) check_demand(write, what);
}

// Version 0: the answer told none, so any delete of the window will do.
void History::check_version(const Write& write, const std::string& what) {
  if (write.version == 0) {
    const auto* states = timeline(write.bucket, write.key);
    const auto from = states == nullptr ? Timeline<std::optional<Value>>::const_iterator()
                                        : states->upper_bound(write.window.low);
    bool found = false;
    for (auto it = from; states != nullptr && it != states->end(); ++it)
      found = found || (it->first <= write.window.high && !it->second);
    if (found) return;
    verdict_.safety("linearizable",
                    fmt::format("{} was acknowledged, and the log has none in ({}, {}]", what,
                                write.window.low.value(), write.window.high.value()));
    return;
  }
  const LogIndex version(write.version);
  const auto* states = timeline(write.bucket, write.key);
  const auto state =
      states == nullptr ? Timeline<std::optional<Value>>::const_iterator() : states->find(version);
  if (states == nullptr || state == states->end() || state->second != write.value) {
    verdict_.safety("linearizable",
                    fmt::format("{} was acknowledged at version {}, where the log has "
                                "something else",
                                what, write.version));
  } else if (version <= write.window.low || version > write.window.high) {
    verdict_.safety(
        "linearizable",
        fmt::format("{} was acknowledged at version {}, outside ({}, {}]", what, write.version,
                    write.window.low.value(), write.window.high.value()));
  }
}

void History::check_read(const Read& read) {
  verdict_.evaluated("linearizable");
  const auto* states = timeline(read.bucket, read.key);
  const auto fits = [&](const std::optional<Value>& value) {
    return read.size_only ? value && value->size == read.value->size : value == read.value;
  };
  if (!held<std::optional<Value>>(states, std::nullopt, read.window, fits)) {
    verdict_.safety(
        "linearizable",
        fmt::format("read of {} returned {}, version {}: not what it held at any index in "
                    "[{}, {}]",
                    name_of(read.bucket, read.key), show(read.value), read.version,
                    read.window.low.value(), read.window.high.value()));
    return;
  }
  if (!read.value) return;
  const auto state = states->find(LogIndex(read.version));
  if (state == states->end() || !fits(state->second)) {
    verdict_.safety("linearizable",
                    fmt::format("read of {} returned {} under version {}, which wrote "
                                "something else",
                                name_of(read.bucket, read.key), show(read.value), read.version));
  }
}

// What is on the page was there.
void History::check_listed(const List& list) {
  std::string last;
  for (const Listed& item : list.page.items) {
    if (item.key <= last) {
      verdict_.safety("listing",
                      fmt::format("{}: {} is listed twice or out of order", list.bucket, item.key));
    }
    last = item.key;
    if (!item.key.starts_with(list.page.prefix) || list.page.before_page(item.key) ||
        !list.page.common_prefix(item.key).empty()) {
      verdict_.safety("listing", fmt::format("{}: {} was not asked for", list.bucket, item.key));
    }
    if (!held<std::optional<Value>>(
            timeline(list.bucket, item.key), std::nullopt,
            list.windows[shard_of(list.bucket, item.key)], [&](const auto& value) {
              return value && value->etag == item.etag && value->size == item.size;
            })) {
      verdict_.safety("listing",
                      fmt::format("{}: lists {} with {}, {} bytes, which it did not hold then",
                                  list.bucket, item.key, item.etag, item.size));
    }
  }
}

// A common prefix stands for a key that was there.
void History::check_prefixes(const List& list) {
  std::string last;
  for (const std::string& prefix : list.page.prefixes) {
    const std::string bucket = list.bucket + "/";
    bool stands = false;
    for (auto it = objects_.lower_bound(bucket + prefix);
         !stands && it != objects_.end() && it->first.starts_with(bucket + prefix); ++it) {
      const std::string key = it->first.substr(bucket.size());
      stands = !list.page.before_page(key) &&
               held<std::optional<Value>>(&it->second, std::nullopt,
                                          list.windows[shard_of(list.bucket, key)],
                                          [](const auto& value) { return value.has_value(); });
    }
    if (!stands || prefix <= last || list.page.common_prefix(prefix) != prefix) {
      verdict_.safety("listing",
                      fmt::format("{}: the common prefix {} stands for nothing that was there",
                                  list.bucket, prefix));
    }
    last = prefix;
  }
}

void History::check_list(const List& list) {
  verdict_.evaluated("listing");
  check_listed(list);
  check_prefixes(list);
  const std::set<std::string> prefixes(list.page.prefixes.begin(), list.page.prefixes.end());
  std::set<std::string_view> listed;
  for (const Listed& item : list.page.items)
    listed.insert(item.key);
  const std::string bucket = list.bucket + "/";
  for (auto it = objects_.lower_bound(bucket);
       it != objects_.end() && it->first.starts_with(bucket); ++it) {
    const std::string key = it->first.substr(bucket.size());
    if (listed.contains(key) || !key.starts_with(list.page.prefix) || list.page.before_page(key))
      continue;
    const std::string common = list.page.common_prefix(key);
    // Whether a prefix that begins before the page comes again for keys behind that is nobody's promise.
    if (!common.empty() && (prefixes.contains(common) || list.page.after.starts_with(common)))
      continue;
    const std::string& place = common.empty() ? key : common;
    const bool empty = list.page.items.empty() && list.page.prefixes.empty();
    if (list.page.truncated && (empty || place > list.page.last().first)) continue;
    if (!held<std::optional<Value>>(&it->second, std::nullopt,
                                    list.windows[shard_of(list.bucket, key)],
                                    [](const auto& value) { return !value; })) {
      verdict_.safety("listing", fmt::format("{}: does not list {}, which was there all the time",
                                             list.bucket, key));
    }
  }
}

void History::check_seen(const Seen& seen) {
  verdict_.evaluated("bucket");
  const auto states = buckets_.find(seen.bucket);
  if (held<bool>(states == buckets_.end() ? nullptr : &states->second, false, seen.window,
                 [&](bool state) { return state == seen.visible; })) {
    return;
  }
  verdict_.safety("bucket",
                  fmt::format("{} was told to be {} and was not at any index of the catalogue "
                              "in [{}, {}]",
                              seen.bucket, seen.visible ? "there" : "gone", seen.window.low.value(),
                              seen.window.high.value()));
}

void History::check() {
  build_timelines();
  for (const Write& write : writes_)
    check_write(write);
  for (const Refusal& refusal : refusals_)
    check_refusal(refusal);
  for (const Repetition& repetition : repetitions_)
    check_repetition(repetition);
  for (const Read& read : reads_)
    check_read(read);
  for (const List& list : lists_)
    check_list(list);
  for (const Seen& seen : seen_)
    check_seen(seen);
  for (const RefusedBucket& refused : refused_buckets_)
    check_refused_bucket(refused);
}

}  // namespace drumlin::sim
