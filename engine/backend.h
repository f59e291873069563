// The seam between the harness and whatever generates text: requests in, completions out.
//
// Backends mock (scripted), openai (any compatible endpoint), embedded (our own engine). The
// harness
//          knows only this header and engine/registry.h.
// Flow     generate() pulls requests from a RequestSource whenever it has room, and hands each
//          Completion to a CompletionSink as soon as it is there, in any order. Nothing is queued
//          without a bound: what the backend has not pulled does not exist yet.
// Identity the text of a completion depends on the request alone (messages, config, seed), as far
// as
//          the backend can promise it (Capabilities::is_deterministic): never on what else is in
//          the batch, on thread count or on order.
// Errors   a request that fails for good comes back as a Completion with `error` set; generate()
//          itself fails only when nothing further can be done (model missing, endpoint refuses the
//          key, context too small for max_tokens).
// Threads  source.next() is called by one thread at a time; sink.done() by any thread, also at
// once.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/generation.h"
#include "base/message.h"
#include "base/result.h"

namespace r1eval {

struct GenerateRequest {
  std::int64_t index = 0;  // the caller's handle, given back with the completion
  std::string group;       // samples of one item share this name (and their prompt)
  std::vector<ChatMessage> messages;
  std::string
      assistant_prefix;  // text the answer is made to begin with, e.g. "<think>\n"; empty: none
  GenerateConfig config;
  // Not empty: nothing is generated. The messages' texts are one plain text for no chat template,
  // and these are scored after it (Capabilities::can_score).
  std::vector<std::string> continuations;
};

class RequestSource {
 public:
  virtual ~RequestSource() = default;
  // The next request, or nothing when there are no more (or the run is draining).
  virtual std::optional<GenerateRequest> next() = 0;
};

class CompletionSink {
 public:
  virtual ~CompletionSink() = default;
  virtual void done(std::int64_t index, Completion completion) = 0;
};

// How the server treats a sampler field that we send.
enum class FieldSupport { kSent, kServerDefault, kUnverified };

struct Capabilities {
  std::string model;           // as it stands in records and reports
  std::string model_identity;  // name + what the server or file states of itself; part of the key
  std::int64_t context_tokens = -1;  // prompt + completion; -1: unknown
  bool is_deterministic = false;     // same request, same text
  bool sends_seed = true;
  bool can_score = false;    // log-probabilities of given continuations
  std::string chat_problem;  // why messages cannot be rendered; empty: they can
  bool is_endpoint = false;  // requests leave this machine's process
  std::string think_open = "<think>";
  std::string think_close = "</think>";
  std::map<std::string, FieldSupport> sampler_fields;  // per field of GenerateConfig
  std::map<std::string, std::string>
      details;  // for the manifest: engine version, file hash, ISA, …
};

class Backend {
 public:
  virtual ~Backend() = default;

  // Known after the backend was opened; does not change.
  virtual const Capabilities& capabilities() const = 0;

  // Prompt tokens of a request where the backend can tell before sending (embedded), else -1.
  virtual std::int64_t count_prompt_tokens(const GenerateRequest& request) const = 0;

  // Runs until the source is dry and everything pulled has been handed to the sink, or until
  // `cancel` stops it: then what is in flight is dropped without being reported.
  virtual Status generate(RequestSource& source, CompletionSink& sink,
                          const CancelToken& cancel) = 0;
};

}  // namespace r1eval
