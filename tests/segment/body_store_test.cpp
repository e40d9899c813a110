// segment: what every body store does alike, and the format of the one in the kv.
#include <gtest/gtest.h>

#include <memory>

#include "base/digest.h"
#include "base/rng.h"
#include "kv/memory/memory.h"
#include "segment/kv/kv_body_store.h"

namespace drumlin::segment {
namespace {

constexpr uint64_t kPiece = KvBodyStore::kPieceBytes;

std::string noise(uint64_t size, uint64_t seed) {
  Rng rng(seed);
  std::string out;
  while (out.size() < size)
    out.push_back(static_cast<char>(rng.next()));
  return out;
}

class Bodies : public testing::Test {
 protected:
  void put(const BodyKey& key, std::string_view bytes) {
    kv::Batch batch;
    ASSERT_TRUE(store->put(key, bytes, batch).ok());
    ASSERT_TRUE(kv->write(batch, kv::Access::kBlocking).ok());
  }
  void drop(const BodyKey& key, uint64_t size) {
    kv::Batch batch;
    ASSERT_TRUE(store->drop(key, size, batch).ok());
    ASSERT_TRUE(kv->write(batch, kv::Access::kBlocking).ok());
  }
  Result<Blob> read(const BodyKey& key, uint64_t first = 0, uint64_t count = UINT64_MAX) {
    return store->read(key, first, count, *kv);
  }
  std::vector<std::pair<std::string, std::string>> stored() {
    std::vector<std::pair<std::string, std::string>> out;
    for (auto c = kv->cursor("", ""); c->valid(); c->next())
      out.emplace_back(c->key(), c->value());
    return out;
  }
  void overwrite(const std::string& key, std::string value) {
    kv::Batch batch;
    batch.put(key, std::move(value));
    ASSERT_TRUE(kv->write(batch, kv::Access::kBlocking).ok());
  }
  void erase(const std::string& key) {
    kv::Batch batch;
    batch.remove(key);
    ASSERT_TRUE(kv->write(batch, kv::Access::kBlocking).ok());
  }

  std::unique_ptr<kv::Kv> kv = kv::make_memory();
  std::unique_ptr<BodyStore> store = std::make_unique<KvBodyStore>();
  const BodyKey id{7, 1, 1000, 0};
};

TEST_F(Bodies, ComeBackAsTheyWere) {
  uint64_t index = 0;
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{100}, kPiece - 1, kPiece,
                              kPiece + 1, 2 * kPiece, 3 * kPiece + 17, uint64_t{(8u << 20) - 1}}) {
    const BodyKey key{7, 1, ++index, 0};
    const std::string bytes = noise(size, size);
    put(key, bytes);
    const auto found = read(key);
    ASSERT_TRUE(found.ok()) << found.status().to_string();
    EXPECT_EQ(found.value().size(), size);
    EXPECT_TRUE(found.value().view() == bytes);
  }
}

TEST_F(Bodies, DoNotMix) {
  const std::vector<BodyKey> ids{{7, 1, 5, 0}, {7, 1, 5, 1}, {7, 1, 6, 0},
                                 {7, 2, 5, 0}, {8, 1, 5, 0}, {7, 1, 5ull << 32, 0}};
  for (size_t i = 0; i < ids.size(); ++i)
    put(ids[i], noise(kPiece + 10 + i, i));
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_TRUE(read(ids[i]).value().view() == noise(kPiece + 10 + i, i)) << i;
  }
  drop(ids[0], kPiece + 10);
  EXPECT_EQ(read(ids[0]).code(), Code::kNotFound);
  for (size_t i = 1; i < ids.size(); ++i)
    EXPECT_TRUE(read(ids[i]).ok()) << i;
}

