// What is asked of a model (GenerateConfig) and what comes back (Completion).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace r1eval {

// Sampling settings. An empty optional means "not sent": the server's default then rules, and the
// manifest says so. Protocol r1 sends neutral values explicitly.
struct GenerateConfig {
  std::optional<double> temperature;         // 0 is greedy
  std::optional<double> top_p;               // 1 is off
  std::optional<double> min_p;               // 0 is off
  std::optional<std::int64_t> top_k;         // 0 or -1 is off
  std::optional<double> presence_penalty;    // 0 is off
  std::optional<double> frequency_penalty;   // 0 is off
  std::optional<double> repetition_penalty;  // 1 is off
  std::int64_t max_tokens = 0;               // limit on generated tokens, thinking included; > 0
  std::uint64_t seed = 0;         // of this sample: a hash of (run seed, task, item, sample)
  bool send_seed = true;          // false: the request names no seed (--omit seed)
  std::vector<std::string> stop;  // stop strings; not part of the text that comes back
  // Tokens inside the think tags after which the thinking is cut off: the closing tag is forced and
  // the answer follows, or the sample ends there. 0: no limit. Embedded engine only.
  std::int64_t think_budget = 0;
  bool force_think_close = true;
  std::int64_t logprobs = -1;        // -1: none; n: of every token, and of the n best beside it
  std::string reasoning_effort;      // empty: not sent
  std::string chat_template_kwargs;  // a JSON object as text; empty: none
  std::string extra_body;            // a JSON object merged into an endpoint's request; empty: none
};

// Token counts; -1 where the server does not say.
struct Usage {
  std::int64_t prompt = -1;
  std::int64_t cached = -1;      // of `prompt`, served from a prefix cache
  std::int64_t completion = -1;  // thinking included
  std::int64_t reasoning = -1;   // of `completion`, inside the thinking
};

// Seconds on a steady clock; -1 where not measured.
struct Timings {
  double queue = -1;        // from hand-over to the start of the last attempt
  double first_token = -1;  // from the start of the last attempt to its first token
  double total = -1;        // from the start of the last attempt to its end
};

// A generated token's log-probability, untempered.
struct TokenLogprob {
  double logprob = 0;
  std::vector<std::pair<std::int32_t, double>> top;  // the n best tokens, best first
};

// One model output. Either `error` is set and the texts do not count, or the reply arrived whole.
struct Completion {
  std::string content;    // the text after the prompt (thinking included where it is in-band)
  std::string reasoning;  // the field reasoning_content or reasoning of an endpoint's reply
  bool has_reasoning_field = false;
  // "stop", "length", "content_filter", … as the server says it; ours: "stop" for an end token or a
  // stop string, "length" for a limit, "think_budget" where the thinking was cut off and not closed
  std::string finish_reason;
  std::string stop_cause;  // ours, finer: "end_token", "stop_string", "max_tokens", "context",
                           // "think_budget"; empty from an endpoint
  bool think_close_forced = false;     // the budget ran out and the closing tag was put in
  bool prompt_opens_thinking = false;  // the rendered prompt ended inside an opening think tag
  std::string rendered_prompt;         // as far as known to the backend; empty otherwise
  Usage usage;
  Timings timings;
  std::int64_t attempts = 1;       // requests sent for this sample, the last one included
  std::string server_model;        // what the server called its model in the reply
  std::string system_fingerprint;  // as the server states it
  std::string endpoint;            // address, without credentials; empty for the embedded engine
  std::vector<std::int32_t> token_ids;        // embedded engine only
  std::vector<TokenLogprob> logprobs;         // one a token, where asked for
  std::vector<double> continuation_logprobs;  // of a request with continuations, in their order
  std::optional<Error> error;  // the sample failed for a reason that is not the model's
};

}  // namespace r1eval
