// R1_CHECK: a broken invariant stops the program with file, line and a text. Never reachable from
// input: what a user, a file or a model can cause is an Error or a Verdict, not a check.
// R1_DCHECK is the same in builds without NDEBUG and nothing otherwise.
#pragma once

#include <string_view>

namespace r1eval {

[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               std::string_view text);

#define R1_CHECK(condition, text)                                     \
  do {                                                                \
    if (!(condition)) [[unlikely]] {                                  \
      ::r1eval::check_failed(__FILE__, __LINE__, #condition, (text)); \
    }                                                                 \
  } while (false)

#ifdef NDEBUG
#define R1_DCHECK(condition, text) \
  do {                             \
  } while (false)
#else
#define R1_DCHECK(condition, text) R1_CHECK(condition, text)
#endif

}  // namespace r1eval
