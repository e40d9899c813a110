#include "sim/cli/corpus.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "sim/plan/plan.h"

namespace drumlin::sim {
namespace {

namespace json = boost::json;

struct Kept {
  std::string path;
  std::string failure_class;
  Plan plan;
};

// The value of a "# key: value" line; empty if there is none.
std::string comment(const std::string& text, std::string_view key) {
  const std::string mark = fmt::format("# {}: ", key);
  const size_t at = text.starts_with(mark) ? 0 : text.find("\n" + mark);
  if (at == std::string::npos) return {};
  const size_t begin = text.find(mark, at) + mark.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

Result<Kept> load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Status(Code::kInvalidArgument, "cannot read " + path);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  Kept kept;
  kept.path = path;
  kept.failure_class = comment(text, "class");
  if (kept.failure_class.empty() || comment(text, "found").empty()) {
    return Status(Code::kInvalidArgument,
                  path + ": wants the comments \"# class: ...\" and \"# found: ...\"");
  }
  auto plan = Plan::decode(text);
  if (!plan.ok()) return plan.status().with_context(path);
  kept.plan = std::move(*plan);
  return kept;
}

Result<std::vector<Kept>> load_all(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".plan") paths.push_back(entry.path().string());
  }
  if (error) return Status(Code::kInvalidArgument, directory + ": " + error.message());
  if (paths.empty()) return Status(Code::kInvalidArgument, directory + " has no plans");
  std::sort(paths.begin(), paths.end());
  std::vector<Kept> out;
  for (const std::string& path : paths) {
    DRUMLIN_ASSIGN(Kept kept, load(path));
    out.push_back(std::move(kept));
  }
  return out;
}

std::string with_origin(const ChildResult& result, const Kept& kept) {
  json::error_code error;
  json::value parsed = json::parse(result.line, error);
  if (error || !parsed.is_object()) return result.line;
  parsed.as_object()["plan"] = kept.path;
  parsed.as_object()["once"] = kept.failure_class;
  return json::serialize(parsed);
}

}  // namespace

int verify_corpus(const CorpusOptions& options) {
  const auto corpus = load_all(options.directory);
  if (!corpus.ok()) {
    std::fprintf(stderr, "drumlin-sim: %s\n", corpus.status().message().c_str());
    return kExitUsage;
  }
  Children children(options.limits);
  int worst = kExitHeld;
  size_t next = 0;
  size_t held = 0;
  for (;;) {
    while (children.running() < options.jobs && next < corpus->size()) {
      const size_t index = next++;
      const Kept& kept = (*corpus)[index];
      // The index takes the seed's place: two plans may have the same seed.
      children.start(index, "drumlin-sim replay " + shell_quoted(kept.path),
                     [&kept] { return run(kept.plan, {}); });
    }
    if (children.running() == 0) break;
    const ChildResult result = children.wait();
    const Kept& kept = (*corpus)[static_cast<size_t>(result.seed)];
    std::printf("%s\n", with_origin(result, kept).c_str());
    std::fputs(result.errors.c_str(), stderr);
    held += result.exit_code == kExitHeld;
    worst = graver(worst, result.exit_code);
  }
  std::printf("{\"summary\":true,\"plans\":%zu,\"held\":%zu}\n", corpus->size(), held);
  return worst;
}

}  // namespace drumlin::sim
