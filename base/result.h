// How expected failures travel: Result<T> is a value or an Error, Status is success or an Error.
//
// Shaped like std::expected (C++23), so that it can become an alias once the compiler has it.
// Use      `R1_TRY(auto file, open(path));` takes the value or returns the error to the caller,
//          `R1_RETURN_IF_ERROR(check());` the same without a value,
//          `return fail(ErrorCode::kNotFound, "no task named x");` makes one.
// Contract a value of an error, or an error of a value, is a bug and aborts (R1_CHECK's behaviour).
// Threads  values, no shared state.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace r1eval {

// The kind of a failure, as far as a caller acts on it; harness/exit_codes.h maps kinds to exits.
enum class ErrorCode : std::uint8_t {
  kInvalidArgument,     // a flag, a field of a configuration or a call's argument is wrong
  kParse,               // bytes of a file or a reply are not what their format says
  kNotFound,            // a file, task, model, item or device is not there
  kIo,                  // the operating system refused a read or a write
  kUnavailable,         // an endpoint did not answer, or answered that it cannot now
  kUnsupported,         // well formed, but something that this program does not do
  kResourceExhausted,   // memory, disk or a stated limit does not suffice
  kFailedPrecondition,  // the environment or an existing file forbids the operation
  kCancelled,           // the caller asked to stop
  kInternal,            // a bug of ours that was noticed in time
};

// The kind's name as messages and records print it, e.g. "not_found".
std::string_view error_code_name(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // what was being done, with which value, and what would help

  // The same error with the caller's doing put in front: "load gpqa_diamond: " + message.
  Error with_context(std::string_view doing) const& {
    return Error{code, std::string(doing) + ": " + message};
  }
};

inline Error fail(ErrorCode code, std::string message) {
  return Error{code, std::move(message)};
}

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}

  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }

  explicit operator bool() const { return has_value(); }

  T& value() & {
    require(has_value());
    return std::get<0>(state_);
  }

  const T& value() const& {
    require(has_value());
    return std::get<0>(state_);
  }

  T&& value() && {
    require(has_value());
    return std::get<0>(std::move(state_));
  }

  T& operator*() & { return value(); }

  const T& operator*() const& { return value(); }

  T* operator->() { return &value(); }

  const T* operator->() const { return &value(); }

  T value_or(T other) const& { return has_value() ? std::get<0>(state_) : std::move(other); }

  const Error& error() const {
    require(!has_value());
    return std::get<1>(state_);
  }

 private:
  void require(bool ok) const {
    if (!ok) {
      std::fprintf(stderr, "r1eval: bug: Result read as what it is not%s%s\n",
                   has_value() ? "" : ": ", has_value() ? "" : std::get<1>(state_).message.c_str());
      std::abort();
    }
  }

  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;

  Result(Error error) : error_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return error_.index() == 0; }

  explicit operator bool() const { return has_value(); }

  const Error& error() const {
    if (has_value()) {
      std::fprintf(stderr, "r1eval: bug: error() of a success\n");
      std::abort();
    }
    return std::get<1>(error_);
  }

 private:
  std::variant<std::monostate, Error> error_;
};

using Status = Result<void>;

inline Status ok_status() {
  return Status();
}

#define R1_CONCAT_INNER(a, b) a##b
#define R1_CONCAT(a, b) R1_CONCAT_INNER(a, b)

#define R1_TRY_INNER(temporary, declaration, expression) \
  auto temporary = (expression);                         \
  if (!temporary.has_value()) {                          \
    return temporary.error();                            \
  }                                                      \
  declaration = std::move(temporary).value()

// `R1_TRY(auto x, f());` declares x with f()'s value, or returns f()'s error.
#define R1_TRY(declaration, expression) \
  R1_TRY_INNER(R1_CONCAT(r1_try_, __LINE__), declaration, expression)

#define R1_RETURN_IF_ERROR(expression) \
  do {                                 \
    auto r1_status = (expression);     \
    if (!r1_status.has_value()) {      \
      return r1_status.error();        \
    }                                  \
  } while (false)

}  // namespace r1eval
