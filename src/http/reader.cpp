#include "http/reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace drumlin::http {
namespace {
constexpr size_t kRestingCapacity = 64;      // while nothing comes, then at once:
constexpr size_t kFirstCapacity = 8 * 1024;  // a usual head and the beginning of a small body
}  // namespace

void MessageReader::consume(size_t n) {
  begin_ += n;
  DRUMLIN_CHECK_LE(begin_, end_);
  if (begin_ == end_) begin_ = end_ = 0;
}

void MessageReader::rest() {
  if (begin_ != end_) return;
  data_.reset();
  capacity_ = begin_ = end_ = 0;
  rested_ = true;
}

Result<size_t> MessageReader::fill() {
  if (end_ == capacity_) {
    const size_t have = end_ - begin_;
    if (begin_ > 0) {
      std::memmove(data_.get(), data_.get() + begin_, have);
    } else if (capacity_ < limit_) {
      const size_t least = std::exchange(rested_, false) ? kRestingCapacity : kFirstCapacity;
      const size_t grown = std::min(limit_, std::max(least, capacity_ * 2));
      auto larger = std::make_unique_for_overwrite<char[]>(grown);
      if (have > 0) std::memcpy(larger.get(), data_.get(), have);
      data_ = std::move(larger);
      capacity_ = grown;
    } else {
      return Status(Code::kTooLarge, "head over the limit");
    }
    begin_ = 0;
    end_ = have;
  }
  DRUMLIN_ASSIGN(const size_t n, stream_.read_some({data_.get() + end_, capacity_ - end_}));
  end_ += n;
  return n;
}

std::optional<Malformed> MessageReader::take_request(RequestHead& out) {
  const size_t skip = scanner_.leading_bytes();
  auto malformed = parser_.request(buffered().substr(skip, scanner_.head_size() - skip), out);
  begin_body();
  return malformed;
}

std::optional<Malformed> MessageReader::take_response(bool to_head, ResponseHead& out) {
  const size_t skip = scanner_.leading_bytes();
  auto malformed =
      parser_.response(buffered().substr(skip, scanner_.head_size() - skip), to_head, out);
  begin_body();
  return malformed;
}

void MessageReader::begin_body() {
  consume(scanner_.head_size());
  scanner_.reset();
  left_ = parser_.framing() == Framing::kUntilClose ? 1 : parser_.length();
}

bool MessageReader::body_done() const {
  return parser_.framing() == Framing::kChunked ? parser_.chunks_ended() : left_ == 0;
}

std::optional<uint64_t> MessageReader::body_left() const {
  if (body_done()) return 0;
  if (parser_.framing() == Framing::kLength) return left_;
  return std::nullopt;
}

Status MessageReader::fail(Code code, const char* message) {
  failure_ = Status(code, message);
  return failure_;
}

// Body bytes from the buffer if there are any, else from the stream.
Result<size_t> MessageReader::read_data(std::span<char> into) {
  if (begin_ < end_) {
    const size_t n = std::min(into.size(), end_ - begin_);
    std::memcpy(into.data(), data_.get() + begin_, n);
    consume(n);
    return n;
  }
  auto n = stream_.read_some(into);
  if (!n.ok()) failure_ = n.status();
  return n;
}

Result<size_t> MessageReader::read_body(std::span<char> into) {
  if (failed()) return failure_;
  if (into.empty() || body_done()) return size_t{0};
  switch (parser_.framing()) {
    case Framing::kNone:
      return size_t{0};
    case Framing::kChunked:
      return read_chunks(into);
    case Framing::kLength: {
      into = into.first(static_cast<size_t>(std::min<uint64_t>(into.size(), left_)));
      DRUMLIN_ASSIGN(const size_t n, read_data(into));
      if (n == 0) return fail(Code::kClosed, "connection ended within a body");
      left_ -= n;
      return n;
    }
    case Framing::kUntilClose: {
      DRUMLIN_ASSIGN(const size_t n, read_data(into));
      if (n == 0) left_ = 0;
      return n;
    }
  }
  DRUMLIN_UNREACHABLE("framing ", static_cast<int>(parser_.framing()));
}

// Goes on over small chunks as long as nothing must be waited for.
Result<size_t> MessageReader::read_chunks(std::span<char> into) {
  size_t total = 0;
  for (;;) {
    if (total > 0 && begin_ == end_) return total;
    if (parser_.chunk_left() > 0) {
      const auto want = static_cast<size_t>(std::min<uint64_t>(into.size(), parser_.chunk_left()));
      DRUMLIN_ASSIGN(const size_t n, read_data(into.first(want)));
      if (n == 0) return fail(Code::kClosed, "connection ended within a chunk");
      parser_.took({into.data(), n});
      total += n;
      into = into.subspan(n);
      if (into.empty()) return total;
      continue;
    }
    const Parser::Frames frames = parser_.frames(buffered());
    consume(frames.consumed);
    if (parser_.chunks_ended()) return total;
    if (frames.malformed) {
      fail(Code::kInvalidArgument, "malformed chunk").ignore();  // told by this or the next call
      if (total > 0) return total;
      return failure_;
    }
    if (!frames.need_more) continue;
    if (total > 0) return total;
    const Result<size_t> n = fill();
    if (n.is(Code::kTooLarge)) return fail(Code::kInvalidArgument, "chunk framing over the limit");
    if (!n.ok()) failure_ = n.status();
    if (!n.ok()) return failure_;
    if (*n == 0) return fail(Code::kClosed, "connection ended within chunk framing");
  }
}

bool MessageReader::discard_buffered() {
  while (!failed() && !body_done() && begin_ < end_) {
    switch (parser_.framing()) {
      case Framing::kNone:
        return true;
      case Framing::kUntilClose:
        consume(end_ - begin_);
        break;
      case Framing::kLength: {
        const auto n = static_cast<size_t>(std::min<uint64_t>(end_ - begin_, left_));
        consume(n);
        left_ -= n;
        break;
      }
      case Framing::kChunked: {
        if (parser_.chunk_left() > 0) {
          const auto n =
              static_cast<size_t>(std::min<uint64_t>(end_ - begin_, parser_.chunk_left()));
          parser_.took(buffered().substr(0, n));
          consume(n);
          break;
        }
        const Parser::Frames frames = parser_.frames(buffered());
        consume(frames.consumed);
        if (frames.malformed) fail(Code::kInvalidArgument, "malformed chunk").ignore();
        if (frames.need_more) return body_done();
        break;
      }
    }
  }
  return !failed() && body_done();
}

Status write_pieces(Stream& stream, Pace& pace, std::span<std::string_view> pieces) {
  // The stream wants no empty pieces.
  const auto end = std::remove_if(pieces.begin(), pieces.end(),
                                  [](std::string_view piece) { return piece.empty(); });
  pieces = pieces.first(static_cast<size_t>(end - pieces.begin()));
  while (!pieces.empty()) {
    stream.set_write_deadline(pace.begin());
    DRUMLIN_ASSIGN(size_t n, stream.write_some(pieces));
    pace.moved(n);
    while (!pieces.empty() && n >= pieces.front().size()) {
      n -= pieces.front().size();
      pieces = pieces.subspan(1);
    }
    if (n > 0) pieces.front().remove_prefix(n);
  }
  return {};
}

}  // namespace drumlin::http