TEST_F(Bodies, RangesAreCutAtTheEnd) {
  const uint64_t size = 3 * kPiece + 100;
  const std::string bytes = noise(size, 1);
  put(id, bytes);
  const std::vector<uint64_t> edges{
      0,          1,        kPiece - 1, kPiece,   kPiece + 1, 2 * kPiece, 3 * kPiece - 1,
      3 * kPiece, size - 1, size,       size + 1, 4 * kPiece, 9 * kPiece, UINT64_MAX};
  for (const uint64_t first : edges) {
    for (const uint64_t count : edges) {
      const auto found = read(id, first, count);
      ASSERT_TRUE(found.ok()) << first << " " << count << " " << found.status().to_string();
      const std::string_view expected =
          first < size ? std::string_view(bytes).substr(first, count) : std::string_view();
      EXPECT_TRUE(found.value().view() == expected) << first << " " << count;
    }
  }
}

TEST_F(Bodies, RangesOfAnEmptyBodyAreEmpty) {
  put(id, "");
  for (const uint64_t first : {uint64_t{0}, uint64_t{1}, kPiece, 5 * kPiece}) {
    const auto found = read(id, first, 10);
    ASSERT_TRUE(found.ok());
    EXPECT_TRUE(found.value().empty());
  }
}

TEST_F(Bodies, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(read(id).code(), Code::kNotFound);
  EXPECT_EQ(read(id, 5 * kPiece, 1).code(), Code::kNotFound);
  EXPECT_EQ(read(id, 0, 0).code(), Code::kNotFound);
}

TEST_F(Bodies, ADropLeavesNothing) {
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, kPiece, kPiece + 1, 5 * kPiece}) {
    put(id, noise(size, 1));
    EXPECT_FALSE(stored().empty());
    drop(id, size);
    EXPECT_TRUE(stored().empty()) << size;
    EXPECT_EQ(read(id).code(), Code::kNotFound);
  }
}

TEST_F(Bodies, AppliedTwiceIsAppliedOnce) {
  const std::string bytes = noise(2 * kPiece + 5, 1);
  put(id, bytes);
  const auto once = stored();
  put(id, bytes);
  EXPECT_EQ(stored(), once);
  EXPECT_TRUE(read(id).value().view() == bytes);
  drop(id, bytes.size());
  drop(id, bytes.size());
  EXPECT_TRUE(stored().empty());
}

TEST_F(Bodies, EffectsTakePlaceWithTheirBatch) {
  kv::Batch batch;
  ASSERT_TRUE(store->put(id, "bytes", batch).ok());
  EXPECT_EQ(read(id).code(), Code::kNotFound);
  ASSERT_TRUE(kv->write(batch, kv::Access::kBlocking).ok());
  batch.clear();
  ASSERT_TRUE(store->drop(id, 5, batch).ok());
  EXPECT_EQ(read(id).value().view(), "bytes");
}

TEST_F(Bodies, ASnapshotKeepsADroppedBody) {
  const std::string bytes = noise(2 * kPiece, 1);
  put(id, bytes);
  const auto view = kv->snapshot(kv::Access::kBlocking);
  drop(id, bytes.size());
  EXPECT_EQ(read(id).code(), Code::kNotFound);
  EXPECT_TRUE(store->read(id, 0, UINT64_MAX, *view).value().view() == bytes);
}

TEST_F(Bodies, EveryDamagedByteIsFound) {
  const std::string bytes = noise(100, 1);
  put(id, bytes);
  const auto [key, value] = stored()[0];
  for (size_t at = 0; at < value.size(); ++at) {
    std::string damaged = value;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    overwrite(key, damaged);
    EXPECT_EQ(read(id).code(), Code::kCorrupt) << at;
  }
  for (size_t length = 0; length < value.size(); ++length) {
    overwrite(key, value.substr(0, length));
    EXPECT_EQ(read(id).code(), Code::kCorrupt) << length;
  }
  overwrite(key, value + '\0');
  EXPECT_EQ(read(id).code(), Code::kCorrupt);
}

