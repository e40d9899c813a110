// fuzz_corpus: every target over the inputs that are kept, with the ordinary build.
//
//   fuzz_corpus DIR               DIR/<target>/<input>, all of them; a target without inputs fails
//   fuzz_corpus TARGET FILE...    these inputs
//   fuzz_corpus --list            the targets' names
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "base/check.h"
#include "fuzz/targets/targets.h"

namespace drumlin::fuzz {
namespace {

std::string contents(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  DRUMLIN_CHECK(in.good(), "cannot read ", path.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

// What fails ends the process: the last name printed is the input that did it.
size_t run_files(const Named& target, std::vector<std::filesystem::path> files) {
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& file : files) {
    std::cout << target.name << " " << file.filename().string() << std::endl;
    target.run(contents(file));
  }
  return files.size();
}

int run_directory(const std::filesystem::path& corpus) {
  size_t inputs = 0;
  for (const Named& target : all_targets()) {
    std::vector<std::filesystem::path> files;
    const std::filesystem::path directory = corpus / target.name;
    if (std::filesystem::is_directory(directory)) {
      for (const auto& entry : std::filesystem::directory_iterator(directory))
        files.push_back(entry.path());
    }
    if (files.empty()) {
      std::cerr << "no inputs in " << directory << "\n";
      return 1;
    }
    inputs += run_files(target, std::move(files));
  }
  std::cout << inputs << " inputs of " << all_targets().size() << " targets: held\n";
  return 0;
}

int run_main(const std::vector<std::string>& args) {
  if (args.size() == 1 && args[0] == "--list") {
    for (const Named& target : all_targets())
      std::cout << target.name << "\n";
    return 0;
  }
  if (args.size() == 1) return run_directory(args[0]);
  for (const Named& target : all_targets()) {
    if (args.empty() || target.name != args[0]) continue;
    run_files(target, {args.begin() + 1, args.end()});
    return 0;
  }
  std::cerr << "fuzz_corpus DIR | TARGET FILE... | --list\n";
  return 2;
}

}  // namespace
}  // namespace drumlin::fuzz

int main(int argc, char** argv) {
  return drumlin::fuzz::run_main({argv + 1, argv + argc});
}
