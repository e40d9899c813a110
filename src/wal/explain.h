// Explain: what the files of a node's disk say, record by record, for people. From bytes alone, so it works on
// a node that does not start, and on a copy.
//
// Each function hands lines (without an end of line) to `line` as it goes, and reads on after damage as far as
// that can be done: kCorrupt at the end if there was any. kUnsupported: a later version wrote it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace drumlin::wal {

using Lines = std::function<void(std::string)>;

struct ExplainOptions {
  bool records = true;  // else batches only
};

// Tells the kind of file by its first bytes. kInvalidArgument if it is none of these.
Status explain(std::string_view bytes, const ExplainOptions& options, const Lines& line);

Status explain_log(std::string_view bytes, const ExplainOptions& options, const Lines& line);
Status explain_hard_state(std::string_view bytes, const Lines& line);
Status explain_superblock(std::string_view bytes, const Lines& line);

}  // namespace drumlin::wal
