// raft/log: terms, the cache and recovery, against a plain vector.
#include "raft/log.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace drumlin::raft {
namespace {

Entry entry(uint64_t index, uint64_t term, size_t bytes = 1) {
  return Entry{Term(term), LogIndex(index), EntryKind::kCommand, Blob(std::string(bytes, 'x'))};
}

Log log_of(const std::vector<uint64_t>& terms, size_t cache_bytes = 1u << 20) {
  Log log(cache_bytes);
  for (size_t i = 0; i < terms.size(); ++i)
    log.append(entry(i + 1, terms[i]));
  return log;
}

TEST(Log, AnEmptyLogAgreesOnlyBeforeItsFirstEntry) {
  const Log log(0);
  EXPECT_EQ(log.last_index(), LogIndex());
  EXPECT_EQ(log.last_term(), Term());
  EXPECT_TRUE(log.matches(LogIndex(), Term()));
  EXPECT_FALSE(log.matches(LogIndex(), Term(1)));
  EXPECT_FALSE(log.matches(LogIndex(1), Term()));
  EXPECT_FALSE(log.cached(LogIndex()).has_value());
  EXPECT_TRUE(log.entries(LogIndex(1), 100).empty());
}

TEST(Log, TheLastIndexOfATermAtMost) {
  const Log log = log_of({1, 1, 3, 3, 5});
  const auto found = [&](uint64_t index, uint64_t term) {
    return log.last_at_most(LogIndex(index), Term(term)).value();
  };
  EXPECT_EQ(found(5, 9), 5u);
  EXPECT_EQ(found(99, 9), 5u);
  EXPECT_EQ(found(5, 4), 4u);
  EXPECT_EQ(found(3, 4), 3u);
  EXPECT_EQ(found(5, 2), 2u);
  EXPECT_EQ(found(1, 2), 1u);
  EXPECT_EQ(found(5, 0), 0u);
  EXPECT_EQ(found(0, 5), 0u);
}

TEST(Log, EntriesStopAtTheLimitButGiveAtLeastOne) {
  Log log(1u << 20);
  for (uint64_t i = 1; i <= 5; ++i)
    log.append(entry(i, 1, 100));
  const size_t one = 100 + sizeof(Entry);
  EXPECT_EQ(log.entries(LogIndex(2), 1).size(), 1u);
  EXPECT_EQ(log.entries(LogIndex(2), 2 * one).size(), 2u);
  EXPECT_EQ(log.entries(LogIndex(2), 2 * one + 1).size(), 2u);
  EXPECT_EQ(log.entries(LogIndex(2), 1000 * one).size(), 4u);
  EXPECT_EQ(log.entries(LogIndex(2), 2 * one).front().index, LogIndex(2));
  EXPECT_TRUE(log.entries(LogIndex(6), 100).empty());
}

TEST(Log, TheCacheKeepsTheNewestAndWhatIsNotToBeDropped) {
  Log log = log_of({1, 1, 2, 2, 2}, 0);
  log.evict(LogIndex(2));
  EXPECT_FALSE(log.is_cached(LogIndex(2)));
  EXPECT_TRUE(log.is_cached(LogIndex(3)));
  EXPECT_TRUE(log.entries(LogIndex(2), 1000).empty());
  EXPECT_EQ(log.cached_bytes(), 3 * (1 + sizeof(Entry)));
  log.evict(LogIndex(99));
  EXPECT_FALSE(log.is_cached(LogIndex(5)));
  EXPECT_FALSE(log.cached(LogIndex(5)).has_value());
  EXPECT_TRUE(log.entries(LogIndex(5), 1000).empty());
  EXPECT_EQ(log.term_at(LogIndex(1)), Term(1));  // terms are never dropped
  EXPECT_EQ(log.last_term(), Term(2));
  EXPECT_EQ(log.cached_bytes(), 0u);
  log.append(entry(6, 2));
  EXPECT_TRUE(log.is_cached(LogIndex(6)));
  EXPECT_FALSE(log.is_cached(LogIndex(5)));
}

// 256 groups with a large last entry each would hold far more than their caches.
TEST(Log, AnEntryLargerThanTheCacheDoesNotStay) {
  Log log(1000);
  log.append(entry(1, 1, 100));
  log.evict(LogIndex(1));
  EXPECT_TRUE(log.is_cached(LogIndex(1)));
  log.append(entry(2, 1, 5000));
  log.evict(LogIndex(1));
  EXPECT_TRUE(log.is_cached(LogIndex(2))) << "still needed";
  log.evict(LogIndex(2));
  EXPECT_EQ(log.cached_bytes(), 0u);
  Log recovered(1000);
  ASSERT_TRUE(recovered.restore(entry(1, 1, 5000)).ok());
  EXPECT_EQ(recovered.cached_bytes(), 0u);
}

TEST(Log, TruncationGoesBelowTheCache) {
  Log log = log_of({1, 1, 2, 2, 2}, 0);
  log.evict(LogIndex(99));
  log.truncate_from(LogIndex(3));
  EXPECT_EQ(log.last_index(), LogIndex(2));
  EXPECT_EQ(log.last_term(), Term(1));
  EXPECT_EQ(log.cached_bytes(), 0u);
  EXPECT_FALSE(log.is_cached(LogIndex(2)));
  log.append(entry(3, 4));
  EXPECT_TRUE(log.is_cached(LogIndex(3)));
  EXPECT_FALSE(log.is_cached(LogIndex(2)));
  log.truncate_from(LogIndex(1));
  EXPECT_EQ(log.last_index(), LogIndex());
  EXPECT_EQ(log.last_term(), Term());
}

TEST(Log, BeginsWhereItWasCut) {
  Log log = log_of({1, 1, 2, 2, 3}, 1u << 20);
  log.compact(LogIndex(3));
  EXPECT_EQ(log.start(), LogIndex(3));
  EXPECT_EQ(log.term_at(LogIndex(3)), Term(2));
  EXPECT_TRUE(log.matches(LogIndex(3), Term(2)));
  EXPECT_FALSE(log.matches(LogIndex(2), Term(1))) << "not known any more";
  EXPECT_FALSE(log.is_cached(LogIndex(3)));
  EXPECT_TRUE(log.is_cached(LogIndex(4)));
  EXPECT_EQ(log.last_at_most(LogIndex(5), Term(2)), LogIndex(4));
  EXPECT_EQ(log.last_at_most(LogIndex(5), Term(1)), LogIndex(3)) << "what was cut is committed";
  EXPECT_EQ(log.last_at_most(LogIndex(2), Term(1)), LogIndex(2));
  EXPECT_TRUE(log.restore(entry(3, 2)).is(Code::kCorrupt));
  log.compact(LogIndex(5));
  EXPECT_EQ(log.last_term(), Term(3));
  EXPECT_EQ(log.cached_bytes(), 0u);
  log.append(entry(6, 3));
  log.reset(LogIndex(9), Term(4));
  EXPECT_EQ(log.last_index(), LogIndex(9));
  EXPECT_EQ(log.last_term(), Term(4));
  EXPECT_FALSE(log.is_cached(LogIndex(9)));
  log.append(entry(10, 4));
  EXPECT_EQ(log.entries(LogIndex(10), 1000).size(), 1u);
}

TEST(Log, RecoveryLetsALaterRecordReplaceTheRest) {
  Log log(1u << 20);
  for (const Entry& e : {entry(1, 1), entry(2, 1), entry(3, 1), entry(2, 2)}) {
    ASSERT_TRUE(log.restore(e).ok());
  }
  EXPECT_EQ(log.last_index(), LogIndex(2));
  EXPECT_EQ(log.last_term(), Term(2));
}

TEST(Log, RecoveryRefusesWhatCannotFollow) {
  Log log(1u << 20);
  ASSERT_TRUE(log.restore(entry(1, 3)).ok());
  EXPECT_TRUE(log.restore(entry(3, 3)).is(Code::kCorrupt));  // a gap
  EXPECT_TRUE(log.restore(entry(2, 2)).is(Code::kCorrupt));  // terms fall
  EXPECT_TRUE(log.restore(entry(0, 3)).is(Code::kCorrupt));
  EXPECT_EQ(log.last_index(), LogIndex(1));
}

TEST(Log, RecoveryHoldsNoMoreThanTheCache) {
  Log log(200 + 2 * sizeof(Entry));
  for (uint64_t i = 1; i <= 100; ++i)
    ASSERT_TRUE(log.restore(entry(i, 1, 100)).ok());
  EXPECT_LE(log.cached_bytes(), 200 + 2 * sizeof(Entry));
  EXPECT_TRUE(log.is_cached(LogIndex(100)));
  EXPECT_FALSE(log.is_cached(LogIndex(50)));
}

// The same random calls on a Log and on a vector.
class Naive {
 public:
  void append(const Entry& e) { all_.push_back(e); }
  void truncate_from(uint64_t first) { all_.resize(std::min<size_t>(all_.size(), first - 1)); }
  uint64_t last() const { return all_.size(); }
  Term term_at(uint64_t i) const { return i == 0 ? Term() : all_[i - 1].term; }
  uint64_t start() const { return start_; }
  void compact(uint64_t index) { start_ = index; }
  const Entry& at(uint64_t i) const { return all_[i - 1]; }
  uint64_t last_at_most(uint64_t index, Term term) const {
    uint64_t i = std::min<uint64_t>(index, all_.size());
    while (i > start_ && term_at(i) > term)
      --i;
    return i;
  }

