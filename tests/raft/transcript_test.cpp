// raft: stories as text. A file in transcripts/ is a sequence of blocks: commands (commands.h), a
// line
// "----", then what happened, up to an empty line. Each file is a test of its own.
//
//   raft_test --rewrite     writes what happens now into the files. Read the difference against the
//                           rules of Raft before you commit it: a recording proves nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "commands.h"
#include "invariants.h"

namespace drumlin::raft::test {
namespace {

bool rewrite = false;

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
}

// One story being told.
class Story {
 public:
  // Several commands in one block are told apart in what comes out.
  std::string run(const std::vector<std::string>& commands) {
    std::string out;
    for (const std::string& command : commands) {
      const std::string part = run(command);
      if (commands.size() > 1 && !part.empty()) out += "> " + command + "\n";
      out += part;
    }
    return out.empty() ? "ok\n" : out;
  }

 private:
  std::string run(const std::string& command) {
    try {
      if (cluster_) return run_command(*cluster_, command);
      cluster_ = std::make_unique<Cluster>(parse_cluster(command));
      invariants_ = std::make_unique<Invariants>(*cluster_);
      return "";
    } catch (const Violation& violation) {
      ADD_FAILURE() << command << ": " << violation.what();
      return std::string("VIOLATION: ") + violation.what() + "\n";
    } catch (const std::invalid_argument& error) {
      ADD_FAILURE() << command << ": " << error.what();
      return std::string("error: ") + error.what() + "\n";
    }
  }

  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Invariants> invariants_;
};

// Runs a file and returns it as it should be.
std::string tell(const std::vector<std::string>& lines) {
  Story story;
  std::string out;
  std::vector<std::string> commands;
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    out += line + "\n";
    if (line.empty() || line[0] == '#') continue;
    if (line != "----") {
      commands.push_back(line);
      continue;
    }
    out += story.run(commands) + "\n";
    commands.clear();
    while (i + 1 < lines.size() && !lines[i + 1].empty())
      ++i;  // what was expected
    ++i;
  }
  EXPECT_TRUE(commands.empty()) << "commands without ---- after them";
  while (out.size() > 1 && out.substr(out.size() - 2) == "\n\n")
    out.pop_back();
  return out;
}

class Transcript : public testing::Test {
 public:
  explicit Transcript(std::filesystem::path path) : path_(std::move(path)) {}
  void TestBody() override {
    const std::vector<std::string> lines = lines_of(path_);
    std::string expected;
    for (const std::string& line : lines)
      expected += line + "\n";
    const std::string told = tell(lines);
    if (rewrite) {
      std::ofstream(path_) << told;
    } else {
      EXPECT_EQ(told, expected) << path_;
    }
  }

 private:
  std::filesystem::path path_;
};

void register_transcripts(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() == ".txt") files.push_back(file.path());
  }
  std::sort(files.begin(), files.end());
  DRUMLIN_CHECK(!files.empty());
  for (const std::filesystem::path& file : files) {
    testing::RegisterTest("Transcript", file.stem().string().c_str(), nullptr, nullptr,
                          file.string().c_str(), 1, [=] { return new Transcript(file); });
  }
}

}  // namespace
}  // namespace drumlin::raft::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  drumlin::raft::test::rewrite = argc > 1 && std::string(argv[1]) == "--rewrite";
  drumlin::raft::test::register_transcripts(DRUMLIN_TRANSCRIPTS);
  return RUN_ALL_TESTS();
}
