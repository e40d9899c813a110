// Conditions of requests: those of a GET or HEAD, judged here against the object that was read (RFC
// 9110, 13.2.2), and those of writes, which travel to the object's shard and are judged there.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "http/message.h"
#include "router/store.h"
#include "s3/request.h"

namespace drumlin::s3 {

enum class Condition : unsigned char { kHolds, kNotModified, kFailed };

// `etag` without quotes. Dates compare in whole seconds, as they are sent; a date that cannot be
// read is no condition.
Condition evaluate(const http::Headers& headers, std::string_view etag, WallTime modified);

// If-Range: false if it names another state of the object, and the range must be left out.
bool range_applies(const http::Headers& headers, std::string_view etag, WallTime modified);

inline constexpr std::string_view kIfMatchSize = "x-amz-if-match-size";
inline constexpr std::string_view kIfMatchTime = "x-amz-if-match-last-modified-time";
// A client's own name for a write: a retry under it gets the first answer.
inline constexpr std::string_view kRequestIdHeader = "x-drumlin-request-id";

// kNotImplemented: If-None-Match with anything but "*".
Outcome<shard::Precondition> put_condition(const http::Headers& headers);
// kInvalidArgument: a size or date that cannot be read. The second: of an entry of DeleteObjects.
Outcome<shard::Precondition> delete_condition(const http::Headers& headers);
Outcome<shard::Precondition> delete_condition(std::optional<std::string_view> etag,
                                              std::optional<std::string_view> size,
                                              std::optional<std::string_view> modified);

// Names the write over all of the client's retries, if it has an id: kRequestIdHeader, or, for a
// conditional write, the SDK's amz-sdk-invocation-id. `content`: all that the write would store. Under
// the same id, anything else that is asked for is another request.
shard::RequestDigest request_digest(const Request& request, std::string_view key,
                                    const shard::Precondition& when, std::string_view content);

// 412, or 404 for a put that found nothing to match. `condition`: its header.
Error refused(const router::Written& written, std::string_view key, std::string_view condition);
std::string_view condition_name(const shard::Precondition& when);

}  // namespace drumlin::s3
