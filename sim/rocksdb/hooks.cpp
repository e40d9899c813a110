#include "sim/rocksdb/hooks.h"

#include <pthread.h>
#include <rocksdb/status.h>

#include <unordered_map>

#include "base/check.h"

namespace drumlin::sim {
namespace {

using Sizes = std::unordered_map<const void*, size_t>;  // order: only looked up

thread_local HookState* current = nullptr;
// What calls in a scope have from new[], until it is deleted, wherever that is. Never freed: RocksDB's
// globals are destroyed after ours.
thread_local Sizes* sizes = nullptr;

constexpr size_t kSomeBytes = 128;

void forget(const void* address) {
  if (sizes != nullptr) sizes->erase(address);
}

}  // namespace

HookScope::HookScope(HookState& state) : outer_(current) {
  current = &state;
}

HookScope::~HookScope() {
  current = outer_;
}

// `wrap_...` is what RocksDB calls, `real_...` what it would have called. Members of its classes become
// plain functions with `this` in front, which is how they are called (Itanium C++ ABI).
void* wrap_random() __asm__("__wrap__ZN7rocksdb6Random14GetTLSInstanceEv");
void* real_random() __asm__("__real__ZN7rocksdb6Random14GetTLSInstanceEv");
void wrap_unique_id(void* self, uint64_t* upper, uint64_t* lower) __asm__(
    "__wrap__ZN7rocksdb25SemiStructuredUniqueIdGen12GenerateNextEPmS1_");
void real_unique_id(void* self, uint64_t* upper, uint64_t* lower) __asm__(
    "__real__ZN7rocksdb25SemiStructuredUniqueIdGen12GenerateNextEPmS1_");
rocksdb::Status wrap_start_timer(void* self) __asm__(
    "__wrap__ZN7rocksdb6DBImpl26StartPeriodicTaskSchedulerEv");
rocksdb::Status real_start_timer(void* self) __asm__(
    "__real__ZN7rocksdb6DBImpl26StartPeriodicTaskSchedulerEv");
int wrap_cond_wait(pthread_cond_t* condition,
                   pthread_mutex_t* mutex) __asm__("__wrap_pthread_cond_wait");
int real_cond_wait(pthread_cond_t* condition,
                   pthread_mutex_t* mutex) __asm__("__real_pthread_cond_wait");

void* wrap_new_array(size_t bytes) __asm__("__wrap__Znam");
void* real_new_array(size_t bytes) __asm__("__real__Znam");
void wrap_delete_array(void* address) __asm__("__wrap__ZdaPv");
void real_delete_array(void* address) __asm__("__real__ZdaPv");
void wrap_delete_sized_array(void* address, size_t bytes) __asm__("__wrap__ZdaPvm");
void real_delete_sized_array(void* address, size_t bytes) __asm__("__real__ZdaPvm");
size_t wrap_usable_size(void* address) __asm__("__wrap_malloc_usable_size");
size_t real_usable_size(void* address) __asm__("__real_malloc_usable_size");

void* wrap_random() {
  if (current == nullptr) return real_random();
  ++current->randoms;
  return &current->random;
}

void wrap_unique_id(void* self, uint64_t* upper, uint64_t* lower) {
  if (current == nullptr) {
    real_unique_id(self, upper, lower);
    return;
  }
  ++current->unique_ids;
  *upper = current->ids.next();
  *lower = current->ids.next();
}

rocksdb::Status wrap_start_timer(void* self) {
  if (current == nullptr) return real_start_timer(self);
  ++current->timers;
  return rocksdb::Status::OK();
}

int wrap_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  if (current == nullptr) return real_cond_wait(condition, mutex);
  ++current->waits;
  DRUMLIN_CHECK_EQ(pthread_mutex_unlock(mutex), 0);
  DRUMLIN_CHECK(current->run_job(), "RocksDB waits for a job, and there is none");
  DRUMLIN_CHECK_EQ(pthread_mutex_lock(mutex), 0);
  return 0;
}

void* wrap_new_array(size_t bytes) {
  void* const out = real_new_array(bytes);
  if (current == nullptr) return out;
  if (sizes == nullptr) sizes = new Sizes;
  sizes->insert_or_assign(out, bytes);
  return out;
}

void wrap_delete_array(void* address) {
  forget(address);
  real_delete_array(address);
}

void wrap_delete_sized_array(void* address, size_t bytes) {
  forget(address);
  real_delete_sized_array(address, bytes);
}

size_t wrap_usable_size(void* address) {
  if (current == nullptr) return real_usable_size(address);
  const auto known = sizes == nullptr ? Sizes::const_iterator() : sizes->find(address);
  if (sizes == nullptr || known == sizes->end()) return kSomeBytes;
  ++current->sizes;
  return known->second;
}

}  // namespace drumlin::sim
