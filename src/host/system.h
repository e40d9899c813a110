// Odds and ends of the operating system.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

namespace drumlin::host {

// From the kernel's generator; waits only if the machine has just booted.
void fill_random(std::span<char> into);

// Differs from boot to boot. An error where /proc is not to be read.
Result<std::string> read_boot_id();

// The soft limit of open files becomes the hard one: a socket is a file, and the usual soft limit
// of 1024 is for programs that use select(). Returns the limit.
size_t raise_file_limit();

// How many fibers fit: each has a stack and a guard page, and the kernel allows a process so many mappings
// (vm.max_map_count); some are left for everything else. A guess where /proc is not to be read.
size_t most_fibers();

// `line` and a newline to standard error in one write. What cannot be written is lost.
void write_stderr(std::string_view line);

}  // namespace drumlin::host