TEST_F(Bodies, DamageInAnyPieceIsFoundByThoseWhoReadIt) {
  const std::string bytes = noise(3 * kPiece, 1);
  put(id, bytes);
  const auto pieces = stored();
  ASSERT_EQ(pieces.size(), 3u);
  for (size_t piece = 0; piece < pieces.size(); ++piece) {
    const auto& [key, value] = pieces[piece];
    std::string damaged = value;
    damaged.back() = static_cast<char>(damaged.back() ^ 1);
    overwrite(key, damaged);
    const Status status = read(id).status();
    EXPECT_EQ(status.code(), Code::kCorrupt);
    EXPECT_NE(status.message().find("piece " + std::to_string(piece)), std::string::npos);
    for (size_t other = 0; other < pieces.size(); ++other) {
      EXPECT_EQ(read(id, other * kPiece, kPiece).ok(), other != piece);
    }
    overwrite(key, value);
  }
  EXPECT_TRUE(read(id).ok());
}

TEST_F(Bodies, AMisplacedPieceIsFound) {
  const BodyKey other{7, 1, 1001, 0};
  put(id, noise(2 * kPiece, 1));
  put(other, noise(2 * kPiece, 2));
  const auto pieces = stored();
  ASSERT_EQ(pieces.size(), 4u);
  // Each is whole, and of the right length.
  for (size_t from = 0; from < pieces.size(); ++from) {
    for (size_t to = 0; to < pieces.size(); ++to) {
      overwrite(pieces[to].first, pieces[from].second);
      EXPECT_EQ(read(to < 2 ? id : other).code(), from == to ? Code::kOk : Code::kCorrupt);
      overwrite(pieces[to].first, pieces[to].second);
    }
  }
}

TEST_F(Bodies, AMissingPieceIsFound) {
  const std::string bytes = noise(4 * kPiece, 1);
  for (size_t piece = 1; piece < 4; ++piece) {
    put(id, bytes);
    erase(stored()[piece].first);
    EXPECT_EQ(read(id).code(), Code::kCorrupt) << piece;
    EXPECT_EQ(read(id, piece * kPiece, 1).code(), Code::kCorrupt) << piece;
    EXPECT_TRUE(read(id, 0, piece * kPiece).ok());
  }
}

// As a snapshot brings it there.
TEST_F(Bodies, APieceIsSoundInAnotherGenerationOfItsShard) {
  put(id, "hello");
  auto row = stored().at(0);
  row.first.replace(2, 4, std::string("\0\0\0\5", 4));
  overwrite(row.first, row.second);
  BodyKey moved = id;
  moved.generation = 5;
  ASSERT_TRUE(read(moved, 0, 5).ok());
  EXPECT_EQ(read(moved, 0, 5)->view(), "hello");
}

// Bodies are on disks: a change of these bytes is a change of the layout (CHANGELOG.md).
TEST_F(Bodies, GoldenBytes) {
  put({0x0102, 0x03040506, 0x0708090a0b0c0d0e, 0x0f101112}, "123456789");
  put({0x0102, 0x03040506, 0x0708090a0b0c0d0e, 0x0f101113}, "");
  put({0x0102, 0x03040507, 0, 0}, std::string(kPiece + 1, 'x'));
  const auto all = stored();
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(hex(all[0].first),
            "01020304050630"
            "0708090a0b0c0d0e"
            "0f101112"
            "00000000");
  EXPECT_EQ(hex(all[0].second),
            "5121483f"
            "0900000000000000"
            "313233343536373839");
  EXPECT_EQ(hex(all[1].first),
            "01020304050630"
            "0708090a0b0c0d0e"
            "0f101113"
            "00000000");
  EXPECT_EQ(hex(all[1].second),
            "edf05b55"
            "0000000000000000");
  EXPECT_EQ(hex(all[2].first),
            "01020304050730"
            "0000000000000000"
            "00000000"
            "00000000");
  EXPECT_EQ(hex(all[2].second.substr(0, 16)),
            "e7bf9554"
            "0100010000000000"
            "78787878");
  EXPECT_EQ(hex(all[3].first),
            "01020304050730"
            "0000000000000000"
            "00000000"
            "00000001");
  EXPECT_EQ(hex(all[3].second),
            "3d653633"
            "0100010000000000"
            "78");
}

}  // namespace
}  // namespace drumlin::segment
