// Coverage-guided fuzz targets: one function per decoder of foreign bytes. A target takes any bytes
// and comes back; whatever it finds wrong fails a CHECK, a sanitizer or a limit of libFuzzer. It
// asserts more than "no crash": what was accepted encodes to the same again, however the bytes are
// cut they mean the same, and what was signed verifies until it is bent. Pure: no clock, no disk.
//
// `fuzz_<name>` of preset `fuzz` is a target under libFuzzer; fuzz_corpus of the other presets runs
// every target over the inputs in fuzz/corpus. tools/fuzz drives both.
#pragma once

#include <span>
#include <string_view>

namespace drumlin::fuzz {

using Target = void (*)(std::string_view input);

void http_request(std::string_view input);
void http_response(std::string_view input);
void sigv4(std::string_view input);
void aws_chunked(std::string_view input);
void s3_xml(std::string_view input);
void s3_uri(std::string_view input);
void tokens(std::string_view input);
void peer_frames(std::string_view input);
void handshake(std::string_view input);
void replica_wire(std::string_view input);
void shard_codec(std::string_view input);
void shard_apply(std::string_view input);
void wal_format(std::string_view input);
void wal_recovery(std::string_view input);
void hardstate(std::string_view input);
void superblock(std::string_view input);
void config_file(std::string_view input);
void admin_api(std::string_view input);
void tls_files(std::string_view input);
void tls_server(std::string_view input);

struct Named {
  std::string_view name;
  Target run;
};
std::span<const Named> all_targets();

}  // namespace drumlin::fuzz
