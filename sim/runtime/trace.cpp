#include "sim/runtime/trace.h"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>

#include "base/check.h"
#include "base/codec.h"
#include "base/digest.h"

namespace drumlin::sim {
namespace {

// One-to-one in either argument, so two runs that differ in one word differ in their hash until
// another difference happens to cancel it.
uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 32);
}

uint64_t mix_text(uint64_t hash, std::string_view text) {
  if (text.size() > 32) return mix(hash, xxh3(text, text.size()));
  hash = mix(hash, text.size());
  while (text.size() >= 8) {
    hash = mix(hash, load_le<uint64_t>(text.data()));
    text.remove_prefix(8);
  }
  uint64_t rest = 0;
  for (const char c : text)
    rest = rest << 8 | static_cast<unsigned char>(c);
  return mix(hash, rest);
}

std::string machine_name(uint32_t tag) {
  if (tag == 0) return "world";
  return tag < 1000 ? "node " + std::to_string(tag) : "client " + std::to_string(tag - 1000);
}

// Of the event alone: the hash also tells of everything before it.
bool same(const Trace::Entry& a, const Trace::Entry& b) {
  return a.at == b.at && a.machine == b.machine && a.kind == b.kind && a.a == b.a && a.b == b.b &&
         a.content == b.content && a.text == b.text;
}

}  // namespace

Trace::Trace(Options options) : options_(options) {
  DRUMLIN_CHECK_GT(options_.ring, size_t{0});
  ring_.resize(options_.ring);
}

void Trace::event(Instant at, uint32_t machine, std::string_view kind, uint64_t a, uint64_t b,
                  std::string_view text, uint64_t content) {
  hash_ = mix(hash_, static_cast<uint64_t>(at.time_since_epoch().count()));
  hash_ = mix(hash_, machine);
  hash_ = mix_text(hash_, kind);
  hash_ = mix(hash_, a);
  hash_ = mix(hash_, b);
  hash_ = mix_text(hash_, text);
  hash_ = mix(hash_, content);
  Slot& slot = ring_[count_ % ring_.size()];
  ++count_;
  slot.at = at;
  slot.kind = kind;
  slot.a = a;
  slot.b = b;
  slot.content = content;
  slot.hash = hash_;
  slot.machine = machine;
  slot.text_bytes = static_cast<uint32_t>(std::min(text.size(), kRingText));
  std::copy_n(text.data(), slot.text_bytes, slot.text.data());
  if (options_.record)
    recorded_.push_back({at, machine, kind, a, b, content, hash_, std::string(text)});
}

std::vector<Trace::Entry> Trace::last() const {
  std::vector<Entry> out;
  const uint64_t n = std::min<uint64_t>(count_, ring_.size());
  for (uint64_t i = count_ - n; i < count_; ++i) {
    const Slot& slot = ring_[i % ring_.size()];
    out.push_back({slot.at, slot.machine, slot.kind, slot.a, slot.b, slot.content, slot.hash,
                   std::string(slot.text.data(), slot.text_bytes)});
  }
  return out;
}

std::optional<size_t> Trace::first_difference(const Trace& one, const Trace& other) {
  const auto& a = one.recorded_;
  const auto& b = other.recorded_;
  const size_t n = std::min(a.size(), b.size());
  for (size_t i = 0; i < n; ++i) {
    if (!same(a[i], b[i])) return i;
  }
  if (a.size() != b.size()) return n;
  return std::nullopt;
}

std::string Trace::to_string(const Entry& entry) {
  const auto nanos = static_cast<uint64_t>(entry.at.time_since_epoch().count());
  std::string fraction = std::to_string(nanos % 1'000'000'000);
  fraction.insert(0, 9 - fraction.size(), '0');
  std::string out = std::to_string(nanos / 1'000'000'000) + "." + fraction + "s " +
                    machine_name(entry.machine) + " " + std::string(entry.kind);
  out += " a=" + std::to_string(entry.a) + " b=" + std::to_string(entry.b);
  if (entry.content != 0) {
    std::array<char, 17> hex;
    std::snprintf(hex.data(), hex.size(), "%016" PRIx64, entry.content);
    out += " bytes=" + std::string(hex.data());
  }
  if (!entry.text.empty()) out += " " + entry.text;
  return out;
}

}  // namespace drumlin::sim
