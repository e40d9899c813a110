#include "s3/aws_chunked.h"

#include <algorithm>
#include <charconv>

namespace drumlin::s3 {
namespace {

constexpr size_t kMaxLine = 256;
constexpr size_t kMaxTrailerBytes = 4096;
constexpr std::string_view kSignatureExtension = ";chunk-signature=";
constexpr std::string_view kTrailerSignature = "x-amz-trailer-signature";

Error broken(const char* what) {
  return {ErrorCode::kInvalidRequest, std::string("The aws-chunked body is malformed: ") + what};
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

}  // namespace

// Moves bytes up to and with the next LF into line_. An overlong line is cut off complete: whoever
// looks at it finds no line end.
bool AwsChunkedDecoder::take_line(std::string_view& bytes) {
  if (line_complete_) line_.clear();
  const size_t lf = bytes.find('\n');
  const size_t n = lf == std::string_view::npos ? bytes.size() : lf + 1;
  const size_t room = kMaxLine - line_.size();
  line_.append(bytes.substr(0, std::min(n, room)));
  bytes.remove_prefix(std::min(n, room));
  line_complete_ = line_.size() == kMaxLine || (!line_.empty() && line_.back() == '\n');
  return line_complete_;
}

void AwsChunkedDecoder::take_data(std::string_view& bytes, std::string& out) {
  const size_t n = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
  const std::string_view data = bytes.substr(0, n);
  if (hasher_.has_value()) hasher_->update(data);
  out.append(data);
  bytes.remove_prefix(n);
  left_ -= n;
  decoded_ += n;
  if (left_ == 0) state_ = State::kDataEnd;
}

Check AwsChunkedDecoder::feed(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    if (state_ == State::kDone) return broken("it goes on after its end.");
    if (state_ == State::kData) {
      take_data(bytes, out);
      continue;
    }
    if (!take_line(bytes)) break;
    switch (state_) {
      case State::kHeader:
        DRUMLIN_S3_TRY(on_header());
        break;
      case State::kDataEnd:
        DRUMLIN_S3_TRY(on_data_end());
        break;
      case State::kTrailer:
        DRUMLIN_S3_TRY(on_trailer());
        break;
      default:  // kEnd
        if (line_ != "\r\n") return broken("it does not end in an empty line.");
        state_ = State::kDone;
    }
  }
  return good();
}

Check AwsChunkedDecoder::on_header() {
  std::string_view line = line_;
  if (!line.ends_with("\r\n")) return broken("a chunk header without end.");
  line.remove_suffix(2);
  const size_t extension = std::min(line.find(';'), line.size());
  const std::string_view digits = line.substr(0, extension);
  uint64_t size = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), size, 16);
  if (digits.empty() || parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) {
    return broken("a chunk without a size.");
  }
  line.remove_prefix(extension);
  if (form_.chain.has_value() != line.starts_with(kSignatureExtension)) {
    return form_.chain.has_value() ? broken("a chunk without a signature.")
                                   : broken("a chunk with an extension.");
  }
  if (!form_.chain.has_value() && !line.empty()) return broken("a chunk with an extension.");
  if (size > form_.decoded_length - decoded_ || (size == 0 && decoded_ != form_.decoded_length)) {
    return ErrorCode::kIncompleteBody;
  }
  if (form_.chain.has_value()) {
    chunk_signature_ = line.substr(kSignatureExtension.size());
    hasher_.emplace(Hasher::Kind::kSha256);
  }
  left_ = size;
  if (size > 0) {
    state_ = State::kData;
    return good();
  }
  if (form_.chain.has_value()) {
    DRUMLIN_S3_TRY(verify(form_.chain->next(hex(hasher_->finish())), chunk_signature_));
  }
  state_ = form_.with_trailer ? State::kTrailer : State::kEnd;
  return good();
}

Check AwsChunkedDecoder::on_data_end() {
  if (line_ != "\r\n") return broken("a chunk longer than its size.");
  if (form_.chain.has_value()) {
    DRUMLIN_S3_TRY(verify(form_.chain->next(hex(hasher_->finish())), chunk_signature_));
  }
  state_ = State::kHeader;
  return good();
}

Check AwsChunkedDecoder::on_trailer() {
  trailer_bytes_ += line_.size();
  std::string_view line = line_;
  if (!line.ends_with('\n') || trailer_bytes_ > kMaxTrailerBytes)
    return ErrorCode::kMalformedTrailer;
  line.remove_suffix(line.ends_with("\r\n") ? 2 : 1);
  if (line.empty()) {
    // Between the trailer and its signature, or the end.
    if (form_.chain.has_value() && !trailer_signed_) return good();
    DRUMLIN_S3_TRY(check_trailers());
    state_ = State::kDone;
    return good();
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0 || trailer_signed_) {
    return ErrorCode::kMalformedTrailer;
  }
  const std::string name = auth::lower(line.substr(0, colon));
  const std::string_view value = trim(line.substr(colon + 1));
  if (name != kTrailerSignature) {
    trailers_.emplace_back(name, value);
    return good();
  }
  if (!form_.chain.has_value()) return ErrorCode::kMalformedTrailer;
  std::string canonical;
  for (const auto& [key, text] : trailers_)
    canonical += key + ":" + text + "\n";
  trailer_signed_ = true;
  return verify(form_.chain->trailer(canonical), value);
}

Check AwsChunkedDecoder::verify(std::string_view expected, std::string_view claimed) const {
  if (!constant_time_equal(expected, claimed)) return ErrorCode::kSignatureDoesNotMatch;
  return good();
}

// What was announced, each once, and nothing else.
Check AwsChunkedDecoder::check_trailers() const {
  bool exact = trailers_.size() == form_.trailers.size();
  for (const std::string& name : form_.trailers) {
    exact = exact && std::any_of(trailers_.begin(), trailers_.end(),
                                 [&](const auto& trailer) { return trailer.first == name; });
  }
  if (!exact || form_.chain.has_value() != trailer_signed_) return ErrorCode::kMalformedTrailer;
  return good();
}

Check AwsChunkedDecoder::finish() {
  const bool between_lines = line_.empty() || line_complete_;
  switch (state_) {
    case State::kDone:
      return good();
    case State::kEnd:
      return between_lines || line_ == "\r" ? good() : Check(broken("a torn end."));
    case State::kTrailer:
      if (!between_lines && line_ != "\r") return ErrorCode::kMalformedTrailer;
      return check_trailers();
    default:
      return ErrorCode::kIncompleteBody;
  }
}

}  // namespace drumlin::s3