 private:
  std::vector<Entry> all_;
  uint64_t start_ = 0;
};

void expect_same(const Log& log, const Naive& naive, Rng& rng) {
  ASSERT_EQ(log.last_index().value(), naive.last());
  ASSERT_EQ(log.start().value(), naive.start());
  for (uint64_t i = naive.start(); i <= naive.last(); ++i) {
    ASSERT_EQ(log.term_at(LogIndex(i)), naive.term_at(i));
    const auto cached = log.cached(LogIndex(i));
    ASSERT_EQ(cached.has_value(), i > naive.start() && log.is_cached(LogIndex(i)));
    ASSERT_TRUE(!cached || *cached == naive.at(i));
  }
  const uint64_t index = rng.below(naive.last() + 3);
  const Term term(rng.below(8));
  ASSERT_EQ(log.last_at_most(LogIndex(index), term).value(), naive.last_at_most(index, term));
}

TEST(Log, AgreesWithAVector) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    Log log(rng.below(2000));
    Naive naive;
    for (int step = 0; step < 60; ++step) {
      if (naive.last() == 0 || rng.chance(3, 4)) {
        const Term term = naive.term_at(naive.last()) + rng.below(2);
        const Entry e = entry(naive.last() + 1, term.value(), rng.below(200));
        log.append(e);
        naive.append(e);
      } else if (rng.chance(1, 4)) {
        const uint64_t index = rng.between(naive.start(), naive.last());
        log.compact(LogIndex(index));
        naive.compact(index);
      } else if (rng.chance(1, 2) && naive.last() > naive.start()) {
        const uint64_t first = rng.between(naive.start() + 1, naive.last());
        log.truncate_from(LogIndex(first));
        naive.truncate_from(first);
      } else {
        log.evict(LogIndex(rng.below(naive.last() + 1)));
      }
      ASSERT_NO_FATAL_FAILURE(expect_same(log, naive, rng));
    }
  }
}

}  // namespace
}  // namespace drumlin::raft
