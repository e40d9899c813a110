#include "bench/client/ledger.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/json.hpp>
#include <charconv>
#include <iostream>
#include <mutex>
#include <optional>
#include <thread>

#include "bench/client/answer.h"

namespace drumlin::bench {
namespace {

constexpr Duration kAnswerTime = 5s;
constexpr Duration kRetryPause = 5ms;

// One request at a time, blocking, over a connection that is made again when it breaks.
class Caller {
 public:
  explicit Caller(const std::vector<Address>& endpoints) : endpoints_(endpoints) {}
  ~Caller() { close(); }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  // True if the answer is as the request wants it; otherwise the next call asks the next endpoint.
  bool call(const Prepared& request, AnswerReader& answer) {
    answer.begin(request);
    if (try_once(request, answer) && answer.error().empty()) return true;
    close();
    turn_ = (turn_ + 1) % endpoints_.size();
    return false;
  }
  void aim_at(size_t endpoint) {
    if (turn_ != endpoint) close();
    turn_ = endpoint;
  }

 private:
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  bool wait(short events, uint64_t deadline) const {
    pollfd wanted{fd_, events, 0};
    const uint64_t now = monotonic_ns();
    return now<deadline&& ::poll(&wanted, 1, static_cast<int>((deadline - now) / 1'000'000) + 1)> 0;
  }
  bool try_once(const Prepared& request, AnswerReader& answer) {
    if (fd_ < 0) fd_ = connect_to(endpoints_[turn_]);
    if (fd_ < 0) return false;
    const uint64_t deadline = monotonic_ns() + static_cast<uint64_t>(kAnswerTime.count());
    const std::string bytes = request.head + std::string(request.body);
    for (size_t sent = 0; sent < bytes.size();) {
      const ssize_t n = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n < 0 && errno != EAGAIN) return false;
      if (n < 0 && !wait(POLLOUT, deadline)) return false;
      if (n > 0) sent += static_cast<size_t>(n);
    }
    std::array<char, 16 * 1024> buffer{};
    for (;;) {
      const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
      if (n == 0 || (n < 0 && errno != EAGAIN)) return false;
      if (n < 0 && !wait(POLLIN, deadline)) return false;
      if (n > 0 && answer.feed({buffer.data(), static_cast<size_t>(n)})) break;
    }
    if (answer.must_close()) close();
    return true;
  }

  const std::vector<Address>& endpoints_;
  size_t turn_ = 0;
  int fd_ = -1;
};

struct Entry {
  std::string target;
  std::mutex mutex;
  uint64_t acknowledged = 0;
  uint64_t proposed = 0;
  uint64_t marked_ns = 0;     // 0: nothing is being waited for
  uint64_t recovered_ns = 0;  // of the first write that began after the mark
};

class Ledger {
 public:
  explicit Ledger(const LedgerOptions& options) : options_(options), entries_(options.keys) {}

  int run() {
    for (size_t b = 0; b < options_.buckets; ++b) {
      if (!create(fmt::format("/ledger-{}", b))) return 1;
    }
    for (size_t i = 0; i < entries_.size(); ++i)
      entries_[i].target = fmt::format("/ledger-{}/key-{}", i % options_.buckets, i);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < entries_.size(); ++i)
      threads.emplace_back([this, i] { write(i); });
    std::string line;
    bool verified = false;
    while (!verified && std::getline(std::cin, line)) {
      if (line == "mark") mark();
      verified = line == "verify";
    }
    stop_ = true;
    for (std::thread& thread : threads)
      thread.join();
    return verified ? verify() : 0;
  }

 private:
  RequestMaker maker() const {
    return {options_.credentials, options_.region, options_.endpoints[0].text(), wall_now()};
  }

  bool create(const std::string& bucket) {
    Caller caller(options_.endpoints);
    Prepared request = maker().make("PUT", bucket, {}, Payload::kSigned);
    request.any_body = true;
    AnswerReader answer;
    for (int i = 0; i < 200; ++i) {
      if (caller.call(request, answer) || answer.error().starts_with("409 BucketAlready"))
        return true;
      std::this_thread::sleep_for(50ms);
    }
    std::cerr << "drumlin-bench: " << bucket << ": " << answer.error() << '\n';
    return false;
  }

