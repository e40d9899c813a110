#include "host/system.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/check.h"
#include "host/error.h"
#include "host/fd.h"
#include "host/host.h"

namespace drumlin::host {

void fill_random(std::span<char> into) {
  while (!into.empty()) {
    const ssize_t n = retry_interrupted([&] { return ::getrandom(into.data(), into.size(), 0); });
    DRUMLIN_CHECK(n > 0, "getrandom: ", error_text(errno));
    into = into.subspan(static_cast<size_t>(n));
  }
}

Result<std::string> read_boot_id() {
  DRUMLIN_ASSIGN(std::string id, read_file("/proc/sys/kernel/random/boot_id"));
  while (!id.empty() && id.back() == '\n')
    id.pop_back();
  return id;
}

size_t raise_file_limit() {
  rlimit limit{};
  DRUMLIN_CHECK_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlim_t before = std::exchange(limit.rlim_cur, limit.rlim_max);
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

size_t most_fibers() {
  constexpr size_t kUsual = 65530;
  constexpr size_t kOthers = 4096;  // libraries, heap arenas, threads, a burst of spawns
  constexpr size_t kMost = size_t{1} << 20;
  const auto text = read_file("/proc/sys/vm/max_map_count");
  size_t mappings = kUsual;
  if (text.ok()) (void)std::from_chars(text->data(), text->data() + text->size(), mappings);
  return std::clamp((std::max(mappings, 2 * kOthers) - kOthers) / 2, kOthers / 2, kMost);
}

void write_stderr(std::string_view line) {
  std::string text(line);
  text += '\n';
  (void)!::write(STDERR_FILENO, text.data(), text.size());
}

observe::LogSink stderr_log_sink() {
  return [](observe::Level, std::string_view line) { write_stderr(line); };
}

Result<std::string> read_file(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return file_error("open", path, errno);
  std::string out;
  char block[16384];
  for (;;) {
    const ssize_t n = retry_interrupted([&] { return ::read(fd.get(), block, sizeof block); });
    if (n < 0) return file_error("read", path, errno);
    if (n == 0) return out;
    out.append(block, static_cast<size_t>(n));
  }
}

std::map<std::string, std::string> environment() {
  std::map<std::string, std::string> out;
  for (char** item = ::environ; item != nullptr && *item != nullptr; ++item) {
    const std::string_view text = *item;
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) {
      out.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return out;
}

}  // namespace drumlin::host
