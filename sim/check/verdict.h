// Verdict: what the checkers have to say of a run. The first violation counts; later ones are often
// its consequences.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace drumlin::sim {

enum class Class : uint8_t { kNone, kSafety, kLiveness, kCrash };

class Verdict {
 public:
  // `what` says which promise was broken, with the numbers.
  void safety(const std::string& checker, const std::string& what) {
    violate(Class::kSafety, checker, what);
  }
  void liveness(const std::string& checker, const std::string& what) {
    violate(Class::kLiveness, checker, what);
  }
  void crash(const std::string& what) { violate(Class::kCrash, "halt", what); }

  // A checker that never ran has checked nothing: the report counts every evaluation.
  void evaluated(const std::string& checker, uint64_t n = 1) { evaluations_[checker] += n; }

  bool violated() const { return class_ != Class::kNone; }
  Class kind() const { return class_; }
  const std::string& checker() const { return checker_; }
  const std::string& what() const { return what_; }
  const std::map<std::string, uint64_t>& evaluations() const { return evaluations_; }

 private:
  void violate(Class kind, const std::string& checker, const std::string& what) {
    if (violated()) return;
    class_ = kind;
    checker_ = checker;
    what_ = what;
  }
  Class class_ = Class::kNone;
  std::string checker_;
  std::string what_;
  std::map<std::string, uint64_t> evaluations_;
};

}  // namespace drumlin::sim
