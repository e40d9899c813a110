#include "sim/cli/children.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace drumlin::sim {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

constexpr size_t kKeptErrorBytes = 64 << 10;

void limit(int what, uint64_t amount) {
  const rlimit value{amount, amount};
  DRUMLIN_CHECK_EQ(setrlimit(static_cast<__rlimit_resource>(what), &value), 0);
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // the parent is gone: nobody to tell
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

// False at the end of the stream.
bool read_some(int fd, std::string& into) {
  char buffer[16 << 10];
  const ssize_t n = read(fd, buffer, sizeof(buffer));
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  into.append(buffer, static_cast<size_t>(n));
  return n > 0;
}

std::string last_line(std::string_view text) {
  while (text.ends_with('\n'))
    text.remove_suffix(1);
  return std::string(text.substr(text.rfind('\n') + 1));
}

[[noreturn]] void be_child(const Limits& limits, int out, int err, const std::string& replay,
                           const std::function<Report()>& body) {
  dup2(err, STDERR_FILENO);
  limit(RLIMIT_CPU, limits.cpu_seconds);
  limit(RLIMIT_CORE, 0);
  if (!kSanitized) limit(RLIMIT_AS, limits.memory_bytes);
  const double began_s = real_seconds();
  int code = kExitResources;
  try {
    const Report report = body();
    write_all(out, report.to_json(real_seconds() - began_s, replay) + "\n");
    code = report.exit_code();
  } catch (const std::bad_alloc&) {
    write_all(STDERR_FILENO, "out of memory\n");
  }
  // Neither atexit handlers nor buffers of the parent.
  _exit(code);
}

}  // namespace

int graver(int a, int b) {
  static constexpr std::array<int, 6> kOrder = {kExitHeld,     kExitInconclusive, kExitResources,
                                                kExitLiveness, kExitCrash,        kExitSafety};
  const auto rank = [](int code) {
    return std::find(kOrder.begin(), kOrder.end(), code) - kOrder.begin();
  };
  return rank(a) >= rank(b) ? a : b;
}

double real_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string shell_quoted(const std::string& text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=,:+@%";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string out = "'";
  for (const char c : text)
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

Children::~Children() {
  for (const auto& [pid, child] : children_) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    close(child.out);
    close(child.err);
  }
}

void Children::start(uint64_t seed, std::string replay, std::function<Report()> body) {
  int out[2];
  int err[2];
  DRUMLIN_CHECK_EQ(pipe2(out, O_CLOEXEC), 0);
  DRUMLIN_CHECK_EQ(pipe2(err, O_CLOEXEC), 0);
  std::fflush(nullptr);
  const pid_t pid = fork();
  DRUMLIN_CHECK(pid >= 0, "fork: ", std::strerror(errno));
  if (pid == 0) be_child(limits_, out[1], err[1], replay, body);
  close(out[1]);
  close(err[1]);
  fcntl(out[0], F_SETFL, O_NONBLOCK);
  fcntl(err[0], F_SETFL, O_NONBLOCK);
  Child child;
  child.seed = seed;
  child.replay = std::move(replay);
  child.out = out[0];
  child.err = err[0];
  child.started_s = real_seconds();
  children_.emplace(pid, std::move(child));
}

// Takes what the children have written, so that none blocks on a full pipe; waits for more.
void Children::pump() {
  std::vector<pollfd> waits;
  for (const auto& [pid, child] : children_) {
    if (child.out >= 0) waits.push_back({child.out, POLLIN, 0});
    if (child.err >= 0) waits.push_back({child.err, POLLIN, 0});
  }
  (void)poll(waits.data(), waits.size(), 1000);
  for (auto& [pid, child] : children_) {
    const auto take = [&](int& fd, std::string& bytes) {
      const bool ready = std::any_of(waits.begin(), waits.end(),
                                     [&](const pollfd& w) { return w.fd == fd && w.revents != 0; });
      if (fd < 0 || !ready) return;
      if (!read_some(fd, bytes)) close(std::exchange(fd, -1));
    };
    take(child.out, child.out_bytes);
    take(child.err, child.err_bytes);
    if (child.err_bytes.size() > 2 * kKeptErrorBytes) {
      child.err_bytes.erase(0, child.err_bytes.size() - kKeptErrorBytes);
    }
  }
}

ChildResult Children::bury(int pid, Child child, int wait_status) const {
  (void)pid;
  ChildResult result;
  result.seed = child.seed;
  result.errors = std::move(child.err_bytes);
  if (WIFEXITED(wait_status) && child.out_bytes.ends_with('\n')) {
    result.line = last_line(child.out_bytes);
    result.exit_code = WEXITSTATUS(wait_status);
    return result;
  }
  Report report;
  const std::string detail = last_line(result.errors);
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    const bool resources = signal == SIGXCPU || signal == SIGKILL;
    report = no_report(child.seed, RunOutcome::kFail,
                       fmt::format("{}/{}", resources ? "resources" : "crash", strsignal(signal)),
                       detail);
  } else {
    report = no_report(child.seed, RunOutcome::kFail, "resources/memory", detail);
  }
  result.line = report.to_json(real_seconds() - child.started_s, child.replay);
  result.exit_code = report.exit_code();
  return result;
}

ChildResult Children::wait() {
  DRUMLIN_CHECK(!children_.empty());
  for (;;) {
    pump();
    for (auto it = children_.begin(); it != children_.end(); ++it) {
      if (it->second.out >= 0 || it->second.err >= 0) continue;
      int status = 0;
      while (waitpid(it->first, &status, 0) < 0 && errno == EINTR) {
      }
      const int pid = it->first;
      Child child = std::move(it->second);
      children_.erase(it);
      return bury(pid, std::move(child), status);
    }
  }
}

}  // namespace drumlin::sim
