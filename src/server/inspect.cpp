#include "server/inspect.h"

#include <cstdio>

#include "host/host.h"
#include "wal/explain.h"

namespace drumlin::server {

int run_inspect(const std::vector<std::string>& files, bool records) {
  const auto print = [](const std::string& line) { std::printf("%s\n", line.c_str()); };
  int code = 0;
  for (const std::string& file : files) {
    if (files.size() > 1) print((&file == files.data() ? "== " : "\n== ") + file);
    const auto bytes = host::read_file(file);
    const Status status = bytes.ok() ? wal::explain(*bytes, {records}, print) : bytes.status();
    if (status.ok()) continue;
    std::fflush(stdout);
    std::fprintf(stderr, "drumlin: %s: %s\n", file.c_str(), status.message().c_str());
    code = 1;
  }
  return code;
}

}  // namespace drumlin::server
