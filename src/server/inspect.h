// `drumlin inspect`: what files of a data directory say. Reads files, asks no node.
#pragma once

#include <string>
#include <vector>

namespace drumlin::server {

// Prints to standard output; exit code 0 if all files are sound, 1 if one is damaged or cannot be read.
int run_inspect(const std::vector<std::string>& files, bool records);

}  // namespace drumlin::server
