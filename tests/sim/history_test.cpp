// History: answers that fit the log and answers that do not.
#include <gtest/gtest.h>

#include "shard/command.h"
#include "sim/check/history.h"

namespace drumlin::sim {
namespace {

// One shard, one node: what is applied is committed.
class HistoryTest : public ::testing::Test {
 protected:
  void apply(shard::Payload payload, shard::Reply reply, uint64_t number = 0) {
    const LogIndex index = last + 1;
    last = index;
    shard::Command command;
    command.session = {1, 1, number == 0 ? index.value() : number, 0};
    command.payload = std::move(payload);
    command.log_time = log_time;
    const std::string bytes = shard::encode(command);
    const raft::Entry entry{Term(1), index, raft::EntryKind::kCommand, Blob(bytes)};
    raft.appended(NodeId(1), kGroup, {&entry, 1});
    raft.durable(NodeId(1), kGroup, index, Term(1));
    raft.committed(NodeId(1), kGroup, index, Term(1), Term(1));
    raft.applied(NodeId(1), kGroup, index, Term(1), bytes, shard::encode(reply));
  }
  uint64_t put(const std::string& key, const std::string& id, uint64_t number = 0) {
    shard::Put payload;
    payload.bucket = "b";
    payload.key = key;
    payload.attributes.etag = "etag-" + id;
    payload.attributes.user = {{"id", id}};
    shard::Reply reply;
    reply.version = last.value() + 1;
    apply(payload, reply, number);
    return last.value();
  }
  uint64_t put_if(const std::string& key, const std::string& id, const History::Demand& demand,
                  uint64_t request, Code code = Code::kOk, uint64_t version = 0) {
    shard::PutIf payload;
    payload.bucket = "b";
    payload.key = key;
    payload.attributes.etag = "etag-" + id;
    payload.attributes.user = {{"id", id}};
    payload.when.absent = demand.absent;
    if (!demand.etag.empty()) payload.when.etags = {demand.etag};
    payload.request = {0, request};
    shard::Reply reply;
    reply.code = code;
    reply.version = version == 0 && code == Code::kOk ? last.value() + 1 : version;
    apply(payload, reply);
    return last.value();
  }
  uint64_t remove(const std::string& key) {
    shard::Reply reply;
    reply.version = last.value() + 1;
    apply(shard::Delete{"b", 1, 1, key}, reply);
    return last.value();
  }
  void bucket(shard::BucketState state) {
    shard::Reply reply;
    reply.bucket = shard::BucketRecord{"c", 1, 1, 1, state, {}};
    apply(shard::ActivateBucket{"c", 1}, reply);
  }
  // Of owner 7: what it was told.
  void create(const std::string& name, Code code) {
    shard::Reply reply;
    reply.code = code;
    const uint64_t index = last.value() + 1;
    if (code == Code::kOk) {
      reply.bucket = shard::BucketRecord{name, index, 1, 1, shard::BucketState::kCreating, {}, 7};
    }
    apply(shard::CreateCountedBucket{name, 1, 7, 2}, reply);
  }
  void finish_remove(const std::string& name, Code code) {
    shard::Reply reply;
    reply.code = code;
    apply(shard::FinishRemove{name, 1}, reply);
  }
  static History::Value value(const std::string& id) { return {id, "etag-" + id, 0}; }
  std::string judge() {
    history.check();
    return verdict.violated() ? verdict.checker() : "fine";
  }

