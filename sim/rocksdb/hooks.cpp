#include "sim/rocksdb/hooks.h"

#include <pthread.h>
#include <rocksdb/status.h>

#include "base/check.h"

namespace drumlin::sim {
namespace {

thread_local HookState* current = nullptr;

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

}  // namespace drumlin::sim
