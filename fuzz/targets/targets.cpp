#include "fuzz/targets/targets.h"

namespace drumlin::fuzz {

std::span<const Named> all_targets() {
  static constexpr Named kAll[] = {
      {"http_request", http_request},
      {"http_response", http_response},
      {"sigv4", sigv4},
      {"aws_chunked", aws_chunked},
      {"s3_xml", s3_xml},
      {"s3_uri", s3_uri},
      {"tokens", tokens},
      {"peer_frames", peer_frames},
      {"handshake", handshake},
      {"replica_wire", replica_wire},
      {"shard_codec", shard_codec},
      {"shard_apply", shard_apply},
      {"wal_format", wal_format},
      {"wal_recovery", wal_recovery},
      {"hardstate", hardstate},
      {"superblock", superblock},
      {"config_file", config_file},
      {"admin_api", admin_api},
      {"tls_files", tls_files},
      {"tls_server", tls_server},
  };
  return kAll;
}

}  // namespace drumlin::fuzz