  static constexpr GroupId kGroup{0};
  Verdict verdict;
  RaftChecker raft{
      verdict, {{kGroup, {NodeId(1)}}}, [](NodeId, GroupId, LogIndex) { return true; }};
  History history{verdict, raft, 1, /*buckets_per_user=*/2};
  LogIndex last;
  WallTime log_time{};
};

History::Page page_of(std::string prefix, std::string after, std::vector<History::Listed> items,
                      bool truncated) {
  History::Page page;
  page.prefix = std::move(prefix);
  page.after = std::move(after);
  page.items = std::move(items);
  page.truncated = truncated;
  return page;
}

TEST_F(HistoryTest, HonestAnswersAreFine) {
  auto start = history.begin();
  history.wrote(start, "b", "k", value("one"), Outcome::kDone, put("k", "one"));
  start = history.begin();
  history.read(start, "b", "k", value("one"), 1);
  start = history.begin();
  history.wrote(start, "b", "k", std::nullopt, Outcome::kDone, remove("k"));
  start = history.begin();
  history.read(start, "b", "k", std::nullopt, 2);
  history.listed(history.begin(), "b", {});
  EXPECT_EQ(judge(), "fine");
}

TEST_F(HistoryTest, AReadThatOverlapsAWriteMaySeeEither) {
  put("k", "one");
  const auto start = history.begin();
  put("k", "two");
  history.read(start, "b", "k", value("one"), 1);
  history.read(start, "b", "k", value("two"), 2);
  EXPECT_EQ(judge(), "fine");
}

TEST_F(HistoryTest, AStaleRead) {
  put("k", "one");
  put("k", "two");
  history.read(history.begin(), "b", "k", value("one"), 1);
  EXPECT_EQ(judge(), "linearizable");
}

TEST_F(HistoryTest, AReadUnderAWrongVersion) {
  put("k", "one");
  history.read(history.begin(), "b", "k", value("one"), 7);
  EXPECT_EQ(judge(), "linearizable");
}

TEST_F(HistoryTest, AReadOfWhatWasNeverWritten) {
  history.read(history.begin(), "b", "k", value("ghost"), 1);
  EXPECT_EQ(judge(), "linearizable");
}

TEST_F(HistoryTest, AnAcknowledgedWriteThatIsNotInTheLog) {
  put("other", "x");
  history.wrote(History::Start{{LogIndex()}, {LogIndex()}}, "b", "k", value("one"), Outcome::kDone,
                1);
  EXPECT_EQ(judge(), "linearizable");
}

TEST_F(HistoryTest, AnAcknowledgedDeleteThatIsNotInTheLog) {
  const auto start = history.begin();
  put("k", "one");
  history.wrote(start, "b", "k", std::nullopt, Outcome::kDone, 1);
  EXPECT_EQ(judge(), "linearizable");
}

TEST_F(HistoryTest, AWriteAppliedTwice) {
  const auto start = history.begin();
  put("k", "one");
  put("k", "one");
  history.wrote(start, "b", "k", value("one"), Outcome::kDone, 1);
  EXPECT_EQ(judge(), "linearizable");
}

TEST_F(HistoryTest, ARetryAnsweredFromMemoryIsOneEffect) {
  const auto start = history.begin();
  put("k", "one", 5);
  put("k", "one", 5);
  history.wrote(start, "b", "k", value("one"), Outcome::kDone, 1);
  EXPECT_EQ(judge(), "fine");
}

TEST_F(HistoryTest, NotDoneAndDoneAllTheSame) {
  const auto start = history.begin();
  put("k", "one");
  history.wrote(start, "b", "k", value("one"), Outcome::kNotDone, 0);
  EXPECT_EQ(judge(), "linearizable");
}

TEST_F(HistoryTest, UnknownMayBeEither) {
  const auto start = history.begin();
  put("k", "one");
  history.wrote(start, "b", "k", value("one"), Outcome::kUnknown, 0);
  history.wrote(start, "b", "k", value("two"), Outcome::kUnknown, 0);
  EXPECT_EQ(judge(), "fine");
}

TEST_F(HistoryTest, AWriteNumberedBelowWhatWasKnown) {
  put("k", "one");
  put("k", "two");
  auto start = history.begin();
  history.read(start, "b", "k", value("two"), 2);
  start = history.begin();
  history.wrote(start, "b", "k", value("one"), Outcome::kDone, 1);
  EXPECT_EQ(verdict.checker(), "floor");
}

TEST_F(HistoryTest, AListingWithoutAKeyThatWasThere) {
  put("k", "one");
  history.listed(history.begin(), "b", {});
  EXPECT_EQ(judge(), "listing");
}

TEST_F(HistoryTest, ATruncatedListingOwesNothingBehindItsEnd) {
  put("a", "one");
  put("k", "two");
  history.listed(history.begin(), "b", page_of("", "", {{"a", "etag-one", 0}}, true));
  EXPECT_EQ(judge(), "fine");
}

TEST_F(HistoryTest, AListingWithAKeyTwiceOrWithAnOldState) {
  put("a", "one");
  history.listed(history.begin(), "b",
                 page_of("", "", {{"a", "etag-one", 0}, {"a", "etag-one", 0}}, false));
  EXPECT_EQ(judge(), "listing");
}

TEST_F(HistoryTest, AListingWithADeletedKey) {
  put("a", "one");
  remove("a");
  history.listed(history.begin(), "b", page_of("", "", {{"a", "etag-one", 0}}, false));
  EXPECT_EQ(judge(), "listing");
}

TEST_F(HistoryTest, AListingOfAWrongSizeOrBesideTheQuestion) {
  put("dir/a", "one");
  history.listed(history.begin(), "b", page_of("dir/", "", {{"dir/a", "etag-one", 0}}, false));
  history.listed(history.begin(), "b", page_of("other/", "", {}, false));
  history.listed(history.begin(), "b", page_of("", "dir/a", {}, false));
  EXPECT_EQ(judge(), "fine");
  history.listed(history.begin(), "b", page_of("", "dir/a", {{"dir/a", "etag-one", 0}}, false));
  EXPECT_EQ(judge(), "listing");
}

TEST_F(HistoryTest, AListingWithAWrongSize) {
  put("a", "one");
  history.listed(history.begin(), "b", page_of("", "", {{"a", "etag-one", 7}}, false));
  EXPECT_EQ(judge(), "listing");
}

TEST_F(HistoryTest, ASizeThatTheKeyDidNotHave) {
  put("a", "one");
  history.read_size(history.begin(), "b", "a", 0, 1);
  EXPECT_EQ(judge(), "fine");
  history.read_size(history.begin(), "b", "a", 3, 1);
  EXPECT_EQ(judge(), "linearizable");
}

TEST_F(HistoryTest, AReadOlderThanWhatWasToldOfTheKey) {
  put("k", "one");
  put("k", "two");
  history.read(history.begin("b", "k"), "b", "k", value("two"), 2);
  history.read(history.begin("b", "k"), "b", "k", value("one"), 1);
  EXPECT_EQ(verdict.checker(), "floor");
}

// --- conditional writes ---

const History::Demand kAbsent{true, ""};

TEST_F(HistoryTest, OneOfTwoCreates) {
  const auto start = history.begin("b", "k");
  EXPECT_EQ(put_if("k", "one", kAbsent, 1), 1u);
  put_if("k", "two", kAbsent, 2, Code::kFailedPrecondition, 1);
  history.wrote_if(start, "b", "k", value("one"), kAbsent, Outcome::kDone, 1);
  history.refused(start, "b", "k", value("two"), kAbsent, 1);
  EXPECT_EQ(judge(), "fine");
}

TEST_F(HistoryTest, TwoWinners) {
  put_if("k", "one", kAbsent, 1);
  put_if("k", "two", kAbsent, 2);
  EXPECT_EQ(judge(), "condition");
}

// The entry does not say so, the client did.
TEST_F(HistoryTest, AConditionThatWasLostOnTheWay) {
  put("k", "one");
  const auto start = history.begin("b", "k");
  const uint64_t version = put("k", "two");
  history.wrote_if(start, "b", "k", value("two"), kAbsent, Outcome::kDone, version);
  EXPECT_EQ(judge(), "condition");
}

TEST_F(HistoryTest, AWinnerThatWasRefused) {
  put_if("k", "one", kAbsent, 1, Code::kFailedPrecondition, 0);
  EXPECT_EQ(judge(), "condition");
}

TEST_F(HistoryTest, ARefusalWithoutCause) {
  put("k", "one");
  const auto start = history.begin("b", "k");
  history.refused(start, "b", "k", value("two"), {false, "etag-one"}, 1);
  EXPECT_EQ(judge(), "condition");
}

TEST_F(HistoryTest, ARefusalByAStateOfTheWindow) {
  put("k", "one");
  const auto start = history.begin("b", "k");
  remove("k");
  history.refused(start, "b", "k", value("two"), {false, "etag-one"}, 2);
  EXPECT_EQ(judge(), "fine");
}

TEST_F(HistoryTest, ARefusedPutThatTookEffect) {
  const auto start = history.begin("b", "k");
  const uint64_t version = put_if("k", "one", kAbsent, 1);
  history.refused(start, "b", "k", value("one"), kAbsent, version);
  EXPECT_EQ(judge(), "retry");
}

TEST_F(HistoryTest, TheSameIdIsToldTheSameAndNothingMore) {
  put_if("k", "one", kAbsent, 1);
  put_if("k", "one", kAbsent, 1, Code::kOk, 1);
  const auto start = history.begin("b", "k");
  history.answered_again(start, "b", "k", "200", "200");
  EXPECT_EQ(judge(), "fine");
}

TEST_F(HistoryTest, TheSameIdIsToldSomethingElse) {
  put_if("k", "one", kAbsent, 1);
  put_if("k", "one", kAbsent, 1, Code::kFailedPrecondition, 1);
  EXPECT_EQ(judge(), "retry");
}

TEST_F(HistoryTest, AClientIsToldSomethingElse) {
  history.answered_again(history.begin("b", "k"), "b", "k", "200", "412");
  EXPECT_EQ(judge(), "retry");
}

TEST_F(HistoryTest, AfterAQuarterOfAnHourAnIdMeansNothing) {
  const auto start = history.begin("b", "k");
  put_if("k", "one", kAbsent, 1);
  log_time = WallTime(16min);
  put_if("k", "one", kAbsent, 1, Code::kFailedPrecondition, 1);
  history.answered_again(start, "b", "k", "200", "412");
  EXPECT_EQ(judge(), "fine");
}

TEST_F(HistoryTest, ADeleteWithoutAVersion) {
  put("k", "one");
  auto start = history.begin();
  remove("k");
  history.deleted(start, "b", "k", Outcome::kDone);
  EXPECT_EQ(judge(), "fine");
  start = history.begin();
  history.deleted(start, "b", "k", Outcome::kDone);
  EXPECT_EQ(judge(), "linearizable");
}

TEST_F(HistoryTest, ABucketThatWasMadeAndIsNotThere) {
  bucket(shard::BucketState::kActive);
  history.saw_bucket(history.begin(), "c", true);
  history.saw_bucket(history.begin(), "d", false);
  EXPECT_EQ(judge(), "fine");
  history.saw_bucket(history.begin(), "c", false);
  EXPECT_EQ(judge(), "bucket");
}

TEST_F(HistoryTest, ABucketBeingMadeIsNotVisible) {
  bucket(shard::BucketState::kCreating);
  history.saw_bucket(history.begin(), "c", true);
  EXPECT_EQ(judge(), "bucket");
}

TEST_F(HistoryTest, BucketsUpToTheBound) {
  create("a", Code::kOk);
  create("b", Code::kOk);
  const auto start = history.begin();
  create("c", Code::kTooLarge);
  history.refused_bucket(start, "c");
  finish_remove("a", Code::kOk);
  finish_remove("a", Code::kNotFound);
  create("c", Code::kOk);
  create("d", Code::kTooLarge);
  EXPECT_EQ(judge(), "fine");
  EXPECT_EQ(verdict.evaluations().at("quota"), 6u);
}

TEST_F(HistoryTest, ABucketBeyondTheBound) {
  for (const char* name : {"a", "b", "c"})
    create(name, Code::kOk);
  EXPECT_EQ(judge(), "quota");
}

TEST_F(HistoryTest, ABucketRefusedThoughOneWasRemoved) {
  create("a", Code::kOk);
  create("b", Code::kOk);
  finish_remove("a", Code::kOk);
  create("c", Code::kTooLarge);
  EXPECT_EQ(judge(), "quota");
}

TEST_F(HistoryTest, ARefusalThatTheLogDoesNotHave) {
  create("a", Code::kOk);
  create("b", Code::kOk);
  create("c", Code::kTooLarge);
  history.refused_bucket(history.begin(), "c");
  EXPECT_EQ(judge(), "quota") << "it was one before";
}

TEST_F(HistoryTest, TimeNeverGoesBackInAShard) {
  const auto second = [](int n) { return WallTime(std::chrono::seconds(n)); };
  history.saw_time("b", "k", 5, second(100));
  history.saw_time("b", "k", 5, second(100));
  history.saw_time("b", "other", 9, second(100));
  history.saw_time("b", "k", 3, second(99));
  EXPECT_FALSE(verdict.violated());
  history.saw_time("b", "k", 7, second(99));
  EXPECT_EQ(verdict.checker(), "log_time");
}

TEST_F(HistoryTest, OneVersionHasOneTime) {
  history.saw_time("b", "k", 5, WallTime(std::chrono::seconds(100)));
  history.saw_time("b", "k", 5, WallTime(std::chrono::seconds(101)));
  EXPECT_EQ(verdict.checker(), "log_time");
}

class PrefixTest : public HistoryTest {
 protected:
  PrefixTest() {
    put("a", "1");
    put("dir/x", "2");
    put("dir/y", "3");
    put("z", "4");
    page.delimiter = "/";
    page.items = {{"a", "etag-1", 0}, {"z", "etag-4", 0}};
    page.prefixes = {"dir/"};
  }
  std::string judge_page() {
    history.listed(history.begin(), "b", page);
    return judge();
  }
  History::Page page;
};

TEST_F(PrefixTest, StandsForItsKeys) {
  EXPECT_EQ(judge_page(), "fine");
}

TEST_F(PrefixTest, MustBeThereIfItsKeysAre) {
  page.prefixes.clear();
  EXPECT_EQ(judge_page(), "listing");
}

TEST_F(PrefixTest, MustStandForSomething) {
  page.prefixes.push_back("nothing/");
  EXPECT_EQ(judge_page(), "listing");
}

TEST_F(PrefixTest, ComesOnce) {
  page.prefixes.push_back("dir/");
  EXPECT_EQ(judge_page(), "listing");
}

TEST_F(PrefixTest, TakesThePlaceOfItsKeys) {
  page.items.insert(page.items.begin() + 1, {"dir/x", "etag-2", 0});
  EXPECT_EQ(judge_page(), "listing");
}

TEST_F(PrefixTest, PagesGoOnBehindIt) {
  History::Page first = page;
  first.items.pop_back();
  first.truncated = true;
  History::Page second;
  second.delimiter = "/";
  second.goes_on_after(first);
  EXPECT_EQ(second.after, "dir/");
  EXPECT_TRUE(second.before_page("dir/y"));
  EXPECT_FALSE(second.before_page("dis"));
  second.items = {{"z", "etag-4", 0}};
  history.listed(history.begin(), "b", first);
  page = second;
  EXPECT_EQ(judge_page(), "fine");
}

}  // namespace
}  // namespace drumlin::sim
