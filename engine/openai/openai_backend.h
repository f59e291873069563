// Any OpenAI-compatible endpoint as a Backend.
//
// Requests  chat completions, streamed or not, at most `concurrency` in flight, over one event loop
//           (libcurl's multi interface) on the thread that calls generate().
// Limits    on the first token and on the silence between two pieces, not on the whole: a long
// answer
//           takes many minutes.
// Retries   engine/openai/retry_policy.h. 429 and 5xx, broken connections, cut streams, malformed
// and
//           empty replies are tried again; 400 is a configuration error and is not; 401, 403 and
//           404 end the run. A field that the server refuses by name is left out from then on, and
//           the capabilities say so.
// Secrets   the key goes into the Authorization header only.
#pragma once

#include <memory>
#include <string>

#include "engine/backend.h"
#include "engine/registry.h"

namespace r1eval {

// Asks for the model list first: is the endpoint there, does it know the model, how long is its
// context? Errors: kUnavailable, kFailedPrecondition (key), kInvalidArgument (model, URL).
Result<std::unique_ptr<Backend>> open_openai_backend(const BackendOptions& options);

// "http://host:8000" -> "http://host:8000/v1"; a path that is there stays.
std::string normalize_base_url(std::string url);

}  // namespace r1eval
