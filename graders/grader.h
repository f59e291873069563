// The seam of grading: a completion's answer text and the target in, a Verdict out.
//
// Pure functions: no file, no network, no clock, no global state; safe to call from any thread. The
// grader "code" is the exception: it runs programs in the sandbox and waits for them.
// The text has had its thinking split off (graders/extract/thinking.h). Every limit on model text
// stands in graders/bounds.h.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/verdict.h"

namespace r1eval {

// Verdict::rule of a text that ends inside its thinking: it gives no answer.
inline constexpr std::string_view kTruncatedInThinking = "truncated_in_thinking";

// What a task file says of extraction and grading.
struct GraderSpec {
  std::string grader = "math";  // "math", "choice", "text", "code"
  // "auto", "whole" (the text is the answer) or "regex"; for code "auto", "lcb",
  // "last_python_block", "answer_tag" or "base"
  std::string extraction = "auto";
  std::string pattern;              // for "regex": an RE2 pattern whose first group is the answer
  std::string profile = "default";  // named set of rules, docs/grading.md
  int decimals = 6;                 // decimal literals agree within 10^-decimals
  bool delimited_only = false;      // answers stand in boxes or delimited mathematics only

  bool operator==(const GraderSpec&) const = default;
};

struct GradeRequest {
  std::string_view text;    // the answer part of the completion
  std::string_view target;  // gold: LaTeX or text, or the right letter in the order shown
  std::span<const std::string> choices;  // option texts in the order shown; empty if none
  bool is_truncated = false;             // the completion was cut by a limit
  bool prompt_opens_thinking = false;  // a text in which nothing closes the thinking has no answer
  std::string_view item;               // names the item among those of this grader; may be empty
  // Code items: brings Item::tests, from disk where it is large. The same for the same `item`.
  std::function<Result<std::string>()> load_tests;
};

class CodeExecutor;

class Grader {
 public:
  virtual ~Grader() = default;
  virtual Verdict grade(const GradeRequest& request) const = 0;

  // Do two answers (not golds) say the same? For votes; symmetric.
  virtual bool same_answer(std::string_view a, std::string_view b) const { return a == b; }

  // May answers be counted in a majority vote? Programs may not: nothing says which are the same.
  virtual bool has_votes() const { return true; }

  // Does grade() wait for something outside this process? Then it belongs on threads that may wait.
  virtual bool waits() const { return false; }

  // Can this target be graded at all? Asked before any request is sent: an unreadable gold or a
  // kind of item that this grader does not do gives an error that says which.
  virtual Status check_target(const GradeRequest& request) const = 0;
};

// `executor` runs programs for the grader "code"; without one that grader can check targets only,
// and leaves everything unscored.
// Errors: kInvalidArgument (unknown grader, extraction rule or profile with the nearest name, or a
// pattern that RE2 refuses).
Result<std::unique_ptr<Grader>> make_grader(const GraderSpec& spec,
                                            std::shared_ptr<CodeExecutor> executor = nullptr);

// Changes whenever a verdict can change; part of every grades file.
std::string_view grader_version();
// Hash of version and spec: names grades.HASH.jsonl.
std::string grader_hash(const GraderSpec& spec);

}  // namespace r1eval
