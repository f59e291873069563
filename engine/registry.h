// From the words after --model to an open Backend.
//
// A model is, in this order: an alias of the catalogue (engine/catalog.h), a path to a .gguf file
// or a checkpoint folder, `mock:SCRIPT.jsonl`, or an endpoint (`NAME@URL`, or NAME with a base
// URL). A base URL, by flag or variable, always means an endpoint.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/backend.h"

namespace r1eval {

struct BackendOptions {
  std::string model;                     // as given
  std::string base_url;                  // empty: none given
  std::string api_key;                   // from a variable or a file; never printed or recorded
  std::vector<std::string> headers;      // "Key: value" for an endpoint
  std::vector<std::string> omit_fields;  // request fields that must not be sent
  std::string model_revision;
  bool stream = true;
  std::int64_t concurrency = 0;  // requests in flight or sequences in the batch; 0: backend decides
  std::int64_t max_attempts = 6;  // per request, the first included
  double first_token_timeout_s = 600;
  double idle_timeout_s = 120;      // between two pieces of a stream
  std::int64_t threads = 0;         // embedded: 0 = all available
  std::int64_t memory_bytes = 0;    // embedded: for weights, cache and scratch; 0 = as available
  std::int64_t context_tokens = 0;  // embedded: cap on the context; 0 = the model's own
  std::string numerics = "fast";    // embedded: "fast" or "reference"
  // Told of retries, dropped fields and rate limits, as a JSON object; from any thread. May be
  // empty.
  std::function<void(const std::string&)> on_event;
  std::string think_open;  // empty: the catalogue's or the default tags
  std::string think_close;
};

// Whether `options` name an endpoint, without asking it anything.
bool names_endpoint(const BackendOptions& options);

// Opens and probes the backend: files are read and checked, an endpoint's model list is asked for.
// Errors: kNotFound with the nearest names, kUnavailable, kUnsupported, kResourceExhausted.
Result<std::unique_ptr<Backend>> open_backend(const BackendOptions& options);

// "mock", "openai", "embedded", … with a line about each, and why one is absent from this build.
std::map<std::string, std::string> list_backends();

}  // namespace r1eval
