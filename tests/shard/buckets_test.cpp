// The bucket protocol as the shard sees it: each step from each state, late and twice.
#include <gtest/gtest.h>

#include "base/codec.h"
#include "tests/shard/replica.h"

namespace drumlin::shard::test {
namespace {

struct CatalogueTest : ::testing::Test {
  BucketState state() { return r.bucket().value().state; }
  uint64_t epoch() { return r.bucket().value().epoch; }
  // At index 1, so that is the incarnation.
  void create() { ASSERT_EQ(r.run(CreateBucket{"b", 16}, {}, at(9)).code, Code::kOk); }
  void activate() { ASSERT_EQ(r.run(ActivateBucket{"b", 1}).code, Code::kOk); }
  void reach(BucketState wanted) {
    create();
    if (wanted == BucketState::kCreating) return;
    activate();
    if (wanted == BucketState::kActive) return;
    ASSERT_EQ(r.run(BeginDelete{"b"}).code, Code::kOk);
    if (wanted == BucketState::kDeleting) return;
    ASSERT_EQ(r.run(DecideDelete{"b", 1, 1, wanted == BucketState::kRemoving}).code, Code::kOk);
  }
  Replica r;
};

TEST_F(CatalogueTest, CreateThenActivate) {
  const Reply created = r.run(CreateBucket{"b", 16}, {}, at(9));
  EXPECT_EQ(created.code, Code::kOk);
  ASSERT_TRUE(created.bucket);
  EXPECT_EQ(created.bucket->incarnation, 1u);
  EXPECT_EQ(created.bucket->partitions, 16u);
  EXPECT_EQ(created.bucket->epoch, 1u);
  EXPECT_EQ(created.bucket->state, BucketState::kCreating);
  EXPECT_EQ(created.bucket->created, at(9));
  const Reply active = r.run(ActivateBucket{"b", 1});
  EXPECT_EQ(active.code, Code::kOk);
  EXPECT_EQ(active.bucket->state, BucketState::kActive);
}

TEST_F(CatalogueTest, CreateInEachState) {
  const std::pair<BucketState, Code> cases[] = {{BucketState::kCreating, Code::kOk},
                                                {BucketState::kActive, Code::kAlreadyExists},
                                                {BucketState::kDeleting, Code::kAborted},
                                                {BucketState::kRemoving, Code::kAborted},
                                                {BucketState::kReopening, Code::kAborted}};
  for (const auto& [from, code] : cases) {
    r = Replica();
    reach(from);
    const Reply reply = r.run(CreateBucket{"b", 4});
    EXPECT_EQ(reply.code, code) << static_cast<int>(from);
    ASSERT_TRUE(reply.bucket);
    EXPECT_EQ(reply.bucket->incarnation, 1u) << "joins or shows the record that is there";
    EXPECT_EQ(reply.bucket->partitions, 16u);
    EXPECT_EQ(state(), from);
  }
}

TEST_F(CatalogueTest, BucketWithoutPartitionsIsRefused) {
  EXPECT_EQ(r.run(CreateBucket{"b", 0}).code, Code::kInvalidArgument);
  EXPECT_FALSE(r.bucket());
}

TEST_F(CatalogueTest, ActivateInEachState) {
  for (const BucketState from : {BucketState::kActive, BucketState::kDeleting,
                                 BucketState::kRemoving, BucketState::kReopening}) {
    r = Replica();
    reach(from);
    EXPECT_EQ(r.run(ActivateBucket{"b", 1}).code, Code::kOk) << "late: it was activated once";
    EXPECT_EQ(state(), from);
    EXPECT_EQ(r.run(ActivateBucket{"b", 2}).code, Code::kAborted) << "of another life";
  }
  EXPECT_EQ(r.run(ActivateBucket{"other", 1}).code, Code::kAborted);
}

TEST_F(CatalogueTest, BeginDeleteInEachState) {
  EXPECT_EQ(r.run(BeginDelete{"b"}).code, Code::kNotFound);
  const std::pair<BucketState, Code> cases[] = {{BucketState::kCreating, Code::kAborted},
                                                {BucketState::kActive, Code::kOk},
                                                {BucketState::kDeleting, Code::kOk},
                                                {BucketState::kRemoving, Code::kAborted},
                                                {BucketState::kReopening, Code::kAborted}};
  for (const auto& [from, code] : cases) {
    r = Replica();
    reach(from);
    const Reply reply = r.run(BeginDelete{"b"});
    EXPECT_EQ(reply.code, code) << static_cast<int>(from);
    ASSERT_TRUE(reply.bucket);
    EXPECT_EQ(state(), code == Code::kOk ? BucketState::kDeleting : from);
  }
}

TEST_F(CatalogueTest, TheFirstDecisionStands) {
  reach(BucketState::kDeleting);
  EXPECT_EQ(r.run(DecideDelete{"b", 1, 2, true}).code, Code::kAborted) << "another attempt";
  EXPECT_EQ(r.run(DecideDelete{"b", 3, 1, true}).code, Code::kAborted) << "another life";
  EXPECT_EQ(state(), BucketState::kDeleting);
  EXPECT_EQ(r.run(DecideDelete{"b", 1, 1, false}).bucket->state, BucketState::kReopening);
  EXPECT_EQ(epoch(), 2u);
  const Reply loser = r.run(DecideDelete{"b", 1, 1, true});
  EXPECT_EQ(loser.code, Code::kOk);
  EXPECT_EQ(loser.bucket->state, BucketState::kReopening) << "told what was decided";
  EXPECT_EQ(epoch(), 2u);

  r = Replica();
  reach(BucketState::kRemoving);
  EXPECT_EQ(r.run(DecideDelete{"b", 1, 1, false}).bucket->state, BucketState::kRemoving);
  EXPECT_EQ(epoch(), 1u);
}

TEST_F(CatalogueTest, DecisionOfAnEarlierAttemptIsRefused) {
  reach(BucketState::kReopening);
  ASSERT_EQ(r.run(FinishReopen{"b", 1, 2}).code, Code::kOk);
  ASSERT_EQ(r.run(BeginDelete{"b"}).code, Code::kOk);  // the second attempt, epoch 2
  EXPECT_EQ(r.run(DecideDelete{"b", 1, 1, true}).code, Code::kAborted);
  EXPECT_EQ(state(), BucketState::kDeleting);
}

TEST_F(CatalogueTest, FinishRemoveOnlyWhatIsRemoving) {
  EXPECT_EQ(r.run(FinishRemove{"b", 1}).code, Code::kNotFound);
  for (const BucketState from : {BucketState::kCreating, BucketState::kActive,
                                 BucketState::kDeleting, BucketState::kReopening}) {
    r = Replica();
    reach(from);
    EXPECT_EQ(r.run(FinishRemove{"b", 1}).code, Code::kAborted);
    EXPECT_EQ(state(), from);
  }
  r = Replica();
  reach(BucketState::kRemoving);
  EXPECT_EQ(r.run(FinishRemove{"b", 2}).code, Code::kAborted);
  EXPECT_EQ(r.run(FinishRemove{"b", 1}).code, Code::kOk);
  EXPECT_FALSE(r.bucket());
  EXPECT_EQ(r.run(FinishRemove{"b", 1}).code, Code::kNotFound);
  const Reply again = r.run(CreateBucket{"b", 16});
  EXPECT_GT(again.bucket->incarnation, 1u) << "a new life";
}

TEST_F(CatalogueTest, FinishReopenMakesItActiveOnce) {
  reach(BucketState::kReopening);
  EXPECT_EQ(r.run(FinishReopen{"b", 1, 1}).code, Code::kAborted);
  EXPECT_EQ(r.run(FinishReopen{"b", 1, 2}).bucket->state, BucketState::kActive);
  EXPECT_EQ(r.run(FinishReopen{"b", 1, 2}).code, Code::kOk);
  ASSERT_EQ(r.run(BeginDelete{"b"}).code, Code::kOk);
  EXPECT_EQ(r.run(FinishReopen{"b", 1, 2}).code, Code::kOk) << "late";
  EXPECT_EQ(state(), BucketState::kDeleting) << "and without effect";
}

// The names on a page, and if there are more "..." with the name to go on from, unless that is the last.
std::string listed(Replica& r, const ListBuckets& query) {
  const auto page =
      decode_list_buckets_reply(r.shard.query(r.kv, encode_query(query)).value()).value();
  std::string out;
  for (const BucketRecord& record : page.records)
    out += (out.empty() ? "" : " ") + record.name;
  if (!page.more) return out;
  return out + "..." +
         (page.records.empty() || page.records.back().name != page.next ? page.next : "");
}

TEST_F(CatalogueTest, ListedByName) {
  EXPECT_EQ(listed(r, {}), "");
  for (const char* name : {"m", "a", "a-1", "b"})
    r.run(CreateBucket{name, 1});
  EXPECT_EQ(listed(r, {}), "a a-1 b m");
}

TEST_F(CatalogueTest, ListedInPages) {
  for (const char* name : {"m", "a", "a-1", "b"})
    r.run(CreateBucket{name, 1});
  EXPECT_EQ(listed(r, {"", "", 2, {}}), "a a-1...");
  EXPECT_EQ(listed(r, {"", "a-1", 2, {}}), "b m");
  EXPECT_EQ(listed(r, {"", "a", 2, {}}), "a-1 b...");
  EXPECT_EQ(listed(r, {"", "aaaa", 2, {}}), "b m") << "after what is not there";
  EXPECT_EQ(listed(r, {"", "m", 2, {}}), "");
  EXPECT_EQ(listed(r, {"", "\xff", 2, {}}), "");
  EXPECT_EQ(listed(r, {"a", "", 9, {}}), "a a-1");
  EXPECT_EQ(listed(r, {"a", "a", 9, {}}), "a-1");
  EXPECT_EQ(listed(r, {"a", "", 1, {}}), "a...");
  EXPECT_EQ(listed(r, {"a", "b", 9, {}}), "") << "no name after it has the prefix";
  EXPECT_EQ(listed(r, {"b", "a", 9, {}}), "b");
  EXPECT_EQ(listed(r, {"", "", 0, {}}), "a...") << "a page leads on";
}

TEST_F(CatalogueTest, ListedByOwner) {
  const uint64_t alice = r.run(CreateUser{"alice"}).version;
  r.run(CreateBucket{"a", 1});
  for (const char* name : {"b", "d"})
    ASSERT_EQ(r.run(CreateOwnedBucket{name, 1, alice}).code, Code::kOk);
  r.run(CreateBucket{"c", 1});
  EXPECT_EQ(listed(r, {"", "", 9, alice}), "b d");
  EXPECT_EQ(listed(r, {"", "", 9, kRootUser}), "a c");
  // The limit is of what is looked at.
  EXPECT_EQ(listed(r, {"", "", 1, alice}), "...a");
  EXPECT_EQ(listed(r, {"", "a", 1, alice}), "b...");
  EXPECT_EQ(listed(r, {"", "", 3, alice}), "b...c");
  EXPECT_EQ(listed(r, {"", "b", 2, alice}), "d") << "nothing after it";
  EXPECT_EQ(listed(r, {"", "", 4, alice}), "b d");
}

TEST_F(CatalogueTest, APageHasABoundWhateverIsAsked) {
  for (int i = 0; i < 1001; ++i)
    r.run(CreateBucket{"b" + std::to_string(i), 1});
  for (const uint32_t limit : {kMaxListedBuckets, kMaxListedBuckets + 1, UINT32_MAX}) {
    const ListBuckets query{"", "", limit, {}};
    const auto page =
        decode_list_buckets_reply(r.shard.query(r.kv, encode_query(query)).value()).value();
    EXPECT_EQ(page.records.size(), kMaxListedBuckets);
    EXPECT_TRUE(page.more);
  }
  // Also when none of what is looked at is listed.
  EXPECT_EQ(listed(r, {"", "", UINT32_MAX, 77}), "...b998");
  EXPECT_EQ(listed(r, {"", "b998", UINT32_MAX, 77}), "");
}

// --- rows ---

struct RowTest : ::testing::Test {
  template <typename T>
  Code step(uint64_t incarnation = kIncarnation, uint64_t epoch = 1) {
    return r.run(row_as<T>(incarnation, epoch)).code;
  }
  // Format, incarnation, epoch, then the state.
  RowState state() const {
    const std::string& value = r.kv.state().at(Keys(kShard, 1).row("b"));
    return static_cast<RowState>(value.at(17));
  }
  uint64_t epoch() const {
    return load_le<uint64_t>(r.kv.state().at(Keys(kShard, 1).row("b")).data() + 9);
  }
  Replica r;
};

TEST_F(RowTest, InstallIsIdempotentAndNeverGoesBack) {
  EXPECT_EQ(step<InstallRow>(), Code::kOk);
  EXPECT_EQ(step<InstallRow>(), Code::kOk);
  EXPECT_EQ(step<InstallRow>(kIncarnation - 1), Code::kAborted);
  EXPECT_EQ(step<CloseRowIfEmpty>(), Code::kOk);
  EXPECT_EQ(step<InstallRow>(), Code::kAborted) << "late: a closed row stays closed";
  EXPECT_EQ(state(), RowState::kClosed);
  EXPECT_EQ(step<InstallRow>(kIncarnation + 1), Code::kOk);
  EXPECT_EQ(state(), RowState::kOpen);
}

// Rows are remembered: what was staged and then dropped must not be seen, nor what was there before
// a change that was made.
TEST_F(RowTest, MemoryOfRowsFollowsWhatIsCommitted) {
  ASSERT_EQ(r.run(row()).code, Code::kOk);
  EXPECT_EQ(r.get("k").code, Code::kOk);

  kv::Batch dropped;
  const std::string close = encode(command_of(row_as<CloseRowIfEmpty>()));
  ASSERT_TRUE(r.shard.apply(r.kv, dropped, r.shard.applied() + 1, close).ok());
  EXPECT_EQ(r.get("k").detail, Detail::kNone);
  EXPECT_EQ(r.run(put("k", "body")).code, Code::kOk);

  ASSERT_EQ(r.run(del("k")).code, Code::kOk);
  ASSERT_EQ(r.run(row_as<CloseRowIfEmpty>()).code, Code::kOk);
  EXPECT_EQ(r.get("k").detail, Detail::kRowClosed);
  EXPECT_EQ(r.run(put("k", "body")).detail, Detail::kRowClosed);

  ASSERT_EQ(r.run(row_as<RemoveRow>()).code, Code::kOk);
  EXPECT_EQ(r.get("k").detail, Detail::kStaleBucket);
  ASSERT_TRUE(r.shard.load(r.kv).ok());
  EXPECT_EQ(r.get("k").detail, Detail::kStaleBucket);
}

TEST_F(RowTest, MoreRowsThanAreRemembered) {
  for (size_t i = 0; i < 3 * Rows::kMost; ++i) {
    InstallRow install = row();
    install.bucket = std::to_string(i);
    ASSERT_EQ(r.run(install).code, Code::kOk);
  }
  for (size_t i = 0; i < 3 * Rows::kMost; ++i) {
    Put into = put("k", "body");
    into.bucket = std::to_string(i);
    ASSERT_EQ(r.run(into).code, Code::kOk);
  }
}

TEST_F(RowTest, ClosesOnlyIfEmpty) {
  r.open_row();
  r.run(put("k", "x"));
  EXPECT_EQ(step<CloseRowIfEmpty>(), Code::kFailedPrecondition);
  EXPECT_EQ(r.run(put("k2", "x")).code, Code::kOk) << "and stays open";
  r.run(del("k"));
  r.run(del("k2"));
  EXPECT_EQ(step<CloseRowIfEmpty>(), Code::kOk);
  EXPECT_EQ(step<CloseRowIfEmpty>(), Code::kOk);
  const Reply refused = r.run(put("k", "x"));
  EXPECT_EQ(refused.code, Code::kAborted);
  EXPECT_EQ(refused.detail, Detail::kRowClosed);
  EXPECT_EQ(r.get("k").code, Code::kOk) << "still visible, and empty";
}

TEST_F(RowTest, ObjectsOfOtherLivesDoNotKeepItOpen) {
  r.open_row(kIncarnation);
  r.run(put("k", "x"));
  r.open_row(kIncarnation + 1);
  EXPECT_EQ(step<CloseRowIfEmpty>(kIncarnation + 1), Code::kOk);
}

TEST_F(RowTest, CloseNeedsExactlyItsAttempt) {
  EXPECT_EQ(step<CloseRowIfEmpty>(), Code::kAborted) << "no row";
  r.open_row();
  EXPECT_EQ(step<CloseRowIfEmpty>(kIncarnation, 2), Code::kAborted);
  EXPECT_EQ(step<CloseRowIfEmpty>(kIncarnation + 1, 1), Code::kAborted);
  ASSERT_EQ(step<ReopenRow>(kIncarnation, 2), Code::kOk);
  EXPECT_EQ(step<CloseRowIfEmpty>(kIncarnation, 1), Code::kAborted) << "late: decided otherwise";
  EXPECT_EQ(state(), RowState::kOpen);
}

TEST_F(RowTest, ReopenRaisesTheEpochOfOpenAndClosedRows) {
  r.open_row();
  EXPECT_EQ(step<ReopenRow>(kIncarnation, 2), Code::kOk) << "was not empty, so never closed";
  EXPECT_EQ(epoch(), 2u);
  ASSERT_EQ(step<CloseRowIfEmpty>(kIncarnation, 2), Code::kOk);
  EXPECT_EQ(step<ReopenRow>(kIncarnation, 2), Code::kAborted)
      << "late: the next attempt has closed it";
  EXPECT_EQ(state(), RowState::kClosed);
  EXPECT_EQ(step<ReopenRow>(kIncarnation, 3), Code::kOk);
  EXPECT_EQ(state(), RowState::kOpen);
  EXPECT_EQ(step<ReopenRow>(kIncarnation, 3), Code::kOk);
  EXPECT_EQ(step<ReopenRow>(kIncarnation - 1, 9), Code::kAborted);
  EXPECT_EQ(step<ReopenRow>(kIncarnation + 1, 9), Code::kAborted);
}

TEST_F(RowTest, TombstoneRefusesItsWholeLife) {
  r.open_row();
  EXPECT_EQ(step<RemoveRow>(), Code::kAborted) << "not closed";
  ASSERT_EQ(step<CloseRowIfEmpty>(), Code::kOk);
  EXPECT_EQ(step<RemoveRow>(kIncarnation, 2), Code::kAborted);
  EXPECT_EQ(step<RemoveRow>(), Code::kOk);
  EXPECT_EQ(step<RemoveRow>(), Code::kOk);
  EXPECT_EQ(state(), RowState::kTombstone);

  EXPECT_EQ(step<InstallRow>(), Code::kAborted) << "a create's step that comes late";
  EXPECT_EQ(step<CloseRowIfEmpty>(), Code::kAborted);
  EXPECT_EQ(step<ReopenRow>(kIncarnation, 9), Code::kAborted);
  EXPECT_EQ(r.run(put("k", "x")).detail, Detail::kStaleBucket);
  EXPECT_EQ(r.run(put("k", "x", kIncarnation, 9)).detail, Detail::kStaleBucket);
  EXPECT_EQ(r.get("k").detail, Detail::kStaleBucket);
  EXPECT_EQ(state(), RowState::kTombstone);

  EXPECT_EQ(step<InstallRow>(kIncarnation + 1), Code::kOk) << "the next life";
  EXPECT_EQ(step<RemoveRow>(), Code::kAborted);
  EXPECT_EQ(state(), RowState::kOpen);
}

}  // namespace
}  // namespace drumlin::shard::test
