#include "harness/filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/parallel.h"
#include "base/waiting_threads.h"
#include "harness/exit_codes.h"

namespace r1eval {
namespace {

// Enough lines to keep every worker busy, few enough bytes to stay small with 8 MiB lines.
constexpr std::size_t kBatchLines = 4096;
constexpr std::size_t kBatchBytes = std::size_t{64} << 20;

struct Line {
  std::int64_t number = 0;
  std::string text;
  std::string answer;  // with the newline
  bool failed = false;
};

OrderedJson error_line(const Json* id, std::int64_t number, const std::string& message) {
  OrderedJson out;
  out["id"] = id == nullptr ? OrderedJson() : OrderedJson(*id);
  out["line"] = number;
  out["error"] = message;
  return out;
}

void fail_line(Line& line, const Json* id, const std::string& message) {
  line.failed = true;
  line.answer = dump_json(error_line(id, line.number, message)) + "\n";
}

// The line's object; otherwise the line has its answer already.
std::optional<Json> parse_line(Line& line) {
  Result<Json> input = parse_json(line.text);
  if (!input) {
    fail_line(line, nullptr, input.error().message);
    return std::nullopt;
  }
  if (!input->is_object()) {
    fail_line(line, nullptr, fmt::format("expected a JSON object, got {}", input->type_name()));
    return std::nullopt;
  }
  return std::move(input).value();
}

void write_answers(Line& line, const Json& input, const Result<std::vector<OrderedJson>>& result) {
  const Json* id = find_member(input, "id");
  if (!result) {
    fail_line(line, id, result.error().message);
    return;
  }
  for (const OrderedJson& object : *result) {
    OrderedJson out;
    out["id"] = id == nullptr ? OrderedJson() : OrderedJson(*id);
    for (const auto& [key, value] : object.items()) {
      out[key] = value;
    }
    line.answer += dump_json(out);
    line.answer += '\n';
  }
}

void answer_line(Line& line, const FilterAnswers& answers) {
  if (const std::optional<Json> input = parse_line(line)) {
    write_answers(line, *input, answers(*input));
  }
}

// Reads one line of any length; false at the end of the input.
bool read_line(std::FILE* input, std::string& line) {
  line.clear();
  char buffer[1 << 16];
  while (std::fgets(buffer, sizeof buffer, input) != nullptr) {
    // fgets stops at '\n' or when the buffer is full; a NUL inside a line is malformed JSON anyway.
    line += buffer;
    if (!line.empty() && line.back() == '\n') {
      line.pop_back();
      if (!line.empty() && line.back() == '\r') {
        line.pop_back();
      }
      return true;
    }
  }
  return !line.empty();
}

// Reads batches of lines, has each answered, and writes the answers in order.
template <typename AnswerBatch>
int filter_batches(std::FILE* input, std::FILE* output, const AnswerBatch& answer_batch) {
  bool any_failed = false;
  std::int64_t number = 0;
  bool more = true;
  while (more) {
    std::vector<Line> batch;
    std::size_t bytes = 0;
    std::string text;
    while (batch.size() < kBatchLines && bytes < kBatchBytes && (more = read_line(input, text))) {
      ++number;
      if (std::all_of(text.begin(), text.end(), [](char c) { return c == ' ' || c == '\t'; })) {
        continue;
      }
      bytes += text.size();
      batch.push_back({number, std::move(text), "", false});
      text.clear();
    }
    answer_batch(batch);
    for (const Line& line : batch) {
      any_failed |= line.failed;
      if (std::fwrite(line.answer.data(), 1, line.answer.size(), output) != line.answer.size()) {
        log_error("writing the output failed; is the disk full or the reader gone?");
        return kExitEnvironment;
      }
    }
    if (std::fflush(output) != 0) {
      log_error("writing the output failed; is the disk full or the reader gone?");
      return kExitEnvironment;
    }
  }
  return any_failed ? kExitMalformedInput : kExitOk;
}

}  // namespace

int run_jsonl_filter_many(std::FILE* input, std::FILE* output, const FilterAnswers& answers,
                          std::int64_t waiting_threads) {
  return filter_batches(input, output, [&](std::vector<Line>& batch) {
    const auto n_lines = static_cast<std::int64_t>(batch.size());
    const auto answer = [&](std::int64_t i) {
      answer_line(batch[static_cast<std::size_t>(i)], answers);
    };
    if (waiting_threads > 0) {
      run_on_waiting_threads(n_lines, waiting_threads, answer);
    } else {
      parallel_for_index(n_lines, answer);
    }
  });
}

int run_jsonl_batch_filter(std::FILE* input, std::FILE* output, const BatchAnswer& answer) {
  return filter_batches(input, output, [&](std::vector<Line>& batch) {
    std::vector<std::optional<Json>> parsed;
    std::vector<const Json*> inputs;
    for (Line& line : batch) {
      parsed.push_back(parse_line(line));
    }
    for (const std::optional<Json>& one : parsed) {
      if (one) {
        inputs.push_back(&*one);
      }
    }
    std::vector<Result<OrderedJson>> answers = answer(inputs);
    std::size_t at = 0;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (!parsed[i]) {
        continue;
      }
      Result<OrderedJson>& one = answers[at++];
      if (!one) {
        write_answers(batch[i], *parsed[i], one.error());
        continue;
      }
      std::vector<OrderedJson> object;
      object.push_back(std::move(one).value());
      write_answers(batch[i], *parsed[i], object);
    }
  });
}

int run_jsonl_filter(std::FILE* input, std::FILE* output, const FilterAnswer& answer) {
  return run_jsonl_filter_many(input, output,
                               [&](const Json& line) -> Result<std::vector<OrderedJson>> {
                                 R1_TRY(OrderedJson object, answer(line));
                                 std::vector<OrderedJson> answers;
                                 answers.push_back(std::move(object));
                                 return answers;
                               });
}

}  // namespace r1eval
