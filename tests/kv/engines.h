// The engines under test, and what all of kv's tests need to look into one.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "kv/api/kv.h"

namespace drumlin::kv::test {

using Model = std::map<std::string, std::string>;

// A new directory, gone with the object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// An engine and where it keeps its data.
class Engine {
 public:
  explicit Engine(std::string name) : name_(std::move(name)) { open(); }
  Kv& operator*() { return *kv_; }
  Kv* operator->() { return kv_.get(); }
  bool persistent() const { return name_ == "rocksdb"; }
  // Closes without a flush and opens again: what was not flushed may be gone.
  void reopen() {
    kv_.reset();
    open();
  }

 private:
  void open();
  std::string name_;
  TempDir dir_;
  std::unique_ptr<Kv> kv_;
};

// Kv::get, off the reactor if need be.
Result<std::optional<std::string>> get(const Kv& kv, std::string_view key);
// Everything in the range, by a cursor. Errors fail the test.
Model contents(const View& view, std::string_view lower = {}, std::string_view upper = {});
// The same of the present state, from the disk if need be.
Model contents(const Kv& kv);

Batch put(std::string_view key, std::string value);
Batch removal(std::string_view key);

}  // namespace drumlin::kv::test
