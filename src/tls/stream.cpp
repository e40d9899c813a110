#include "tls/stream.h"

#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <utility>

#include "tls/parts.h"

namespace drumlin::tls {
namespace {

constexpr size_t kRecordBytes = 16 * 1024;  // the most that one record carries
constexpr size_t kOutBytes = 64 * 1024;     // encrypted ahead of the stream below
constexpr size_t kFillBytes = 64 * 1024;    // read at once
constexpr size_t kKeptBytes = 4 * 1024;     // of an empty buffer; more is given back
constexpr Duration kEndTime = 2s;           // for a last word: close_notify, an alert

Status closed_by_us() {
  return {Code::kCancelled, "closed"};
}

// Ciphertext between OpenSSL and the stream below: `in` has come from there, `out` goes there.
struct Wire {
  std::string in;
  size_t in_begin = 0;
  std::string out;
};

Wire& wire_of(BIO* bio) {
  return *static_cast<Wire*>(BIO_get_data(bio));
}

int wire_read(BIO* bio, char* into, int size) {
  BIO_clear_retry_flags(bio);
  Wire& wire = wire_of(bio);
  const size_t n = std::min(wire.in.size() - wire.in_begin, static_cast<size_t>(size));
  if (n == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  std::memcpy(into, wire.in.data() + wire.in_begin, n);
  wire.in_begin += n;
  return static_cast<int>(n);
}

// Never refuses: `out` is bounded by whoever calls OpenSSL.
int wire_write(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  wire_of(bio).out.append(bytes, static_cast<size_t>(size));
  return size;
}

long wire_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int wire_create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

BIO_METHOD* make_wire_method() {
  BIO_METHOD* out = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "drumlin wire");
  DRUMLIN_CHECK(out != nullptr);
  BIO_meth_set_read(out, wire_read);
  BIO_meth_set_write(out, wire_write);
  BIO_meth_set_ctrl(out, wire_control);
  BIO_meth_set_create(out, wire_create);
  return out;
}

void attach(SSL* ssl, Wire& wire) {
  static const BIO_METHOD* const method = make_wire_method();
  BIO* bio = BIO_new(method);
  DRUMLIN_CHECK(bio != nullptr);
  BIO_set_data(bio, &wire);
  SSL_set_bio(ssl, bio, bio);
}

// On whose behalf the stream below is used: whose deadline holds.
enum class Way : unsigned char { kRead, kWrite, kEnd };

enum class Want : unsigned char { kNothing, kInput, kEnd, kFailed };

// How a call of OpenSSL ended.
struct Outcome {
  int n = 0;  // with kNothing
  Want want = Want::kFailed;
  std::string why;  // with kFailed
};

// Sets a flag while it lives; whoever waits for its end is told.
class Busy {
 public:
  Busy(bool& flag, WaitQueue& changed) : flag_(flag), changed_(changed) { flag_ = true; }
  ~Busy() {
    flag_ = false;
    changed_.notify_all();
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  bool& flag_;
  WaitQueue& changed_;
};

class Permit {
 public:
  explicit Permit(Semaphore& semaphore) : semaphore_(semaphore) {}
  ~Permit() { semaphore_.release(1); }
  Permit(const Permit&) = delete;
  Permit& operator=(const Permit&) = delete;

 private:
  Semaphore& semaphore_;
};

// A connection; shared by its stream and by each call under way, so that neither the destruction of
// the former nor a killed domain pulls it away from a fiber.
//
// One fiber reads and one writes. Either may be suspended in the stream below while the other calls
// OpenSSL, which is one state for both directions: so nothing that OpenSSL reaches is in use below.
// It reaches `wire_`; reads below go to memory of their own, writes come from `sending_`.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Runtime& runtime, std::shared_ptr<const Context> context,
             std::unique_ptr<Stream> below, StreamOptions options, bool accepting)
      : runtime_(runtime),
        context_(std::move(context)),
        below_(std::move(below)),
        options_(std::move(options)),
        ssl_(SSL_new(context_->parts().ssl.get())),
        changed_(runtime.scheduler(), runtime.clock()) {
    DRUMLIN_CHECK(ssl_ != nullptr, take_errors());
    attach(ssl_.get(), wire_);
    accepting ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
    refresh_deadlines();
  }

  void expect(const std::string& address);

  Result<size_t> read(std::span<char> into);
  Result<size_t> write(std::span<const std::string_view> pieces);
  void set_deadline(Way way, Instant deadline) {
    (way == Way::kRead ? read_deadline_ : write_deadline_) = deadline;
    refresh_deadlines();
    changed_.notify_all();
  }
  void shutdown_write();
  void close() {
    if (std::exchange(closed_, true)) return;
    below_->close();
    changed_.notify_all();
  }
  Endpoint peer() const { return below_->peer(); }

