#include "harness/exit_codes.h"

#include "base/log.h"

namespace r1eval {

int exit_code_for(const Error& error) {
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kParse:
      return kExitUsage;
    case ErrorCode::kNotFound:
    case ErrorCode::kIo:
    case ErrorCode::kUnavailable:
    case ErrorCode::kUnsupported:
    case ErrorCode::kResourceExhausted:
    case ErrorCode::kFailedPrecondition:
      return kExitEnvironment;
    case ErrorCode::kCancelled:
      return kExitInterrupted;
    case ErrorCode::kInternal:
      return kExitInternal;
  }
  return kExitInternal;
}

int report_failure(const Error& error) {
  log_error(error.message);
  return exit_code_for(error);
}

}  // namespace r1eval
