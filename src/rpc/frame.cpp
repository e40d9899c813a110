#include "rpc/frame.h"

#include <algorithm>
#include <cstring>

#include "base/codec.h"

namespace drumlin::rpc {
namespace {

constexpr uint32_t kMagic = 0x31467244;  // "DrF1"

void encode_header(const Frame& frame, char* out) {
  store_le(out, kMagic);
  store_le(out + 4, static_cast<uint32_t>(frame.payload.size()));
  out[8] = static_cast<char>(frame.type);
  out[9] = static_cast<char>(frame.kind);
  store_le(out + 10, static_cast<uint16_t>(frame.code));
  store_le(out + 12, frame.call);
  store_le(out + 20, crc32c(frame.payload, crc32c({out, 20})));
}

}  // namespace

FrameStream::FrameStream(std::unique_ptr<Stream> stream, std::string_view send_key,
                         std::string_view receive_key)
    : stream_(std::move(stream)) {
  if (!send_key.empty()) send_mac_.emplace(send_key);
  if (!receive_key.empty()) receive_mac_.emplace(receive_key);
}

std::string FrameStream::mac(HmacSha256& keyed, uint64_t number, std::string_view header,
                             std::string_view payload) {
  char bytes[sizeof(number)];
  store_le(bytes, number);
  const Sha256Digest digest = keyed.of({{bytes, sizeof(bytes)}, header, payload});
  return std::string(as_view(digest).substr(0, kFrameMacBytes));
}

Status FrameStream::write(std::span<const Frame> frames) {
  struct Extra {
    char header[kFrameHeaderBytes];
    std::string mac;
  };
  std::vector<Extra> extras(frames.size());
  std::vector<std::string_view> pieces;
  pieces.reserve(frames.size() * 3);
  for (size_t i = 0; i < frames.size(); ++i) {
    DRUMLIN_CHECK_LE(frames[i].payload.size(), size_t{kMaxFramePayloadBytes});
    encode_header(frames[i], extras[i].header);
    const std::string_view header(extras[i].header, kFrameHeaderBytes);
    pieces.push_back(header);
    pieces.push_back(frames[i].payload);
    if (send_mac_) {
      extras[i].mac = mac(*send_mac_, sent_, header, frames[i].payload);
      pieces.push_back(extras[i].mac);
    }
    ++sent_;
  }
  return stream_->write_all(pieces);
}

Result<size_t> FrameStream::read_some(std::span<char> into) {
  if (clock_ != nullptr) stream_->set_read_deadline(after(*clock_, patience_));
  return stream_->read_some(into);
}

// Small frames come many to a read; a large payload goes straight to where it belongs.
Status FrameStream::read_exact(std::span<char> into) {
  constexpr size_t kReadAheadBytes = 32 * 1024;
  if (buffer_.empty()) buffer_.resize(kReadAheadBytes);
  while (!into.empty()) {
    if (begin_ == end_) {
      const bool large = into.size() >= buffer_.size();
      DRUMLIN_ASSIGN(const size_t n, read_some(large ? into : std::span<char>(buffer_)));
      if (n == 0) return {Code::kClosed, "the peer closed the connection"};
      if (large) {
        into = into.subspan(n);
        continue;
      }
      begin_ = 0;
      end_ = n;
    }
    const size_t n = std::min(into.size(), end_ - begin_);
    std::memcpy(into.data(), buffer_.data() + begin_, n);
    begin_ += n;
    into = into.subspan(n);
  }
  return {};
}

Result<Frame> FrameStream::read() {
  char header[kFrameHeaderBytes];
  DRUMLIN_TRY(read_exact(header));
  const auto size = load_le<uint32_t>(header + 4);
  if (load_le<uint32_t>(header) != kMagic || size > kMaxFramePayloadBytes) {
    return Status(Code::kCorrupt, "not a frame");
  }
  Frame frame;
  frame.payload.resize(size);
  DRUMLIN_TRY(read_exact(frame.payload));
  if (crc32c(frame.payload, crc32c({header, 20})) != load_le<uint32_t>(header + 20)) {
    return Status(Code::kCorrupt, "frame checksum");
  }
  if (receive_mac_) {
    char tag[kFrameMacBytes];
    DRUMLIN_TRY(read_exact(tag));
    if (!constant_time_equal(
            {tag, kFrameMacBytes},
            mac(*receive_mac_, received_, {header, kFrameHeaderBytes}, frame.payload))) {
      return Status(Code::kCorrupt, "frame MAC");
    }
  }
  ++received_;
  const auto type = static_cast<uint8_t>(header[8]);
  if (type < 1 || type > 3) return Status(Code::kCorrupt, "frame type");
  frame.type = static_cast<FrameType>(type);
  frame.kind = static_cast<uint8_t>(header[9]);
  const auto code = load_le<uint16_t>(header + 10);
  if (code > static_cast<uint16_t>(Code::kUnsupported)) return Status(Code::kCorrupt, "frame code");
  frame.code = static_cast<Code>(code);
  frame.call = load_le<uint64_t>(header + 12);
  return frame;
}

}  // namespace drumlin::rpc
