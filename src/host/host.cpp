#include "host/host.h"

#include <cstring>
#include <optional>

#include "base/check.h"
#include "host/disk.h"
#include "host/pool.h"
#include "host/reactor.h"
#include "host/signals.h"
#include "host/sockets.h"
#include "host/system.h"

namespace drumlin::host {
namespace {

uint64_t random_seed() {
  char bytes[sizeof(uint64_t)];
  fill_random(bytes);
  uint64_t seed = 0;
  std::memcpy(&seed, bytes, sizeof seed);
  return seed;
}

}  // namespace

class Host::Impl final : public Runtime {
 public:
  explicit Impl(const Options& options)
      : files_(reactor_, "drumlin-file", options.file_threads),
        jobs_(reactor_, "drumlin-job", options.job_threads),
        sockets_(reactor_),
        rng_(random_seed()) {}

  Status open(const std::string& data_dir) {
    DRUMLIN_ASSIGN(boot_id_, read_boot_id());
    DRUMLIN_TRY(reactor_.open());
    if (!data_dir.empty()) {
      DRUMLIN_ASSIGN(DataDir dir, open_data_dir(data_dir));
      disk_.emplace(std::move(dir), files_);
    }
    DRUMLIN_TRY(files_.start());
    return jobs_.start();
  }

  int run(const Main& main, std::function<void()> hangup) {
    DRUMLIN_CHECK(!domain_.dying(), "a Host runs once");
    Signals signals(
        reactor_, [this] { stop_.cancel(); }, std::move(hangup));
    const Status installed = signals.install();
    if (!installed.ok()) halt(installed.to_string());
    std::optional<int> ended;
    spawn("main", [&] { ended = main(*this, stop_); });
    while (!ended)
      reactor_.turn();
    // Jobs refer to the stacks of the fibers that wait for them: first the ones, then the others.
    jobs_.stop();
    files_.stop();
    reactor_.scheduler().kill(domain_);
    return *ended;
  }

  Scheduler& scheduler() override { return reactor_.scheduler(); }
  Domain& domain() override { return domain_; }
  Clock& clock() override { return reactor_; }
  Network& network() override { return sockets_; }
  Disk& disk() override {
    DRUMLIN_CHECK(disk_.has_value(), "a client has no disk");
    return *disk_;
  }
  const Rng& random() override { return rng_; }
  void secure_random(std::span<char> into) override { fill_random(into); }
  void offload(std::function<void()> job) override { jobs_.run(std::move(job)); }
  [[noreturn]] void halt(std::string_view reason) override {
    write_stderr("drumlin: halted: " + std::string(reason));
    ::_exit(kHaltedExitCode);
  }
  std::string boot_id() override { return boot_id_; }

 private:
  Reactor reactor_;
  Pool files_;
  Pool jobs_;
  Sockets sockets_;
  std::optional<PosixDisk> disk_;
  Rng rng_;
  std::string boot_id_;
  Cancellation stop_;
  Domain domain_{"node"};
};

Host::Host(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Host::~Host() = default;

Result<std::unique_ptr<Host>> Host::create(const Options& options) {
  (void)raise_file_limit();
  auto impl = std::make_unique<Impl>(options);
  DRUMLIN_TRY(impl->open(options.data_dir));
  return std::unique_ptr<Host>(new Host(std::move(impl)));
}

size_t open_files_limit() {
  return raise_file_limit();
}

int Host::run(const Main& main, std::function<void()> hangup) {
  return impl_->run(main, std::move(hangup));
}

}  // namespace drumlin::host
