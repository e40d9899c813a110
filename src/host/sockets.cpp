#include "host/sockets.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "host/address.h"
#include "host/error.h"
#include "host/fd.h"
#include "runtime/sync.h"

namespace drumlin::host {
namespace {

constexpr size_t kPiecesPerCall = 64;
constexpr int kBacklog = 4096;
// A socket that is always ready would let its fiber run for ever: after so much without a wait the
// others, the timers and the other sockets get their turn.
constexpr size_t kCallsPerTurn = 16;
constexpr size_t kBytesPerTurn = 256 * 1024;

bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

Status closed_by_us() {
  return {Code::kCancelled, "closed"};
}

// A descriptor with two sides to wait for. Shared by its Stream or Listener and by each call under
// way, so that neither the destruction of the former nor a killed domain pulls it away from a
// fiber.
class Socket final : public Watch {
 public:
  Socket(Reactor& reactor, Fd fd)
      : readable_(reactor.scheduler(), reactor),
        writable_(reactor.scheduler(), reactor),
        reactor_(reactor),
        fd_(std::move(fd)) {}
  ~Socket() { close(); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  Status watch() {
    DRUMLIN_TRY(reactor_.watch(fd_.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP, *this));
    watched_ = true;
    return {};
  }

  void ready(uint32_t events) override {
    constexpr uint32_t kFailed = EPOLLERR | EPOLLHUP;
    if ((events & (EPOLLRDHUP | kFailed)) != 0) ended_ = true;
    if ((events & (EPOLLIN | EPOLLRDHUP | kFailed)) != 0) {
      drained_ = false;
      readable_.notify_all();
    }
    if ((events & (EPOLLOUT | kFailed)) != 0) writable_.notify_all();
  }

  void close() {
    if (watched_) reactor_.unwatch(fd_.get());
    watched_ = false;
    fd_.reset();
    readable_.notify_all();
    writable_.notify_all();
  }

  // May yield. did() counts what was done without a wait, waited() begins anew.
  void give_others_a_turn() {
    if (calls_ < kCallsPerTurn && bytes_ < kBytesPerTurn) return;
    waited();
    reactor_.scheduler().yield();
  }
  void did(size_t bytes) {
    ++calls_;
    bytes_ += bytes;
  }
  void waited() { calls_ = bytes_ = 0; }

  // A read that got less than it asked for has taken all there was: the next one waits for the next
  // event without a call in vain. Once the other side has ended, no further event is certain.
  void read_came_short() { drained_ = !ended_; }
  bool drained() const { return drained_; }

  bool closed() const { return !fd_.valid(); }
  int fd() const { return fd_.get(); }
  Instant now() const { return reactor_.now(); }
  Reactor& reactor() const { return reactor_; }

  WaitQueue readable_;
  WaitQueue writable_;

 private:
  Reactor& reactor_;
  Fd fd_;
  bool watched_ = false;
  bool drained_ = false;
  bool ended_ = false;
  size_t calls_ = 0;  // since the last wait or turn, in both directions
  size_t bytes_ = 0;
};

// The loop of all calls: `attempt` does the system call and returns its result, -1 with errno as
// usual. `deadline` is looked at anew after each wait, since it may have been moved meanwhile.
template <typename Attempt>
Result<size_t> until_done(Socket& socket, WaitQueue& queue, const Instant& deadline,
                          Attempt attempt) {
  socket.give_others_a_turn();
  for (;;) {
    if (socket.closed()) return closed_by_us();
    if (deadline <= socket.now()) return Status(Code::kTimeout, "deadline passed");
    const ssize_t n = retry_interrupted(attempt);
    if (n >= 0) {
      socket.did(static_cast<size_t>(n));
      return static_cast<size_t>(n);
    }
    if (!would_block(errno)) return Status(Code::kClosed, error_text(errno));
    (void)queue.wait(deadline);
    socket.waited();
  }
}

class SocketStream final : public Stream {
 public:
  SocketStream(std::shared_ptr<Socket> socket, Endpoint peer)
      : state_(std::make_shared<State>(std::move(socket))), peer_(std::move(peer)) {}
  ~SocketStream() override { state_->socket->close(); }

