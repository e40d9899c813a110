// Frames: their bytes, and that nothing but what was sent is ever taken for a frame.
#include "rpc/frame.h"

#include <gtest/gtest.h>

#include "base/codec.h"
#include "base/digest.h"
#include "tests/rpc/pipes.h"
#include "tests/support/bytes.h"
#include "tests/support/property.h"

namespace drumlin::rpc::test {
namespace {

using drumlin::test::each_flip;
using drumlin::test::each_truncation;
using drumlin::test::from_hex;
using drumlin::test::to_hex;

const std::string kKey = "key-of-direction";

Frame request() {
  return {FrameType::kRequest, 3, Code::kOk, 5, "hi"};
}
Frame refusal() {
  return {FrameType::kReply, 4, Code::kNotLeader, 5, ""};
}

std::string bytes_of_frames(const std::vector<Frame>& frames, const std::string& key) {
  World world;
  Pipes pipes(world);
  world.run([&] {
    FrameStream stream(std::move(pipes.near), key, key);
    ASSERT_TRUE(stream.write(frames).ok());
    pipes.near = nullptr;
  });
  return Pipes::drain(*pipes.there);
}

struct Read {
  std::vector<Frame> frames;
  Status end;
};
// Reads until the first error; the bytes are all there is.
Read read_all_frames(const std::string& bytes, const std::string& key, size_t max_read = SIZE_MAX) {
  World world;
  Pipes pipes(world);
  pipes.there->max_read = max_read;
  Read out;
  world.run([&] {
    FrameStream stream(std::move(pipes.far), key, key);
    if (!bytes.empty()) Pipes::feed(*pipes.there, bytes);
    pipes.near->shutdown_write();
    for (;;) {
      auto frame = stream.read();
      out.end = frame.status();
      if (!frame.ok()) return;
      out.frames.push_back(std::move(*frame));
    }
  });
  return out;
}

bool same(const Frame& a, const Frame& b) {
  return a.type == b.type && a.kind == b.kind && a.code == b.code && a.call == b.call &&
         a.payload == b.payload;
}

TEST(FrameBytes, Golden) {
  EXPECT_EQ(to_hex(bytes_of_frames({request()}, "")),
            "4472463102000000020300000500000000000000d4a99c196869");
  EXPECT_EQ(to_hex(bytes_of_frames({refusal()}, "")),
            "4472463100000000030408000500000000000000b0f1405b");
}

TEST(FrameBytes, GoldenWithMac) {
  // The second frame's MAC is over number 1.
  EXPECT_EQ(to_hex(bytes_of_frames({request(), refusal()}, kKey)),
            "4472463102000000020300000500000000000000d4a99c196869"
            "4f9c5fbd028d25fd1e6dc6da8793e2d0"
            "4472463100000000030408000500000000000000b0f1405b"
            "031ff501b7f629801ca1522be3682a08");
}

TEST(Frames, ArriveAsSentHoweverTheBytesAreCut) {
  std::vector<Frame> sent{request(),
                          refusal(),
                          {FrameType::kMessage, 255, Code::kOk, 0, std::string(100'000, 'x')},
                          {FrameType::kReply, 0, Code::kUnsupported, ~uint64_t{0}, "why"}};
  for (const std::string& key : {std::string(), kKey}) {
    const std::string bytes = bytes_of_frames(sent, key);
    for (const size_t max_read : {size_t{1}, size_t{7}, size_t{4096}, SIZE_MAX}) {
      const Read got = read_all_frames(bytes, key, max_read);
      ASSERT_EQ(got.frames.size(), sent.size());
      for (size_t i = 0; i < sent.size(); ++i)
        EXPECT_TRUE(same(got.frames[i], sent[i])) << i;
      EXPECT_TRUE(got.end.is(Code::kClosed)) << got.end.to_string();
    }
  }
}

TEST(Frames, CutAnywhereIsNoFrame) {
  for (const std::string& key : {std::string(), kKey}) {
    each_truncation(bytes_of_frames({request()}, key), [&](const std::string& bytes) {
      const Read got = read_all_frames(bytes, key);
      EXPECT_TRUE(got.frames.empty());
      EXPECT_TRUE(got.end.is(Code::kClosed)) << got.end.to_string();
    });
  }
}

TEST(Frames, ChangedAnywhereIsNoFrame) {
  for (const std::string& key : {std::string(), kKey}) {
    // Something follows, so that a length that grew has bytes to take.
    const std::string tail(300, 't');
    each_flip(bytes_of_frames({request()}, key), [&](const std::string& bytes) {
      const Read got = read_all_frames(bytes + tail, key);
      EXPECT_TRUE(got.frames.empty()) << to_hex(bytes);
      EXPECT_TRUE(got.end.is(Code::kCorrupt) || got.end.is(Code::kClosed)) << got.end.to_string();
    });
  }
}

// A frame whose header says this, with a checksum that is right.
std::string forged(uint32_t size, uint8_t type, uint16_t code, const std::string& payload) {
  std::string header = from_hex("44724631");
  Writer w(header);
  w.u32(size);
  w.u8(type);
  w.u8(1);
  w.u16(code);
  w.u64(0);
  w.u32(crc32c(payload, crc32c(std::string_view(header).substr(0, 20))));
  return header + payload;
}

TEST(Frames, LimitsOfTheHeader) {
  EXPECT_EQ(read_all_frames(forged(2, 1, 0, "hi"), "").frames.size(), 1u);
  EXPECT_TRUE(
      read_all_frames(forged(kMaxFramePayloadBytes + 1, 1, 0, ""), "").end.is(Code::kCorrupt));
  for (const int type : {0, 4, 255}) {
    EXPECT_TRUE(
        read_all_frames(forged(2, static_cast<uint8_t>(type), 0, "hi"), "").end.is(Code::kCorrupt));
  }
  // 0x100 would be kOk if it were cut to a byte.
  for (const int code : {0x100, 0xff, static_cast<int>(Code::kUnsupported) + 1}) {
    EXPECT_TRUE(read_all_frames(forged(2, 3, static_cast<uint16_t>(code), "hi"), "")
                    .end.is(Code::kCorrupt));
  }
}

TEST(FrameMac, StrangersReplayAndReorderingAreRefused) {
  const std::string one = bytes_of_frames({request()}, kKey);
  const std::string both = bytes_of_frames({request(), refusal()}, kKey);
  const std::string second = both.substr(one.size());

  EXPECT_TRUE(read_all_frames(one, "another key").end.is(Code::kCorrupt));
  EXPECT_TRUE(read_all_frames(bytes_of_frames({request()}, "") + std::string(16, '\0'), kKey)
                  .end.is(Code::kCorrupt))
      << "no MAC";
  EXPECT_TRUE(read_all_frames(second, kKey).end.is(Code::kCorrupt)) << "the first is missing";
  const Read replayed = read_all_frames(one + one, kKey);
  EXPECT_EQ(replayed.frames.size(), 1u);
  EXPECT_TRUE(replayed.end.is(Code::kCorrupt));
}

TEST(Frames, AnyFramesRoundTrip) {
  drumlin::test::hold(
      [] {
        std::vector<Frame> sent;
        const auto count = *rc::gen::inRange<size_t>(1, 6);
        for (size_t i = 0; i < count; ++i) {
          Frame frame;
          frame.type = static_cast<FrameType>(*rc::gen::inRange(1, 4));
          frame.kind = *rc::gen::arbitrary<uint8_t>();
          frame.code =
              static_cast<Code>(*rc::gen::inRange(0, static_cast<int>(Code::kUnsupported) + 1));
          frame.call = *rc::gen::arbitrary<uint64_t>();
          frame.payload = *rc::gen::arbitrary<std::string>();
          sent.push_back(std::move(frame));
        }
        const std::string key = *rc::gen::element(std::string(), kKey);
        const Read got =
            read_all_frames(bytes_of_frames(sent, key), key, *rc::gen::inRange<size_t>(1, 64));
        RC_ASSERT(got.frames.size() == sent.size());
        for (size_t i = 0; i < sent.size(); ++i)
          RC_ASSERT(same(got.frames[i], sent[i]));
      },
      100);
}

}  // namespace
}  // namespace drumlin::rpc::test
