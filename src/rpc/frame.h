// Frames between two nodes, after the handshake:
//
//   offset size
//   0      4   magic "DrF1"
//   4      4   payload length
//   8      1   type: 1 message, 2 request, 3 reply
//   9      1   kind: what the payload is; the owner of the payload numbers them
//   10     2   code of a reply (drumlin::Code), else 0
//   12     8   call id of a request and of its reply, else 0
//   20     4   CRC-32C of bytes 0..19 and the payload
//   24     n   payload
//   24+n   16  MAC (only with a secret): HMAC-SHA256(key of the direction, frame number | 0..23 | payload),
//              cut to 16 bytes. The frame number makes replay and reordering fail.
//
// The checksum finds damage, the MAC finds strangers; either failing ends the connection.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/status.h"
#include "runtime/clock.h"
#include "runtime/network.h"

namespace drumlin::rpc {

inline constexpr size_t kFrameHeaderBytes = 24;
inline constexpr size_t kFrameMacBytes = 16;
inline constexpr uint32_t kMaxFramePayloadBytes = 64u << 20;

// A request of this kind is answered by the other side's rpc::Server itself, with an empty reply: the
// connection is alive.
inline constexpr uint8_t kPing = 0;

enum class FrameType : uint8_t { kMessage = 1, kRequest = 2, kReply = 3 };

struct Frame {
  FrameType type = FrameType::kMessage;
  uint8_t kind = 0;
  Code code = Code::kOk;
  uint64_t call = 0;
  std::string payload;

  size_t wire_bytes() const { return kFrameHeaderBytes + kFrameMacBytes + payload.size(); }
};

// The frame layer of one connection: numbers, checksums, MACs. One fiber may write while another
// reads. All calls yield.
class FrameStream {
 public:
  // Empty keys: without MACs.
  FrameStream(std::unique_ptr<Stream> stream, std::string_view send_key,
              std::string_view receive_key);

  // All frames in one gather write.
  Status write(std::span<const Frame> frames);
  // kCorrupt if checksum, MAC or length are wrong: close the connection. kTimeout: see set_patience().
  Result<Frame> read();
  // From now on a read that gets no byte for so long ends with kTimeout; the connection is of no use then.
  void set_patience(const Clock& clock, Duration patience) {
    clock_ = &clock;
    patience_ = patience;
  }
  Stream& stream() { return *stream_; }

 private:
  static std::string mac(HmacSha256& keyed, uint64_t number, std::string_view header,
                         std::string_view payload);
  Status read_exact(std::span<char> into);
  Result<size_t> read_some(std::span<char> into);
  std::unique_ptr<Stream> stream_;
  const Clock* clock_ = nullptr;
  Duration patience_{};
  std::vector<char> buffer_;  // bytes read ahead: [begin_, end_)
  size_t begin_ = 0;
  size_t end_ = 0;
  std::optional<HmacSha256> send_mac_;
  std::optional<HmacSha256> receive_mac_;
  uint64_t sent_ = 0;
  uint64_t received_ = 0;
};

}  // namespace drumlin::rpc
