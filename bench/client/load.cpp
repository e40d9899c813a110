#include "bench/client/load.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <numeric>

#include "base/check.h"
#include "bench/client/answer.h"

namespace drumlin::bench {
namespace {

constexpr size_t kReadBytes = 256 << 10;
constexpr size_t kMostRefusals = 100;  // of a request, on average
constexpr int kPauseMs = 50;           // how often deadlines are looked at

struct Worker {
  size_t number = 0;
  std::vector<int> sockets;  // of each endpoint; -1: not connected
  uint64_t turn = 0;         // requests begun
  size_t endpoint = 0;       // of the request under way
  const Prepared* request = nullptr;
  size_t sent = 0;  // bytes of it
  bool awaits_room = false;
  uint64_t began_ns = 0;
  AnswerReader answer;
  bool idle = false;  // nothing more to do
};

class Loop {
 public:
  Loop(const LoadOptions& options, const std::vector<Prepared>& requests)
      : options_(options), requests_(requests), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    DRUMLIN_CHECK(epoll_ >= 0 && !requests.empty() && !options.endpoints.empty());
    workers_.resize(options.workers);
    for (size_t i = 0; i < workers_.size(); ++i) {
      workers_[i] = std::make_unique<Worker>();
      workers_[i]->number = i;
      workers_[i]->sockets.assign(options.endpoints.size(), -1);
    }
  }
  ~Loop() {
    for (auto& worker : workers_) {
      for (const int fd : worker->sockets) {
        if (fd >= 0) ::close(fd);
      }
    }
    ::close(epoll_);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  Result<LoadResult> run();

 private:
  Status start_measuring();
  bool open_socket(Worker& worker);
  void close_socket(Worker& worker);
  bool prepare(Worker& worker);
  void begin(Worker& worker);
  void send(Worker& worker);
  void receive(Worker& worker);
  void failed(Worker& worker, const std::string& what);
  void complete(Worker& worker);
  void check_deadlines();
  const Prepared* next_request(const Worker& worker);
  void watch(Worker& worker, bool for_room);
  void count_error(const std::string& what) {
    if (measuring_ || options_.each_once) ++result_.errors[what];
  }

  const LoadOptions& options_;
  const std::vector<Prepared>& requests_;
  int epoll_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<char> buffer_ = std::vector<char>(kReadBytes);
  LoadResult result_;
  bool measuring_ = false;
  bool over_ = false;
  size_t next_ = 0;                       // each_once
  std::vector<const Prepared*> refused_;  // each_once: by a server that was too busy
  size_t refusals_ = 0;
  size_t idle_ = 0;
  uint64_t now_ = 0;
  uint64_t measuring_since_ = 0;
  uint64_t client_cpu_before_ = 0;
  uint64_t server_cpu_before_ = 0;
};

bool Loop::open_socket(Worker& worker) {
  int& fd = worker.sockets[worker.endpoint];
  if (fd >= 0) return true;
  fd = connect_to(options_.endpoints[worker.endpoint]);
  if (fd < 0) {
    count_error(std::string("connect: ") + std::strerror(errno));
    return false;
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = worker.number * options_.endpoints.size() + worker.endpoint;
  DRUMLIN_CHECK_EQ(::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event), 0);
  return true;
}

void Loop::close_socket(Worker& worker) {
  int& fd = worker.sockets[worker.endpoint];
  if (fd >= 0) ::close(fd);
  fd = -1;
}

void Loop::watch(Worker& worker, bool for_room) {
  if (worker.awaits_room == for_room) return;
  worker.awaits_room = for_room;
  epoll_event event{};
  event.events = for_room ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u64 = worker.number * options_.endpoints.size() + worker.endpoint;
  DRUMLIN_CHECK_EQ(::epoll_ctl(epoll_, EPOLL_CTL_MOD, worker.sockets[worker.endpoint], &event), 0);
}

// Workers walk the requests from places far apart, so that no two ask for the same key at once.
const Prepared* Loop::next_request(const Worker& worker) {
  if (options_.each_once) {
    if (next_ < requests_.size()) return &requests_[next_++];
    if (refused_.empty()) return nullptr;
    const Prepared* again = refused_.back();
    refused_.pop_back();
    return again;
  }
  if (over_) return nullptr;
  const size_t from = worker.number * requests_.size() / workers_.size();
  return &requests_[(from + worker.turn) % requests_.size()];
}

bool Loop::prepare(Worker& worker) {
  worker.request = next_request(worker);
  if (worker.request == nullptr) {
    if (!std::exchange(worker.idle, true)) ++idle_;
    return false;
  }
  worker.endpoint = (worker.number + worker.turn++) % options_.endpoints.size();
  worker.answer.begin(*worker.request);
  worker.sent = 0;
  worker.awaits_room = false;
  worker.began_ns = monotonic_ns();
  return true;
}

// A refused connection is tried again by check_deadlines(): not at once, which would spin.
void Loop::begin(Worker& worker) {
  if (prepare(worker) && open_socket(worker)) send(worker);
}

void Loop::send(Worker& worker) {
  const std::string_view head = worker.request->head;
  const std::string_view body = worker.request->body;
  while (worker.sent < head.size() + body.size()) {
    std::array<iovec, 2> parts{};
    size_t n = 0;
    const auto add = [&](std::string_view bytes) {
      if (!bytes.empty()) parts[n++] = {const_cast<char*>(bytes.data()), bytes.size()};
    };
    add(head.substr(std::min(worker.sent, head.size())));
    add(body.substr(worker.sent > head.size() ? worker.sent - head.size() : 0));
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = n;
    const ssize_t written = ::sendmsg(worker.sockets[worker.endpoint], &message, MSG_NOSIGNAL);
    if (written < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return watch(worker, true);
      return failed(worker, std::string("send: ") + std::strerror(errno));
    }
    worker.sent += static_cast<size_t>(written);
  }
  watch(worker, false);
}

void Loop::receive(Worker& worker) {
  const int fd = worker.sockets[worker.endpoint];
  for (;;) {
    const ssize_t n = ::recv(fd, buffer_.data(), buffer_.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0)
      return failed(worker,
                    n == 0 ? "connection closed" : std::string("receive: ") + std::strerror(errno));
    if (worker.answer.feed({buffer_.data(), static_cast<size_t>(n)})) return complete(worker);
    if (static_cast<size_t>(n) < buffer_.size()) return;
  }
}

void Loop::failed(Worker& worker, const std::string& what) {
  count_error(what);
  close_socket(worker);
  (void)prepare(worker);  // check_deadlines() goes on with it
}

void Loop::complete(Worker& worker) {
  const bool all_sent = worker.sent == worker.request->head.size() + worker.request->body.size();
  if (options_.each_once && worker.answer.status() == 503 &&
      ++refusals_ < kMostRefusals * requests_.size()) {
    refused_.push_back(worker.request);
    close_socket(worker);
    (void)prepare(worker);  // check_deadlines() goes on with it, after a pause
    return;
  }
  if (!worker.answer.error().empty()) {
    count_error(worker.answer.error());
  } else if (measuring_ || options_.each_once) {
    // One that began in the warm-up counts: the machine is as busy as with any other.
    result_.latency.record(monotonic_ns() - worker.began_ns);
    ++result_.answers;
    result_.bytes += worker.request->body.size() + worker.answer.body_bytes();
  }
  if (worker.answer.must_close() || !all_sent) close_socket(worker);
  begin(worker);
}

void Loop::check_deadlines() {
  const auto patience = static_cast<uint64_t>(options_.patience.count());
  for (auto& worker : workers_) {
    if (worker->idle) continue;
    if (worker->sockets[worker->endpoint] < 0) {
      if (open_socket(*worker)) send(*worker);
    } else if (now_ > worker->began_ns + patience) {
      failed(*worker, "no answer in time");
    }
  }
}

Status Loop::start_measuring() {
  measuring_ = true;
  measuring_since_ = now_ = monotonic_ns();
  client_cpu_before_ = own_cpu_ns();
  DRUMLIN_ASSIGN(server_cpu_before_, cpu_ns_of(options_.server_pids));
  return {};
}

Result<LoadResult> Loop::run() {
  const uint64_t start = monotonic_ns();
  const auto warm_up = static_cast<uint64_t>(options_.warm_up.count());
  const auto measured = static_cast<uint64_t>(options_.measured.count());
  if (options_.each_once) DRUMLIN_TRY(start_measuring());
  for (auto& worker : workers_)
    begin(*worker);
  uint64_t looked = start;
  std::array<epoll_event, 256> events{};
  while (idle_ < workers_.size()) {
    const int n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), kPauseMs);
    now_ = monotonic_ns();
    if (!options_.each_once) {
      if (!measuring_ && now_ - start >= warm_up) DRUMLIN_TRY(start_measuring());
      if (measuring_ && now_ - measuring_since_ >= measured) break;
    }
    for (int i = 0; i < n; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      Worker& worker = *workers_[event.data.u64 / options_.endpoints.size()];
      const size_t endpoint = event.data.u64 % options_.endpoints.size();
      if (worker.idle || worker.endpoint != endpoint) {
        // Idle between requests: the server closed it.
        const int fd = std::exchange(worker.sockets[endpoint], -1);
        if (fd >= 0) ::close(fd);
        continue;
      }
      if ((event.events & EPOLLOUT) != 0) send(worker);
      if ((event.events & ~static_cast<uint32_t>(EPOLLOUT)) != 0 &&
          worker.sockets[worker.endpoint] >= 0 && worker.endpoint == endpoint) {
        receive(worker);
      }
    }
    if (now_ - looked > uint64_t{kPauseMs} * 1'000'000) {
      looked = now_;
      check_deadlines();
    }
  }
  result_.took = Duration(static_cast<int64_t>(monotonic_ns() - measuring_since_));
  result_.client_cpu_ns = own_cpu_ns() - client_cpu_before_;
  DRUMLIN_ASSIGN(const uint64_t server_cpu, cpu_ns_of(options_.server_pids));
  result_.server_cpu_ns = server_cpu - server_cpu_before_;
  return std::move(result_);
}

}  // namespace

uint64_t LoadResult::error_count() const {
  return std::accumulate(errors.begin(), errors.end(), uint64_t{0},
                         [](uint64_t sum, const auto& entry) { return sum + entry.second; });
}

Result<LoadResult> run_load(const LoadOptions& options, const std::vector<Prepared>& requests) {
  for (const Address& endpoint : options.endpoints) {
    const int fd = connect_to(endpoint);
    if (fd < 0) return Status(Code::kUnavailable, endpoint.text() + ": " + std::strerror(errno));
    ::close(fd);
  }
  return Loop(options, requests).run();
}

}  // namespace drumlin::bench
