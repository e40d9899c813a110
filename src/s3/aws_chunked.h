// AwsChunkedDecoder: takes the framing of Content-Encoding aws-chunked off a body, piece by piece.
//
//   body    = *chunk last [trailer] CRLF
//   chunk   = hex-size [";chunk-signature=" 64hex] CRLF data CRLF       size > 0
//   last    = "0" [";chunk-signature=" 64hex] CRLF
//   trailer = 1*(name ":" value CRLF) ["x-amz-trailer-signature:" 64hex CRLF]
//
// Signed forms carry a signature per chunk, each covering the one before it; trailer forms a
// checksum (and a signature if the chunks are signed). A lone LF ends a trailer line too, and
// before its signature an empty line may stand: there are clients that send it so. Nothing that
// came out may be used before finish() said good. Pure and bounded: it keeps one line and the
// trailers. https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/sigv4.h"
#include "base/digest.h"
#include "s3/errors.h"

namespace drumlin::s3 {

class AwsChunkedDecoder {
 public:
  struct Form {
    uint64_t decoded_length = 0;            // x-amz-decoded-content-length
    std::optional<auth::ChunkChain> chain;  // signed forms
    bool with_trailer = false;
    std::vector<std::string> trailers;  // the names that must come, lower case
  };
  explicit AwsChunkedDecoder(Form form) : form_(std::move(form)) {}

  // Appends the data in `bytes` to `out`. After an error the decoder is of no more use.
  // kInvalidRequest (framing), kIncompleteBody (length), kSignatureDoesNotMatch, kMalformedTrailer.
  Check feed(std::string_view bytes, std::string& out);
  // The body has ended: was it whole? A missing last CRLF is forgiven.
  Check finish();

  // Name (lower case) and value, as they came; without the signature.
  const std::vector<std::pair<std::string, std::string>>& trailers() const { return trailers_; }

 private:
  enum class State : unsigned char { kHeader, kData, kDataEnd, kTrailer, kEnd, kDone };
  bool take_line(std::string_view& bytes);  // true if line_ is complete
  void take_data(std::string_view& bytes, std::string& out);
  Check on_header();
  Check on_data_end();
  Check on_trailer();
  Check verify(std::string_view expected, std::string_view claimed) const;
  Check check_trailers() const;

  Form form_;
  State state_ = State::kHeader;
  std::string line_;
  bool line_complete_ = false;
  size_t trailer_bytes_ = 0;
  uint64_t decoded_ = 0;
  uint64_t left_ = 0;  // of this chunk
  std::string chunk_signature_;
  std::optional<Hasher> hasher_;  // of this chunk, if signed
  std::vector<std::pair<std::string, std::string>> trailers_;
  bool trailer_signed_ = false;
};

}  // namespace drumlin::s3
