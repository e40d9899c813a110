// kv: what every engine does alike.
#include <gtest/gtest.h>

#include "engines.h"

namespace drumlin::kv::test {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

class Conformance : public testing::TestWithParam<const char*> {
 protected:
  void write(const Batch& batch) {
    const Status status = engine->write(batch, Access::kBlocking);
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  std::optional<std::string> value(std::string_view key) {
    const auto out = get(*engine, key);
    EXPECT_TRUE(out.ok()) << out.status().to_string();
    return out.ok() ? *out : std::nullopt;
  }
  Engine engine{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Engines, Conformance, testing::Values("memory", "rocksdb"),
                         [](const auto& p) { return std::string(p.param); });

TEST_P(Conformance, AnEmptyStoreHasNothing) {
  EXPECT_EQ(engine->engine(), GetParam());
  EXPECT_EQ(value("a"), std::nullopt);
  EXPECT_EQ(contents(*engine), Model());
  EXPECT_TRUE(engine->flush().ok());
  EXPECT_TRUE(engine->write(Batch(), Access::kNonBlocking).ok());
  write(removal("a"));
  EXPECT_EQ(contents(*engine), Model());
}

TEST_P(Conformance, LaterChangesOfABatchWin) {
  write(put("kept", "before"));
  Batch batch;
  batch.put("a", "1");
  batch.remove("a");
  batch.put("b", "1");
  batch.put("b", "2");
  batch.remove("kept");
  batch.put("kept", "after");
  write(batch);
  EXPECT_EQ(contents(*engine), (Model{{"b", "2"}, {"kept", "after"}}));
}

TEST_P(Conformance, KeysAndValuesAreAnyBytes) {
  const Model model{{"", "empty key"}, {"\0"s, "zero"}, {"\0\0"s, ""},         {"a\0b"s, "\0\xff"s},
                    {"\x7f", "x"},     {"\x80", "y"},   {"\xff", "last byte"}, {"\xff\xff", "z"}};
  for (const auto& [key, bytes] : model)
    write(put(key, bytes));
  EXPECT_EQ(contents(*engine), model);
  for (const auto& [key, bytes] : model)
    EXPECT_EQ(value(key), bytes);
  EXPECT_EQ(value("a"), std::nullopt);
}

TEST_P(Conformance, LargeValues) {
  const std::string large(3 << 20, 'x');
  write(put("large", large));
  EXPECT_EQ(value("large"), large);
  ASSERT_TRUE(engine->flush().ok());
  EXPECT_EQ(value("large"), large);
}

TEST_P(Conformance, RangesAreHalfOpen) {
  for (const char* key : {"a", "b", "ba", "c", "d"})
    write(put(key, key));
  const auto view = engine->snapshot(Access::kBlocking);
  EXPECT_EQ(contents(*view, "b", "d"), (Model{{"b", "b"}, {"ba", "ba"}, {"c", "c"}}));
  EXPECT_EQ(contents(*view, "bb", ""), (Model{{"c", "c"}, {"d", "d"}}));
  EXPECT_EQ(contents(*view, "", "b"), (Model{{"a", "a"}}));
  EXPECT_EQ(contents(*view, "b", "b\0"sv), (Model{{"b", "b"}}));
  EXPECT_EQ(contents(*view, "b", "b"), Model());
  EXPECT_EQ(contents(*view, "d", "a"), Model());
  EXPECT_EQ(contents(*view, "e", ""), Model());
}

TEST_P(Conformance, SeekStaysWithinTheRange) {
  for (const char* key : {"a", "b", "c", "d"})
    write(put(key, key));
  const auto cursor = engine->cursor("b", "d");
  ASSERT_TRUE(cursor->valid());
  EXPECT_EQ(cursor->key(), "b");
  cursor->seek("bb");
  ASSERT_TRUE(cursor->valid());
  EXPECT_EQ(cursor->key(), "c");
  cursor->seek("a");  // below the range; and backwards
  ASSERT_TRUE(cursor->valid());
  EXPECT_EQ(cursor->key(), "b");
  cursor->seek("d");
  EXPECT_FALSE(cursor->valid());
  cursor->seek("c");  // from the end
  ASSERT_TRUE(cursor->valid());
  EXPECT_EQ(cursor->value(), "c");
  cursor->next();
  EXPECT_FALSE(cursor->valid());
  EXPECT_TRUE(cursor->status().ok());
}

TEST_P(Conformance, ACursorStaysWhereItWasMade) {
  Model model;
  for (int i = 0; i < 100; ++i) {
    const std::string key = "key" + std::to_string(i);
    write(put(key, "old"));
    model[key] = "old";
  }
  const auto cursor = engine->cursor("", "");
  Model seen;
  for (int i = 0; cursor->valid(); ++i, cursor->next()) {
    seen.emplace(cursor->key(), cursor->value());
    // Every write touches keys before and after the cursor.
    write(removal("key" + std::to_string((i * 37) % 100)));
    write(put("key" + std::to_string((i * 61) % 100), "new"));
    write(put("new" + std::to_string(i), "new"));
    if (i == 50) {
      ASSERT_TRUE(engine->flush().ok());
    }
  }
  EXPECT_TRUE(cursor->status().ok());
  EXPECT_EQ(seen, model);
}

TEST_P(Conformance, SnapshotsKeepTheirState) {
  std::vector<std::pair<std::unique_ptr<View>, Model>> snapshots;
  Model model;
  for (int i = 0; i < 60; ++i) {
    snapshots.emplace_back(engine->snapshot(Access::kBlocking), model);
    const std::string key(1, static_cast<char>('a' + i % 13));
    if (i % 5 == 4) {
      model.erase(key);
      write(removal(key));
    } else {
      model[key] = std::to_string(i);
      write(put(key, std::to_string(i)));
    }
    if (i % 20 == 10) {
      ASSERT_TRUE(engine->flush().ok());
    }
    if (i % 7 == 6) snapshots.erase(snapshots.begin() + i % 3);  // the others do not care
  }
  for (const auto& [view, expected] : snapshots) {
    EXPECT_EQ(contents(*view), expected);
    for (char c = 'a'; c <= 'm'; ++c) {
      const auto found = view->get(std::string(1, c));
      ASSERT_TRUE(found.ok());
      const auto it = expected.find(std::string(1, c));
      EXPECT_EQ(*found, it == expected.end() ? std::nullopt : std::optional(it->second));
    }
  }
  EXPECT_EQ(contents(*engine), model);
}

TEST_P(Conformance, ACursorOfASnapshotOutlivesIt) {
  write(put("a", "1"));
  auto view = engine->snapshot(Access::kBlocking);
  const auto cursor = view->cursor("", "");
  write(put("a", "2"));
  view.reset();
  write(put("a", "3"));
  cursor->seek("");
  ASSERT_TRUE(cursor->valid());
  EXPECT_EQ(cursor->value(), "1");
}

TEST_P(Conformance, FlushedWritesSurvive) {
  if (!engine.persistent()) GTEST_SKIP() << "nothing of this engine survives";
  Model model;
  for (int i = 0; i < 500; ++i) {
    const std::string key = "key" + std::to_string(i % 200);
    model[key] = std::string(static_cast<size_t>(i), 'x');
    write(put(key, model[key]));
  }
  ASSERT_TRUE(engine->flush().ok());
  engine.reopen();
  EXPECT_EQ(contents(*engine), model);
  write(removal("key7"));
  model.erase("key7");
  ASSERT_TRUE(engine->flush().ok());
  engine.reopen();
  EXPECT_EQ(contents(*engine), model);
}

}  // namespace
}  // namespace drumlin::kv::test
