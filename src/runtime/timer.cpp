#include "runtime/timer.h"

namespace drumlin {

Timer::~Timer() {
  disarm();
}

void Timer::disarm() {
  if (heap_ != nullptr) heap_->disarm(*this);
}

TimerHeap::~TimerHeap() {
  for (Timer* timer : heap_)
    timer->heap_ = nullptr;
}

void TimerHeap::arm(Timer& timer, Instant at) {
  timer.disarm();
  timer.heap_ = this;
  timer.at_ = at;
  timer.sequence_ = next_sequence_++;
  heap_.push_back(&timer);
  timer.position_ = heap_.size() - 1;
  up(timer.position_);
}

void TimerHeap::disarm(Timer& timer) {
  DRUMLIN_CHECK(timer.heap_ == this);
  const size_t hole = timer.position_;
  DRUMLIN_CHECK(heap_[hole] == &timer);
  timer.heap_ = nullptr;
  Timer* last = heap_.back();
  heap_.pop_back();
  if (last == &timer) return;
  place(last, hole);
  up(hole);
  down(last->position_);
}

Timer& TimerHeap::pop() {
  Timer& timer = top();
  disarm(timer);
  return timer;
}

void TimerHeap::place(Timer* timer, size_t position) {
  heap_[position] = timer;
  timer->position_ = position;
}

void TimerHeap::up(size_t position) {
  Timer* timer = heap_[position];
  while (position > 0) {
    const size_t parent = (position - 1) / 2;
    if (!before(*timer, *heap_[parent])) break;
    place(heap_[parent], position);
    position = parent;
  }
  place(timer, position);
}

void TimerHeap::down(size_t position) {
  Timer* timer = heap_[position];
  for (;;) {
    size_t child = 2 * position + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && before(*heap_[child + 1], *heap_[child])) ++child;
    if (!before(*heap_[child], *timer)) break;
    place(heap_[child], position);
    position = child;
  }
  place(timer, position);
}

}  // namespace drumlin