 private:
  template <typename Call>
  Outcome attempt(Call call);
  Outcome attempt_handshake();
  Status establish(Way way);
  Status shake_hands(Way way);
  Status step(Way way, Outcome& outcome);
  void report();
  Want decrypt(std::span<char> into, size_t& got);
  size_t encrypt(std::span<const std::string_view> pieces);
  Status fill(Way way, std::span<char> lent);
  Status flush(Way way);
  Status send(Way way);
  Status wait(Way way);
  void last_word();
  bool unsent() const { return !sending_.empty() || !wire_.out.empty(); }
  Instant deadline_of(Way way) const;
  void refresh_deadlines() {
    below_->set_read_deadline(deadline_of(reading_for_));
    below_->set_write_deadline(deadline_of(writing_for_));
  }

  Runtime& runtime_;
  const std::shared_ptr<const Context> context_;
  const std::unique_ptr<Stream> below_;
  const StreamOptions options_;
  Wire wire_;  // before ssl_, which reaches it
  const SslPtr ssl_;
  WaitQueue changed_;

  Instant read_deadline_ = kNever;
  Instant write_deadline_ = kNever;
  Instant end_deadline_ = kNever;
  Way reading_for_ = Way::kRead;
  Way writing_for_ = Way::kWrite;

  bool established_ = false;
  bool shaking_ = false;   // a fiber does the handshake
  bool flushing_ = false;  // a fiber writes below
  bool closed_ = false;    // by close()
  bool cut_ = false;       // the stream below has ended
  bool read_ended_ = false;
  bool write_ended_ = false;
  bool below_ended_ = false;  // for our direction
  std::string sending_;       // taken out of wire_.out, of which `sent_` bytes have left
  size_t sent_ = 0;
  Status failure_;        // nothing can be read or written any more
  Status write_failure_;  // nothing can be written
};

// Runs `call` on ssl_ and empties the error queue: no suspension in between.
template <typename Call>
Outcome Connection::attempt(Call call) {
  ERR_clear_error();
  Outcome out;
  out.n = call(ssl_.get());
  if (out.n > 0) {
    out.want = Want::kNothing;
    return out;
  }
  switch (SSL_get_error(ssl_.get(), out.n)) {
    case SSL_ERROR_WANT_READ:
      out.want = Want::kInput;
      break;
    case SSL_ERROR_ZERO_RETURN:
      out.want = Want::kEnd;
      break;
    default:
      out.why = take_errors();
  }
  ERR_clear_error();
  return out;
}

void Connection::expect(const std::string& address) {
  X509_VERIFY_PARAM* rules = SSL_get0_param(ssl_.get());
  X509_VERIFY_PARAM_set_time(rules, unix_nanos(runtime_.clock().wall()) / 1'000'000'000);
  if (context_->parts().trust == Context::Trust::kPinned) return;
  DRUMLIN_CHECK(X509_VERIFY_PARAM_set1_ip_asc(rules, address.c_str()) == 1,
                "no address: ", address);
}

Instant Connection::deadline_of(Way way) const {
  if (way == Way::kEnd) return end_deadline_;
  const Instant own = way == Way::kRead ? read_deadline_ : write_deadline_;
  return established_ ? own : std::min(own, options_.handshake_deadline);
}

// Until something has changed, or there is no more time.
Status Connection::wait(Way way) {
  const Instant deadline = deadline_of(way);
  if (deadline <= runtime_.clock().now()) return {Code::kTimeout, "deadline passed"};
  (void)changed_.wait(deadline);
  return {};
}

// -- The stream below.

// Reads once, by way of `lent` if that is of any size. REQUIRES: OpenSSL has had all that came.
Status Connection::fill(Way way, std::span<char> lent) {
  DRUMLIN_CHECK_EQ(wire_.in_begin, wire_.in.size());
  std::array<char, 4096> own;
  const std::span<char> into =
      lent.size() > own.size() ? lent.first(std::min(lent.size(), kFillBytes)) : std::span(own);
  wire_.in_begin = 0;
  wire_.in.clear();
  if (wire_.in.capacity() > kKeptBytes) wire_.in = {};
  reading_for_ = way;
  refresh_deadlines();
  DRUMLIN_ASSIGN(const size_t n, below_->read_some(into));
  if (closed_) return closed_by_us();
  if (n == 0) {
    cut_ = true;
  } else {
    wire_.in.assign(into.data(), n);
  }
  return {};
}

// Returns when nothing is unsent, whoever sends it.
Status Connection::flush(Way way) {
  while (unsent()) {
    if (closed_) return closed_by_us();
    DRUMLIN_TRY(flushing_ ? wait(way) : send(way));
  }
  return {};
}

Status Connection::send(Way way) {
  const Busy busy(flushing_, changed_);
  writing_for_ = way;
  refresh_deadlines();
  while (unsent()) {
    if (below_ended_) return {Code::kClosed, "shut down"};
    if (sending_.empty()) {
      sending_.swap(wire_.out);
      sent_ = 0;
    }
    const std::string_view rest = std::string_view(sending_).substr(sent_);
    DRUMLIN_ASSIGN(const size_t n, below_->write_some(std::span(&rest, 1)));
    if (closed_) return closed_by_us();
    sent_ += n;
    if (sent_ < sending_.size()) continue;
    sending_.clear();
    if (sending_.capacity() > kKeptBytes) sending_ = {};
  }
  return {};
}

// What OpenSSL has to say about a failure, for as long as a last word may take.
void Connection::last_word() {
  end_deadline_ = after(runtime_.clock(), kEndTime);
  flush(Way::kEnd).ignore();  // who does not hear it has left
}

// -- The handshake.

// Whoever comes first does it, the other waits.
Status Connection::establish(Way way) {
  for (;;) {
    if (closed_) return closed_by_us();
    if (!failure_.ok()) return failure_;
    if (established_) return {};
    if (!shaking_) break;
    DRUMLIN_TRY(wait(way));
  }
  const Busy busy(shaking_, changed_);
  const Status status = shake_hands(way);
  if (closed_) return closed_by_us();
  if (status.ok()) {
    established_ = true;
    refresh_deadlines();
  } else {
    // Not its own deadline but the caller's: it can go on.
    const bool late = options_.handshake_deadline <= runtime_.clock().now();
    if (status.is(Code::kTimeout) && !late) return status;
    failure_ = status.with_context("TLS handshake");
  }
  report();
  return failure_;
}

Status Connection::shake_hands(Way way) {
  for (;;) {
    Outcome outcome;
    DRUMLIN_TRY(step(way, outcome));
    if (closed_) return closed_by_us();
    if (outcome.want == Want::kFailed || outcome.want == Want::kEnd) {
      last_word();
      return {Code::kRefused, outcome.why.empty() ? "closed by the other side" : outcome.why};
    }
    DRUMLIN_TRY(flush(way));
    if (outcome.want == Want::kNothing) return {};
    if (cut_) return {Code::kRefused, "the connection ended"};
    DRUMLIN_TRY(fill(way, {}));
  }
}

Outcome Connection::attempt_handshake() {
  return attempt([](SSL* ssl) { return SSL_do_handshake(ssl); });
}

// One step; nobody else touches OpenSSL or wire_ before the handshake is over.
Status Connection::step(Way way, Outcome& outcome) {
  const bool something_came = wire_.in.size() > wire_.in_begin;
  if (options_.offloads == nullptr || !context_->heavy() || !something_came) {
    outcome = attempt_handshake();
    return {};
  }
  DRUMLIN_TRY(options_.offloads->acquire(1, deadline_of(way)));
  const Permit permit(*options_.offloads);
  runtime_.offload([&] {
    outcome = attempt_handshake();
    context_->parts().library.leave_thread();
  });
  return {};
}

void Connection::report() {
  if (options_.on_handshake == nullptr) return;
  Handshake handshake{failure_, {}, {}};
  if (established_) {
    handshake.version = SSL_get_version(ssl_.get());
    handshake.cipher = SSL_get_cipher_name(ssl_.get());
  }
  options_.on_handshake(below_->peer(), handshake);
}

// -- Data.

// As much as is there. What it wants matters if it got nothing.
Want Connection::decrypt(std::span<char> into, size_t& got) {
  for (;;) {
    const auto left = static_cast<int>(std::min<size_t>(into.size() - got, INT_MAX));
    if (left == 0) return Want::kNothing;
    const Outcome outcome =
        attempt([&](SSL* ssl) { return SSL_read(ssl, into.data() + got, left); });
    if (outcome.want == Want::kFailed) failure_ = Status(Code::kClosed, "TLS: " + outcome.why);
    if (outcome.want != Want::kNothing) return outcome.want;
    got += static_cast<size_t>(outcome.n);
  }
}

Result<size_t> Connection::read(std::span<char> into) {
  DRUMLIN_CHECK(!into.empty(), "a read of nothing looks like the end");
  DRUMLIN_TRY(establish(Way::kRead));
  for (;;) {
    if (closed_) return closed_by_us();
    if (!failure_.ok()) return failure_;
    if (read_ended_) return size_t{0};
    // Answers to what the other side asks for (a new key, say) must not pile up.
    if (wire_.out.size() >= kOutBytes) DRUMLIN_TRY(flush(Way::kRead));
    size_t got = 0;
    const Want want = decrypt(into, got);
    if (got > 0) return got;
    if (want == Want::kFailed) last_word();
    if (want == Want::kEnd) read_ended_ = true;
    if (want != Want::kInput) continue;
    if (unsent() && !flushing_) DRUMLIN_TRY(flush(Way::kRead));
    if (cut_) return Status(Code::kClosed, "the connection ended without a close_notify");
    DRUMLIN_TRY(fill(Way::kRead, into));
  }
}

// Makes records of the pieces until they or the room for their ciphertext end. 0: failure_ says why.
size_t Connection::encrypt(std::span<const std::string_view> pieces) {
  std::array<char, kRecordBytes> joined;
  size_t taken = 0;
  size_t piece = 0;
  size_t offset = 0;  // in pieces[piece]
  while (piece < pieces.size() && wire_.out.size() < kOutBytes) {
    std::string_view record = pieces[piece].substr(offset, kRecordBytes);
    if (record.size() == kRecordBytes || piece + 1 == pieces.size()) {
      offset += record.size();
      if (offset == pieces[piece].size()) ++piece, offset = 0;
    } else {
      size_t size = 0;
      while (piece < pieces.size() && size < joined.size()) {
        const std::string_view part = pieces[piece].substr(offset, joined.size() - size);
        std::memcpy(joined.data() + size, part.data(), part.size());
        size += part.size();
        offset += part.size();
        if (offset == pieces[piece].size()) ++piece, offset = 0;
      }
      record = {joined.data(), size};
    }
    if (record.empty()) continue;
    const Outcome outcome = attempt(
        [&](SSL* ssl) { return SSL_write(ssl, record.data(), static_cast<int>(record.size())); });
    if (outcome.want != Want::kNothing) {
      failure_ = Status(Code::kClosed, "TLS: " + outcome.why);
      return 0;
    }
    DRUMLIN_CHECK_EQ(static_cast<size_t>(outcome.n), record.size());
    taken += record.size();
  }
  return taken;
}

Result<size_t> Connection::write(std::span<const std::string_view> pieces) {
  DRUMLIN_TRY(establish(Way::kWrite));
  if (write_failure_.ok()) DRUMLIN_TRY(flush(Way::kWrite));
  if (closed_) return closed_by_us();
  if (!failure_.ok()) return failure_;
  if (!write_failure_.ok()) return write_failure_;
  if (write_ended_) return Status(Code::kClosed, "shut down");
  const size_t taken = encrypt(pieces);
  if (taken == 0) {
    DRUMLIN_CHECK(!failure_.ok(), "a write of nothing");
    return failure_;
  }
  write_failure_ = flush(Way::kWrite);
  if (!write_failure_.ok()) return write_failure_;
  return taken;
}

void Connection::shutdown_write() {
  if (closed_ || std::exchange(write_ended_, true)) return;
  if (!established_ || !failure_.ok()) {
    below_ended_ = true;
    below_->shutdown_write();
    return;
  }
  (void)attempt([](SSL* ssl) { return SSL_shutdown(ssl); });  // 0: the other side has yet to
  runtime_.spawn("tls close_notify", [self = shared_from_this()] {
    self->last_word();
    self->below_ended_ = true;
    if (!self->closed_) self->below_->shutdown_write();
  });
}

class TlsStream final : public Stream {
 public:
  explicit TlsStream(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  ~TlsStream() override { connection_->close(); }

  Result<size_t> read_some(std::span<char> into) override {
    const std::shared_ptr<Connection> connection = connection_;
    return connection->read(into);
  }
  Result<size_t> write_some(std::span<const std::string_view> pieces) override {
    const std::shared_ptr<Connection> connection = connection_;
    return connection->write(pieces);
  }
  void set_read_deadline(Instant deadline) override {
    connection_->set_deadline(Way::kRead, deadline);
  }
  void set_write_deadline(Instant deadline) override {
    connection_->set_deadline(Way::kWrite, deadline);
  }
  void shutdown_write() override { connection_->shutdown_write(); }
  void close() override { connection_->close(); }
  Endpoint peer() const override { return connection_->peer(); }

 private:
  const std::shared_ptr<Connection> connection_;
};

}  // namespace

std::unique_ptr<Stream> server_stream(Runtime& runtime, std::shared_ptr<const Context> context,
                                      std::unique_ptr<Stream> below, StreamOptions options) {
  return std::make_unique<TlsStream>(std::make_shared<Connection>(
      runtime, std::move(context), std::move(below), std::move(options), /*accepting=*/true));
}

std::unique_ptr<Stream> client_stream(Runtime& runtime, std::shared_ptr<const Context> context,
                                      const std::string& address, std::unique_ptr<Stream> below,
                                      StreamOptions options) {
  auto connection = std::make_shared<Connection>(runtime, std::move(context), std::move(below),
                                                 std::move(options), /*accepting=*/false);
  connection->expect(address);
  return std::make_unique<TlsStream>(std::move(connection));
}

}  // namespace drumlin::tls
