// Exit codes that scripts may rely on, and which kind of error ends with which.
#pragma once

#include "base/result.h"

namespace r1eval {

inline constexpr int kExitOk = 0;
inline constexpr int kExitGateFailed = 1;
inline constexpr int kExitUsage = 2;  // usage or configuration; things that cannot be compared
inline constexpr int kExitInconclusive = 3;
inline constexpr int kExitIncomplete = 4;   // failed requests above --max-failures; samples kept
inline constexpr int kExitEnvironment = 5;  // sandbox, endpoint, model or data missing
inline constexpr int kExitMalformedInput = 6;
inline constexpr int kExitInternal = 70;  // a bug of ours
inline constexpr int kExitInterrupted = 130;

// kInvalidArgument and kParse of a configuration are the user's to mend (2), the rest of the world
// is the environment's (5), a noticed bug is 70.
int exit_code_for(const Error& error);

// Logs "error: " + message and returns exit_code_for(error).
int report_failure(const Error& error);

}  // namespace r1eval