  Result<size_t> read_some(std::span<char> into) override {
    DRUMLIN_CHECK(!into.empty(), "a read of nothing looks like the end");
    const std::shared_ptr<State> state = state_;
    Socket& socket = *state->socket;
    const auto attempt = [&]() -> ssize_t {
      if (socket.drained()) {
        errno = EAGAIN;
        return -1;
      }
      const ssize_t n = ::recv(socket.fd(), into.data(), into.size(), 0);
      if (n > 0 && static_cast<size_t>(n) < into.size()) socket.read_came_short();
      return n;
    };
    return until_done(socket, socket.readable_, state->read_deadline, attempt);
  }

  Result<size_t> write_some(std::span<const std::string_view> pieces) override {
    std::array<iovec, kPiecesPerCall> parts;
    size_t count = 0;
    for (std::string_view piece : pieces.first(std::min(pieces.size(), parts.size()))) {
      // sendmsg only reads; iovec has no const.
      if (!piece.empty()) parts[count++] = {const_cast<char*>(piece.data()), piece.size()};
    }
    DRUMLIN_CHECK(count > 0, "a write of nothing");
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const std::shared_ptr<State> state = state_;
    Socket& socket = *state->socket;
    return until_done(socket, socket.writable_, state->write_deadline,
                      [&] { return ::sendmsg(socket.fd(), &message, MSG_NOSIGNAL); });
  }

  void set_read_deadline(Instant deadline) override {
    state_->read_deadline = deadline;
    state_->socket->readable_.notify_all();
  }
  void set_write_deadline(Instant deadline) override {
    state_->write_deadline = deadline;
    state_->socket->writable_.notify_all();
  }

  void shutdown_write() override {
    Socket& socket = *state_->socket;
    if (!socket.closed()) ::shutdown(socket.fd(), SHUT_WR);  // fails only once the peer is gone
    socket.writable_.notify_all();
  }
  void close() override { state_->socket->close(); }
  Endpoint peer() const override { return peer_; }

