#include "segment/kv/kv_body_store.h"

#include <algorithm>

#include "base/check.h"
#include "base/codec.h"
#include "base/digest.h"

namespace drumlin::segment {
namespace {

constexpr uint8_t kClass = 0x30;
constexpr size_t kShardBytes = 2;
constexpr size_t kGenerationEnd = kShardBytes + 4;
constexpr size_t kChecksumBytes = 4;
constexpr size_t kHeaderBytes = kChecksumBytes + 8;
constexpr uint64_t kPiece = KvBodyStore::kPieceBytes;

std::string key_of(const BodyKey& id, uint64_t piece) {
  DRUMLIN_CHECK_LE(id.shard, 0xffffu);
  DRUMLIN_CHECK_LE(piece, 0xffffffffu);
  std::string out;
  Writer writer(out);
  writer.u16_be(static_cast<uint16_t>(id.shard));
  writer.u32_be(id.generation);
  writer.u8(kClass);
  writer.u64_be(id.index);
  writer.u32_be(id.n);
  writer.u32_be(static_cast<uint32_t>(piece));
  return out;
}

std::string name(const BodyKey& id, uint64_t piece) {
  return "body " + std::to_string(id.index) + "." + std::to_string(id.n) + " of shard " +
         std::to_string(id.shard) + ", piece " + std::to_string(piece);
}

uint64_t pieces(uint64_t size) {
  return size == 0 ? 1 : (size - 1) / kPiece + 1;
}

// Of the key all but the generation: a snapshot brings the rows to another one as they are.
uint32_t checksum(std::string_view key, std::string_view value) {
  const uint32_t seed = crc32c(key.substr(kGenerationEnd), crc32c(key.substr(0, kShardBytes)));
  return crc32c(value.substr(kChecksumBytes), seed);
}

struct Piece {
  uint64_t size = 0;  // of the body
  std::string_view bytes;
};

Result<Piece> open(const BodyKey& id, uint64_t piece, std::string_view value) {
  Reader reader(value);
  const uint32_t expected = reader.u32();
  Piece out;
  out.size = reader.u64();
  out.bytes = reader.rest();
  if (!reader.ok() || checksum(key_of(id, piece), value) != expected) {
    return Status(Code::kCorrupt, name(id, piece) + " does not match its checksum");
  }
  const uint64_t begin = piece * kPiece;
  if (begin > out.size || out.bytes.size() != std::min(kPiece, out.size - begin)) {
    return Status(Code::kCorrupt, name(id, piece) + " has the wrong length");
  }
  return out;
}

// Appends what [first, end) has of the piece.
void append(const Piece& piece, uint64_t number, uint64_t first, uint64_t end, std::string& out) {
  const uint64_t begin = number * kPiece;
  const uint64_t from = std::max(first, begin) - begin;
  const uint64_t to = std::min(end - begin, uint64_t{piece.bytes.size()});
  out.append(piece.bytes.substr(from, to - from));
}

}  // namespace

Status KvBodyStore::put(const BodyKey& id, std::string_view bytes, kv::Batch& batch) {
  for (uint64_t piece = 0; piece < pieces(bytes.size()); ++piece) {
    const std::string_view part = bytes.substr(piece * kPiece, kPiece);
    const std::string key = key_of(id, piece);
    std::string value;
    value.reserve(kHeaderBytes + part.size());
    Writer writer(value);
    writer.u32(0);
    writer.u64(bytes.size());
    writer.raw(part);
    store_le(value.data(), checksum(key, value));
    batch.put(key, std::move(value));
  }
  return {};
}

Status KvBodyStore::drop(const BodyKey& id, uint64_t size, kv::Batch& batch) {
  for (uint64_t piece = 0; piece < pieces(size); ++piece)
    batch.remove(key_of(id, piece));
  return {};
}

// The first piece by get, which asks the Bloom filters; the others, which must be there, by one
// cursor.
Result<Blob> KvBodyStore::read(const BodyKey& id, uint64_t first, uint64_t count,
                               const kv::View& view) const {
  uint64_t number = std::min<uint64_t>(first / kPiece, 0xffffffffu);
  DRUMLIN_ASSIGN(auto value, view.get(key_of(id, number)));
  if (!value && number > 0) {  // beyond the end, or there is no such body
    number = 0;
    DRUMLIN_ASSIGN(value, view.get(key_of(id, number)));
  }
  if (!value) return Status(Code::kNotFound, name(id, number) + " is not there");
  DRUMLIN_ASSIGN(Piece piece, open(id, number, *value));
  const uint64_t size = piece.size;
  if (first >= size || count == 0) return Blob();
  if (number != first / kPiece) {
    return Status(Code::kCorrupt, name(id, first / kPiece) + " is missing");
  }

  const uint64_t end = first + std::min(count, size - first);
  std::string out;
  out.reserve(end - first);
  append(piece, number, first, end, out);
  const uint64_t last = (end - 1) / kPiece;
  if (number == last) return Blob(std::move(out));

  const auto cursor = view.cursor(key_of(id, number + 1), key_of(id, last).append(1, '\0'));
  for (++number; number <= last; ++number, cursor->next()) {
    if (!cursor->valid()) DRUMLIN_TRY(cursor->status());
    if (!cursor->valid() || cursor->key() != key_of(id, number)) {
      return Status(Code::kCorrupt, name(id, number) + " is missing");
    }
    DRUMLIN_ASSIGN(piece, open(id, number, cursor->value()));
    if (piece.size != size) {
      return Status(Code::kCorrupt, name(id, number) + " is of a body of another size");
    }
    append(piece, number, first, end, out);
  }
  return Blob(std::move(out));
}

}  // namespace drumlin::segment
