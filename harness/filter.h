// The frame of every stateless filter: JSONL in, JSONL out, in input order, in parallel.
//
// A malformed line gives {"id":…|null,"line":N,"error":"…"} and exit code 6 at the end, never an
// abort. The input's `id` is copied to the front of each answer. Empty lines are skipped. Lines are
// read in bounded batches, so memory does not grow with the input.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <span>
#include <vector>

#include "base/json.h"

namespace r1eval {

// Answers one input object; an error becomes an error line. Called from many threads.
using FilterAnswer = std::function<Result<OrderedJson>(const Json& input)>;

// Several answers to one input line (one a solution, say), each with the id in front.
using FilterAnswers = std::function<Result<std::vector<OrderedJson>>(const Json& input)>;

// Exit code: kExitOk or kExitMalformedInput; kExitEnvironment when the output cannot be written.
int run_jsonl_filter(std::FILE* input, std::FILE* output, const FilterAnswer& answer);
// `waiting_threads` above 0: answers wait for something outside, and run on so many threads.
int run_jsonl_filter_many(std::FILE* input, std::FILE* output, const FilterAnswers& answers,
                          std::int64_t waiting_threads = 0);

// Answers to a batch of input objects, one each, for work that gains from seeing them together.
// Called from one thread.
using BatchAnswer =
    std::function<std::vector<Result<OrderedJson>>(std::span<const Json* const> inputs)>;
int run_jsonl_batch_filter(std::FILE* input, std::FILE* output, const BatchAnswer& answer);

}  // namespace r1eval
