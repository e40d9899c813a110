// CHECK: invariants that cannot fail unless the program is wrong. Always on, also in production:
// a store that goes on with a broken invariant loses more than one that stops.
//
//   DRUMLIN_CHECK(next > match);
//   DRUMLIN_CHECK_EQ(header.lsn, expected);        // prints both operands
//   DRUMLIN_UNREACHABLE("message kind ", kind);    // for switches that cover everything
//
// A failed check prints file, line, expression and operands to standard error and aborts. In the
// simulator the run's child process dies and its parent reports the failure class "crash".
#pragma once

#include <sstream>
#include <string>

namespace drumlin {

[[noreturn]] void check_failed(const char* file, int line, const char* expression,
                               const std::string& operands);

namespace check_internal {
template <typename T>
std::string show(const T& value) {
  if constexpr (requires(std::ostream & o) { o << value; }) {
    std::ostringstream out;
    out << value;
    return out.str();
  } else if constexpr (requires { value.to_string(); }) {
    return value.to_string();
  } else {
    return "?";
  }
}
inline std::string concat() {
  return {};
}
template <typename... Parts>
requires(sizeof...(Parts) > 0) std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}
template <typename Status>
void check_ok(const Status& status, const char* file, int line, const char* expression) {
  if (!status.ok()) [[unlikely]]
    check_failed(file, line, expression, status.to_string());
}
}  // namespace check_internal

}  // namespace drumlin

#define DRUMLIN_CHECK(cond, ...)                                               \
  do {                                                                         \
    if (!(cond)) [[unlikely]] {                                                \
      ::drumlin::check_failed(__FILE__, __LINE__, #cond,                       \
                              ::drumlin::check_internal::concat(__VA_ARGS__)); \
    }                                                                          \
  } while (false)

#define DRUMLIN_CHECK_OP_(a, op, b)                                                  \
  do {                                                                               \
    const auto& drumlin_a_ = (a);                                                    \
    const auto& drumlin_b_ = (b);                                                    \
    if (!(drumlin_a_ op drumlin_b_)) [[unlikely]] {                                  \
      ::drumlin::check_failed(__FILE__, __LINE__, #a " " #op " " #b,                 \
                              ::drumlin::check_internal::show(drumlin_a_) + " vs " + \
                                  ::drumlin::check_internal::show(drumlin_b_));      \
    }                                                                                \
  } while (false)

#define DRUMLIN_CHECK_EQ(a, b) DRUMLIN_CHECK_OP_(a, ==, b)
#define DRUMLIN_CHECK_NE(a, b) DRUMLIN_CHECK_OP_(a, !=, b)
#define DRUMLIN_CHECK_LT(a, b) DRUMLIN_CHECK_OP_(a, <, b)
#define DRUMLIN_CHECK_LE(a, b) DRUMLIN_CHECK_OP_(a, <=, b)
#define DRUMLIN_CHECK_GT(a, b) DRUMLIN_CHECK_OP_(a, >, b)
#define DRUMLIN_CHECK_GE(a, b) DRUMLIN_CHECK_OP_(a, >=, b)

// For a Status that cannot be other than OK here; also that of a temporary: f().status().
#define DRUMLIN_CHECK_OK(expr) \
  ::drumlin::check_internal::check_ok((expr), __FILE__, __LINE__, #expr " is ok")

#define DRUMLIN_UNREACHABLE(...)                             \
  ::drumlin::check_failed(__FILE__, __LINE__, "unreachable", \
                          ::drumlin::check_internal::concat(__VA_ARGS__))
