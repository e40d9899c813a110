// Signature Version 4: what a server does for each request, and what a client does.
#include <benchmark/benchmark.h>

#include <array>

#include "auth/sigv4.h"
#include "base/check.h"
#include "base/digest.h"

namespace drumlin::bench {
namespace {

const auth::Credentials kCredentials{"AKIDEXAMPLEEXAMPLE12",
                                     "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};
constexpr WallTime kNow = WallTime(std::chrono::seconds(1'700'000'000));

void verify_header(benchmark::State& state) {
  const std::array<auth::HeaderView, 2> unsigned_headers{
      auth::HeaderView{"host", "127.0.0.1:9000"}, auth::HeaderView{"content-type", "text/plain"}};
  const auth::Signed s = auth::sign({"PUT", "/bucket/key-00000001", unsigned_headers}, kCredentials,
                                    "us-east-1", kNow, auth::kUnsignedPayloadText);
  const std::array<auth::HeaderView, 7> headers{
      auth::HeaderView{"Host", "127.0.0.1:9000"},
      auth::HeaderView{"Content-Type", "text/plain"},
      auth::HeaderView{"x-amz-date", s.amz_date},
      auth::HeaderView{"x-amz-content-sha256", s.content_sha256},
      auth::HeaderView{"User-Agent", "Boto3/1.28 md/Botocore"},
      auth::HeaderView{"Content-Length", "4096"},
      auth::HeaderView{"Authorization", s.authorization}};
  const auth::Verifier verifier{"us-east-1", auth::single_key(kCredentials)};
  for (auto _ : state) {
    const auth::VerifyResult result =
        verifier.verify({"PUT", "/bucket/key-00000001", headers}, kNow);
    DRUMLIN_CHECK(std::holds_alternative<auth::Verified>(result));
  }
}
BENCHMARK(verify_header)->Name("sigv4/verify");

void sign_header(benchmark::State& state) {
  const std::array<auth::HeaderView, 1> headers{auth::HeaderView{"host", "127.0.0.1:9000"}};
  for (auto _ : state) {
    benchmark::DoNotOptimize(auth::sign({"GET", "/bucket/key-00000001", headers}, kCredentials,
                                        "us-east-1", kNow, auth::kUnsignedPayloadText));
  }
}
BENCHMARK(sign_header)->Name("sigv4/sign");

void hmac_of(benchmark::State& state) {
  const std::string text(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state)
    benchmark::DoNotOptimize(hmac_sha256("thirty-two bytes of a secret key", text));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(hmac_of)->Name("digest/hmac_sha256")->Arg(64)->Arg(4096);

void md5_of(benchmark::State& state) {
  const std::string text(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state)
    benchmark::DoNotOptimize(md5(text));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(md5_of)->Name("digest/md5")->Arg(64)->Arg(4096)->Arg(1 << 20);

void sha256_of(benchmark::State& state) {
  const std::string text(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state)
    benchmark::DoNotOptimize(sha256(text));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(sha256_of)->Name("digest/sha256")->Arg(64)->Arg(4096)->Arg(1 << 20);

}  // namespace
}  // namespace drumlin::bench
