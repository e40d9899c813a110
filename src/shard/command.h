// Commands: what a shard's log entries hold, and what the proposer hears.
//
//   u8 format version | u8 kind | i64 log time | session: u64 node, boot, number, low water | payload
//
// A write of a client is sent under one session number for all of its attempts: whichever arrives
// first is applied, the others get its reply (Ongaro's thesis 6.3). Numbers up to low_water will not be
// asked about again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"
#include "shard/types.h"
#include "shard/users.h"

namespace drumlin::shard {

struct Session {
  uint64_t node = 0;  // 0: no session, applied each time it comes
  uint64_t boot = 0;  // a later life of the node replaces the earlier
  uint64_t number = 0;
  uint64_t low_water = 0;
};

// Objects. (incarnation, epoch) are the bucket's as the sender knows them.
struct Put {
  std::string bucket;
  uint64_t incarnation = 0;
  uint64_t epoch = 0;
  std::string key;
  ObjectAttributes attributes;
  std::string_view body;  // not owned: of the sender, or of the decoded bytes
};
struct Delete {
  std::string bucket;
  uint64_t incarnation = 0;
  uint64_t epoch = 0;
  std::string key;
};

// The same under a condition, or under an id of the client's own: then what was answered is remembered
// (outcomes.h) and a retry of the client gets it again.
struct PutIf : Put {
  Precondition when;
  RequestDigest request;
};
struct DeleteIf : Delete {
  Precondition when;
  RequestDigest request;
};

// The catalogue record of a bucket (shard 0).
struct CreateBucket {
  std::string name;
  uint32_t partitions = 1;
};
struct ActivateBucket {
  std::string name;
  uint64_t incarnation = 0;
};
struct BeginDelete {
  std::string name;
};
// Compare-and-set: DELETING(epoch) -> REMOVING(epoch), or -> REOPENING(epoch + 1).
struct DecideDelete {
  std::string name;
  uint64_t incarnation = 0;
  uint64_t epoch = 0;
  bool remove = false;
};
struct FinishRemove {
  std::string name;
  uint64_t incarnation = 0;
};
struct FinishReopen {
  std::string name;
  uint64_t incarnation = 0;
  uint64_t epoch = 0;
};

// The row of a bucket in one of its partitions.
struct InstallRow {
  std::string bucket;
  uint64_t incarnation = 0;
  uint64_t epoch = 0;
};
struct CloseRowIfEmpty : InstallRow {};
struct ReopenRow : InstallRow {};
struct RemoveRow : InstallRow {};

// As CreateBucket and BeginDelete, by a user: kPermissionDenied if the user, or the bucket, is another's
// by then. Others' CREATING is not joined.
struct CreateOwnedBucket {
  std::string name;
  uint32_t partitions = 1;
  uint64_t owner = 0;
};
struct BeginOwnedDelete {
  std::string name;
  uint64_t owner = 0;
};

// As CreateOwnedBucket, root's too: what routers send. `most` is how many buckets, in whatever state,
// the sender's configuration lets an owner have: kTooLarge if there are as many without this one.
struct CreateCountedBucket {
  std::string name;
  uint32_t partitions = 1;
  uint64_t owner = 0;
  uint64_t most = 0;
};

// The index is the kind on the wire: append only.
using Payload =
    std::variant<Put, Delete, CreateBucket, ActivateBucket, BeginDelete, DecideDelete, FinishRemove,
                 FinishReopen, InstallRow, CloseRowIfEmpty, ReopenRow, RemoveRow, PutIf, DeleteIf,
                 CreateOwnedBucket, BeginOwnedDelete, CreateUser, DeleteUser, SetUserState,
                 CreateKey, DeleteKey, SetKeyState, CreateCountedBucket>;

struct Command {
  WallTime log_time{};
  Session session;
  Payload payload;
};

// The write in a payload, with or without a condition; null if it is another kind.
const Put* put_of(const Payload& payload);
const Delete* delete_of(const Payload& payload);
RequestDigest request_of(const Payload& payload);

enum class Detail : uint8_t {
  kNone = 0,
  kStaleBucket = 1,  // the partition knows another (incarnation, epoch): ask the catalogue
  kRowClosed = 2,    // the bucket is being deleted
  kSession = 3,      // refused by the session
  // The condition does not hold. kFailedPrecondition, or kNotFound: a put that wants to match found
  // nothing. The version is that of the object that was found, without one that of the last delete.
  kCondition = 4,
  kCut = 5,  // a listing ended at a bound of the shard: there may be more after its last item
};

struct Reply {
  Code code = Code::kOk;
  Detail detail = Detail::kNone;
  uint64_t version = 0;  // index of the entry that took the effect
  std::string message;
  std::optional<BucketRecord> bucket;  // of the catalogue commands, as it is now
};

std::string encode(const Command& command);
// Puts the leader's time into an encoded command. REQUIRES: one made by encode().
void stamp(std::string& encoded, WallTime log_time);
// Bounded; kCorrupt, kUnsupported. A Put's body is a view into `bytes`.
Result<Command> decode_command(std::string_view bytes);

std::string encode(const Reply& reply);
Result<Reply> decode_reply(std::string_view bytes);

}  // namespace drumlin::shard