 private:
  struct State {
    explicit State(std::shared_ptr<Socket> s) : socket(std::move(s)) {}
    std::shared_ptr<Socket> socket;
    Instant read_deadline = kNever;
    Instant write_deadline = kNever;
  };
  std::shared_ptr<State> state_;
  Endpoint peer_;
};

Result<std::unique_ptr<Stream>> make_stream(std::shared_ptr<Socket> socket, Endpoint peer) {
  const int on = 1;
  // Fails only if the connection is gone already; the first read will say so.
  (void)::setsockopt(socket->fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return std::unique_ptr<Stream>(
      std::make_unique<SocketStream>(std::move(socket), std::move(peer)));
}

class SocketListener final : public Listener {
 public:
  explicit SocketListener(std::shared_ptr<Socket> socket)
      : socket_(std::move(socket)), local_(local_endpoint(socket_->fd())) {}
  ~SocketListener() override { socket_->close(); }

  Result<std::unique_ptr<Stream>> accept() override {
    const std::shared_ptr<Socket> socket = socket_;
    for (;;) {
      socket->give_others_a_turn();
      if (socket->closed()) return closed_by_us();
      SocketAddress peer;
      Fd fd(retry_interrupted([&] {
        return ::accept4(socket->fd(), peer.raw(), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
      }));
      const int error = errno;
      socket->did(0);
      if (fd.valid()) {
        auto accepted = std::make_shared<Socket>(socket->reactor(), std::move(fd));
        DRUMLIN_TRY(accepted->watch());
        return make_stream(std::move(accepted), to_endpoint(peer));
      }
      if (is_exhausted(error)) return Status(Code::kExhausted, "accept: " + error_text(error));
      // Any other error is about the one connection that came first, which is gone (accept(2)).
      if (would_block(error)) {
        (void)socket->readable_.wait();
        socket->waited();
      }
    }
  }
  void close() override { socket_->close(); }
  Endpoint local() const override { return local_; }

 private:
  std::shared_ptr<Socket> socket_;
  Endpoint local_;
};

Result<std::shared_ptr<Socket>> new_socket(Reactor& reactor, const SocketAddress& address) {
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.valid()) return std::make_shared<Socket>(reactor, std::move(fd));
  return Status(is_exhausted(errno) ? Code::kExhausted : Code::kUnavailable, error_text(errno));
}

Status listen_error(int error) {
  switch (error) {
    case EADDRINUSE:
      return {Code::kAlreadyExists, "address already in use"};
    case EADDRNOTAVAIL:
      return {Code::kInvalidArgument, "not an address of this machine"};
    case EACCES:
      return {Code::kPermissionDenied, error_text(error)};
    default:
      return {is_exhausted(error) ? Code::kExhausted : Code::kIo, error_text(error)};
  }
}

Status connect_error(int error) {
  if (is_exhausted(error)) return {Code::kExhausted, error_text(error)};
  return {error == ETIMEDOUT ? Code::kTimeout : Code::kUnavailable, error_text(error)};
}

Status await_connected(Socket& socket, Instant deadline) {
  for (;;) {
    const Wake wake = socket.writable_.wait(deadline);
    if (wake != Wake::kNotified) return wake_status(wake);
    int error = 0;
    socklen_t length = sizeof error;
    DRUMLIN_CHECK_EQ(::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &length), 0);
    if (error != 0) return connect_error(error);
    if (!peer_endpoint(socket.fd()).host.empty()) return {};
  }
}

Result<std::shared_ptr<Socket>> listening(Reactor& reactor, const Endpoint& endpoint) {
  DRUMLIN_ASSIGN(const SocketAddress address, to_address(endpoint));
  DRUMLIN_ASSIGN(std::shared_ptr<Socket> socket, new_socket(reactor, address));
  const int on = 1;
  if (::setsockopt(socket->fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(socket->fd(), address.raw(), address.length) != 0 ||
      ::listen(socket->fd(), kBacklog) != 0) {
    return listen_error(errno);
  }
  DRUMLIN_TRY(socket->watch());
  return socket;
}

Result<std::shared_ptr<Socket>> connected(Reactor& reactor, const Endpoint& endpoint,
                                          Instant deadline) {
  if (deadline <= reactor.now()) return Status(Code::kTimeout, "deadline passed");
  DRUMLIN_ASSIGN(const SocketAddress address, to_address(endpoint));
  DRUMLIN_ASSIGN(std::shared_ptr<Socket> socket, new_socket(reactor, address));
  // Interrupted, it goes on by itself like one under way.
  const int began = ::connect(socket->fd(), address.raw(), address.length);
  const int error = errno;
  if (began != 0 && error != EINPROGRESS && error != EINTR) return connect_error(error);
  DRUMLIN_TRY(socket->watch());
  if (began != 0) DRUMLIN_TRY(await_connected(*socket, deadline));
  // A port of the ephemeral range on this machine may be given to the very socket that tries it,
  // and TCP then connects it to itself: nobody listens there.
  if (local_endpoint(socket->fd()) == endpoint) {
    return Status(Code::kUnavailable, error_text(ECONNREFUSED));
  }
  return socket;
}

}  // namespace

Result<std::unique_ptr<Listener>> Sockets::listen(const Endpoint& endpoint) {
  auto socket = listening(reactor_, endpoint);
  if (!socket.ok()) return socket.status().with_context("listen on " + endpoint.to_string());
  return std::unique_ptr<Listener>(std::make_unique<SocketListener>(std::move(*socket)));
}

Result<std::unique_ptr<Stream>> Sockets::connect(const Endpoint& endpoint, Instant deadline) {
  auto socket = connected(reactor_, endpoint, deadline);
  if (!socket.ok()) return socket.status().with_context("connect to " + endpoint.to_string());
  return make_stream(std::move(*socket), endpoint);
}

}  // namespace drumlin::host