  void write(size_t i) {
    Entry& entry = entries_[i];
    Caller caller(options_.endpoints);
    caller.aim_at(i % options_.endpoints.size());
    AnswerReader answer;
    for (uint64_t number = 1; !stop_; ++number) {
      const std::string body = std::to_string(number);
      const Prepared request = maker().make("PUT", entry.target, body, Payload::kSigned);
      bool done = false;
      while (!done && !stop_) {
        {
          const std::lock_guard lock(entry.mutex);
          entry.proposed = number;
        }
        const uint64_t began = monotonic_ns();
        done = caller.call(request, answer);
        const std::lock_guard lock(entry.mutex);
        if (!done) {
          ++failures_;
          continue;
        }
        entry.acknowledged = number;
        if (entry.marked_ns != 0 && entry.recovered_ns == 0 && began >= entry.marked_ns) {
          entry.recovered_ns = monotonic_ns();
        }
      }
      std::this_thread::sleep_for(done ? options_.pause : kRetryPause);
    }
  }

  void mark() {
    const uint64_t now = monotonic_ns();
    for (Entry& entry : entries_) {
      const std::lock_guard lock(entry.mutex);
      entry.recovered_ns = 0;
      entry.marked_ns = now;
    }
    std::cout << "{\"marked\": true}" << std::endl;
    boost::json::array times;
    size_t missing = 0;
    for (Entry& entry : entries_) {
      for (;;) {
        {
          const std::lock_guard lock(entry.mutex);
          if (entry.recovered_ns != 0) {
            times.emplace_back(static_cast<double>((entry.recovered_ns - now) / 1000) / 1000);
            break;
          }
        }
        if (monotonic_ns() - now > static_cast<uint64_t>(options_.patience.count())) {
          ++missing;
          break;
        }
        std::this_thread::sleep_for(1ms);
      }
    }
    boost::json::object out{{"recovered_ms", times}};
    if (missing > 0) out["missing"] = missing;
    std::cout << boost::json::serialize(out) << std::endl;
  }

  // An acknowledged number or a later one, at every endpoint.
  int verify() {
    uint64_t lost = 0, unread = 0, acknowledged = 0;
    for (Entry& entry : entries_) {
      acknowledged += entry.acknowledged;
      for (size_t e = 0; e < options_.endpoints.size(); ++e) {
        const std::optional<uint64_t> found = read(entry, e);
        if (!found) ++unread;
        if (found && (*found < entry.acknowledged || *found > entry.proposed)) ++lost;
      }
    }
    const boost::json::object out{{"keys", entries_.size()},
                                  {"acknowledged", acknowledged},
                                  {"lost", lost},
                                  {"unread", unread},
                                  {"failures", failures_.load()}};
    std::cout << boost::json::serialize(out) << std::endl;
    return lost == 0 && unread == 0 ? 0 : 1;
  }

  std::optional<uint64_t> read(const Entry& entry, size_t endpoint) {
    Prepared request = maker().make("GET", entry.target, {}, Payload::kSigned);
    request.any_body = true;
    AnswerReader answer;
    Caller caller(options_.endpoints);
    for (int i = 0; i < 100; ++i) {
      caller.aim_at(endpoint);
      if (caller.call(request, answer)) {
        uint64_t number = 0;
        const std::string& text = answer.text();
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error == std::errc() && end == text.data() + text.size()) return number;
        return std::nullopt;
      }
      std::this_thread::sleep_for(50ms);
    }
    return std::nullopt;
  }

  const LedgerOptions& options_;
  std::vector<Entry> entries_;
  std::atomic<bool> stop_ = false;
  std::atomic<uint64_t> failures_ = 0;
};

}  // namespace

int run_ledger(const LedgerOptions& options) {
  return Ledger(options).run();
}

}  // namespace drumlin::bench
