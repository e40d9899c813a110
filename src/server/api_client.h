// How the admin commands reach the API of the node that their configuration describes.
#pragma once

#include <memory>

#include "http/client.h"
#include "server/config_file.h"

namespace drumlin::server {

// A client of listen:ports.api. It speaks TLS if the configuration has a certificate, whose first
// certificate must then be the server's; or with settings.ca_file, if one of these has issued the
// server's certificate, which must be good for the address. Errors name the file. May block: reads it.
Result<std::unique_ptr<http::Client>> api_client(Runtime& runtime, const Settings& settings);

}  // namespace drumlin::server
