#include "sim/cli/bench_bugs.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "sim/run/run.h"

namespace drumlin::sim {
namespace {

namespace fs = std::filesystem;

fs::path tool_in(const fs::path& tree) {
  return tree / "tools" / "mutants";
}

// Empty if no directory above has the tool.
fs::path nearest_tree() {
  std::error_code error;
  for (fs::path at = fs::current_path(error); !at.empty(); at = at.parent_path()) {
    if (fs::exists(tool_in(at), error)) return at;
    if (at == at.root_path()) break;
  }
  return {};
}

}  // namespace

int bench_bugs(const std::string& source, const std::vector<std::string>& arguments) {
  const fs::path tree = source.empty() ? nearest_tree() : fs::path(source);
  std::error_code error;
  if (tree.empty() || !fs::exists(tool_in(tree), error)) {
    std::fprintf(
        stderr,
        "drumlin-sim: bench-bugs builds mutants from Drumlin's sources, which are not in %s; "
        "say where with --source DIR\n",
        source.empty() ? "or above this directory" : source.c_str());
    return kExitUsage;
  }
  const std::string tool = tool_in(tree).string();
  std::vector<std::string> words = {tool};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words)
    argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(tool.c_str(), argv.data());
  std::fprintf(stderr, "drumlin-sim: cannot start %s: %s\n", tool.c_str(), std::strerror(errno));
  return kExitUsage;
}

}  // namespace drumlin::sim
