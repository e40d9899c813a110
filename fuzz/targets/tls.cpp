// TLS: files of certificates and keys, and what a client may send. OpenSSL is not built for coverage, so
// what guides the fuzzer is our side of it; sanitizers watch both, as far as memory comes from malloc.
#include <openssl/err.h>
#include <openssl/pem.h>

#include <memory>
#include <string>
#include <utility>

#include "base/check.h"
#include "fuzz/targets/memory_stream.h"
#include "fuzz/targets/peer_world.h"
#include "fuzz/targets/source.h"
#include "fuzz/targets/targets.h"
#include "fuzz/targets/tls_talk.h"
#include "tls/stream.h"

namespace drumlin::fuzz {
namespace {

using tls::Context;
using tls::Pem;

std::string pem_of(const char* what, std::string_view der) {
  BIO* bio = BIO_new(BIO_s_mem());
  DRUMLIN_CHECK(PEM_write_bio(bio, what, "", reinterpret_cast<const unsigned char*>(der.data()),
                              static_cast<long>(der.size())) >= 0);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string out(data, static_cast<size_t>(size));
  BIO_free(bio);
  return out;
}

// What a message may show of a file is its name. A line of base64 has no space, our own words have.
void check_refusal(const Status& status, const std::string& text) {
  DRUMLIN_CHECK(status.is(Code::kInvalidArgument), status.to_string());
  const std::string& message = status.message();
  DRUMLIN_CHECK(message.starts_with("cert.pem: ") || message.starts_with("key.pem: "), message);
  for (size_t at = 0; at + 24 <= text.size(); ++at) {
    const std::string_view part = std::string_view(text).substr(at, 24);
    DRUMLIN_CHECK(
        part.find(' ') != std::string_view::npos || message.find(part) == std::string::npos,
        message);
  }
}

void nothing_is_left() {
  DRUMLIN_CHECK_EQ(ERR_peek_error(), 0u);
}

void files(const std::string& certificate, const std::string& key) {
  PeerWorld world;
  const auto server = Context::server(world, {certificate, "cert.pem"}, {key, "key.pem"});
  nothing_is_left();
  if (server.ok()) {
    const tls::Certificate& shown = (*server)->certificate();
    DRUMLIN_CHECK(!shown.key.empty());
    (void)shown.trouble(WallTime{});
  } else {
    check_refusal(server.status(), certificate + key);
  }
  for (const Context::Trust trust : {Context::Trust::kIssuer, Context::Trust::kPinned}) {
    const auto client = Context::client(world, {certificate, "cert.pem"}, trust);
    nothing_is_left();
    DRUMLIN_CHECK(client.ok() || !server.ok(), client.status().to_string());
    if (!client.ok()) check_refusal(client.status(), certificate);
  }
}

// Everything until the end, which is told.
std::string hear(Stream& stream, Status& end) {
  std::string out;
  char into[1000];
  for (;;) {
    const Result<size_t> n = stream.read_some(into);
    nothing_is_left();
    end = n.status();
    if (!n.ok() || *n == 0) return out;
    out.append(into, *n);
  }
}

// All that a client says, whatever it hears. Our chance is none, so who says what was said once under
// these keys gets in; who bends it is found out.
void said_again(Source source) {
  const std::string steps = source.string(16);
  test::World world;
  world.run([&] {
    const auto stream = tls::server_stream(
        world, test_context(), std::make_unique<MemoryStream>(source.rest(), steps), {});
    Status end;
    const std::string heard = hear(*stream, end);
    DRUMLIN_CHECK(kClientSays.starts_with(heard), heard);
    if (end.ok()) DRUMLIN_CHECK_EQ(heard, kClientSays);
    DRUMLIN_CHECK(end.ok() || end.is(Code::kRefused) || end.is(Code::kClosed), end.to_string());
    DRUMLIN_CHECK(heard.empty() || !end.is(Code::kRefused), end.to_string());
  });
}

// A sound client, of whose bytes (or of the server's) one is changed on the way.
void bent(Source source) {
  Bend to_server;
  Bend to_client;
  Bend& bend = source.flag() ? to_client : to_server;
  bend.at = source.number() * 16;
  bend.at += source.below(16);
  bend.mask = static_cast<char>(source.byte());
  bend.cut = source.flag();
  test::World world;
  world.run([&] {
    Talk talk(world, to_server, to_client);
    std::string said;
    for (int i = 0; i < 8 && !source.empty(); ++i)
      said += std::string(source.number() % 3000, static_cast<char>('a' + i));
    const Talk::Heard heard = talk.run(said);
    nothing_is_left();
    DRUMLIN_CHECK(said.starts_with(heard.by_server));
    DRUMLIN_CHECK(heard.by_server.starts_with(heard.by_client));
    const bool untouched = !to_server.done && !to_client.done;
    if (untouched) DRUMLIN_CHECK_EQ(heard.by_client, said);
    if (heard.whole) DRUMLIN_CHECK_EQ(heard.by_server, said);
  });
}

}  // namespace

// Byte 0: text of PEM for all; or the DER of a certificate, or of a key, with a sound one of the other.
void tls_files(std::string_view input) {
  Source source(input);
  const uint64_t kind = source.byte() % 3;
  const std::string rest(source.rest());
  const tls::test::Issued& sound = test_identity();
  if (kind == 0) files(rest, rest);
  if (kind == 1) files(pem_of("CERTIFICATE", rest), sound.key);
  if (kind == 2) files(sound.certificate, pem_of("PRIVATE KEY", rest));
}

// Byte 0: what was said by a client; or one that is bent on the way.
void tls_server(std::string_view input) {
  Source source(input);
  source.flag() ? bent(source) : said_again(source);
}

}  // namespace drumlin::fuzz
