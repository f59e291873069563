#include "graders/code/code_grader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <list>
#include <mutex>
#include <utility>

#include "base/json.h"
#include "base/nearest.h"
#include "graders/code/text.h"

namespace r1eval {
namespace {

constexpr std::int64_t kKeptProblemBytes = std::int64_t{256} << 20;
constexpr std::size_t kKeptProblems = 64;

// Unpacked problems of the items that were graded last. Samples of one item come close together.
class ProblemCache {
 public:
  std::shared_ptr<const CodeProblem> find(std::string_view item) {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(kept_.begin(), kept_.end(),
                                    [&](const Entry& entry) { return entry.item == item; });
    if (found == kept_.end()) {
      return nullptr;
    }
    kept_.splice(kept_.begin(), kept_, found);
    return found->problem;
  }

  void keep(std::string_view item, std::shared_ptr<const CodeProblem> problem) {
    const std::int64_t bytes = problem->bytes();
    if (bytes > kKeptProblemBytes / 4) {
      return;
    }
    const std::lock_guard lock(mutex_);
    bytes_ += bytes;
    kept_.push_front({std::string(item), std::move(problem), bytes});
    while (bytes_ > kKeptProblemBytes || kept_.size() > kKeptProblems) {
      bytes_ -= kept_.back().bytes;
      kept_.pop_back();
    }
  }

 private:
  struct Entry {
    std::string item;
    std::shared_ptr<const CodeProblem> problem;
    std::int64_t bytes;
  };

  std::mutex mutex_;  // guards what follows
  std::list<Entry> kept_;
  std::int64_t bytes_ = 0;
};

class CodeGrader : public Grader {
 public:
  CodeGrader(CodeStyle style, CodeProfile profile, std::shared_ptr<CodeExecutor> executor)
      : style_(style), executor_(std::move(executor)) {
    options_.profile = profile;
  }

  bool waits() const override { return true; }

  bool has_votes() const override { return false; }

  Status check_target(const GradeRequest& request) const override {
    if (!request.load_tests) {
      return fail(ErrorCode::kUnsupported, "the item has no tests");
    }
    R1_TRY(const std::string tests, request.load_tests());
    return check_code_problem(tests);
  }

  Verdict grade(const GradeRequest& request) const override {
    Verdict verdict;
    const ExtractedCode program = extract_code(request.text, style_);
    const std::vector<std::string_view> others = differing_styles(request.text, style_);
    if (program.from < 0 || python_strip(program.code).empty()) {
      verdict.outcome = Outcome::kNoAnswer;
      verdict.rule = code_style_name(style_);
      verdict.evidence = "no program was found";
      OrderedJson details;
      details["other_styles"] = others;
      verdict.details = dump_json(details);
      return verdict;
    }
    verdict.answer = program.code;
    verdict.span_from = program.from;
    verdict.span_to = program.to;
    const Result<std::shared_ptr<const CodeProblem>> problem = problem_of(request);
    Judgement judgement;
    if (executor_ == nullptr) {
      judgement.detail = "there is no sandbox to run programs in";
    } else if (!problem) {
      judgement.detail = problem.error().message;
    } else {
      judgement = judge_program(*executor_, **problem, program.code, options_);
    }
    fill(verdict, judgement, others);
    return verdict;
  }

 private:
  Result<std::shared_ptr<const CodeProblem>> problem_of(const GradeRequest& request) const {
    if (std::shared_ptr<const CodeProblem> kept = cache_.find(request.item); kept != nullptr) {
      return kept;
    }
    if (!request.load_tests) {
      return fail(ErrorCode::kUnsupported, "the item has no tests");
    }
    R1_TRY(const std::string tests, request.load_tests());
    R1_TRY(CodeProblem problem, read_code_problem(tests));
    auto shared = std::make_shared<const CodeProblem>(std::move(problem));
    if (!request.item.empty()) {
      cache_.keep(request.item, shared);
    }
    return std::shared_ptr<const CodeProblem>(shared);
  }

  void fill(Verdict& verdict, const Judgement& judgement,
            const std::vector<std::string_view>& others) const {
    switch (judgement.verdict) {
      case CodeVerdict::kOk:
        verdict.outcome = Outcome::kCorrect;
        break;
      case CodeVerdict::kIe:
        verdict.outcome = Outcome::kUnscored;
        break;
      default:
        verdict.outcome = Outcome::kIncorrect;
        break;
    }
    verdict.pred_form = code_verdict_name(judgement.verdict);
    verdict.gold_form = "OK";
    verdict.rule =
        fmt::format("{}/{}", code_style_name(style_), code_profile_name(options_.profile));
    verdict.evidence = evidence_of(judgement);
    OrderedJson details = judgement_json(judgement);
    if (!others.empty()) {
      details["other_styles"] = others;
    }
    verdict.details = dump_json(details);
  }

  static std::string evidence_of(const Judgement& judgement) {
    if (judgement.verdict == CodeVerdict::kOk) {
      return fmt::format("{} of {} tests passed", judgement.n_tests, judgement.n_tests);
    }
    std::string text(code_verdict_name(judgement.verdict));
    if (judgement.first_failing_test >= 0) {
      text += fmt::format(" at test {} of {}", judgement.first_failing_test + 1, judgement.n_tests);
    }
    if (!judgement.detail.empty()) {
      text += ": " + judgement.detail;
    }
    if (!judgement.expected.empty()) {
      text += fmt::format("; got '{}', expected '{}'", judgement.got, judgement.expected);
    }
    return text;
  }

  const CodeStyle style_;
  const std::shared_ptr<CodeExecutor> executor_;
  JudgeOptions options_;
  mutable ProblemCache cache_;
};

double rounded(double value, double steps) {
  return std::round(value * steps) / steps;
}

}  // namespace

OrderedJson judgement_json(const Judgement& judgement) {
  OrderedJson json;
  json["verdict"] = code_verdict_name(judgement.verdict);
  json["first_failing_test"] =
      judgement.first_failing_test < 0 ? OrderedJson() : OrderedJson(judgement.first_failing_test);
  json["n_tests"] = judgement.n_tests;
  json["results"] = OrderedJson::array();
  for (const LcbResult result : judgement.results) {
    json["results"].push_back(result == LcbResult::kTrue ? OrderedJson(true)
                              : result == LcbResult::kFalse
                                  ? OrderedJson(false)
                                  : OrderedJson(static_cast<int>(result)));
  }
  json["cpu_s"] = rounded(judgement.cpu_s, 1e6);
  json["wall_s"] = rounded(judgement.wall_s, 1e6);
  json["peak_mib"] = rounded(judgement.peak_mib, 100);
  if (judgement.n_reruns > 0) {
    json["reruns"] = judgement.n_reruns;
  }
  if (judgement.verdict != CodeVerdict::kOk) {
    json["detail"] = judgement.detail;
    json["input"] = judgement.input;
    json["got"] = judgement.got;
    json["expected"] = judgement.expected;
  }
  return json;
}

std::vector<std::string_view> differing_styles(std::string_view text, CodeStyle style) {
  std::vector<std::string_view> others;
  if (style == CodeStyle::kBase) {
    return others;
  }
  const std::string code = extract_code(text, style).code;
  for (const CodeStyle other :
       {CodeStyle::kLcb, CodeStyle::kLastPythonBlock, CodeStyle::kAnswerTag}) {
    const bool applies =
        other != CodeStyle::kAnswerTag || text.find("<answer>") != std::string_view::npos;
    if (other != style && applies &&
        python_strip(extract_code(text, other).code) != python_strip(code)) {
      others.push_back(code_style_name(other));
    }
  }
  return others;
}

Result<std::unique_ptr<Grader>> make_code_grader(const GraderSpec& spec,
                                                 std::shared_ptr<CodeExecutor> executor) {
  const std::optional<CodeStyle> style =
      code_style_from_name(spec.extraction == "auto" ? "lcb" : spec.extraction);
  if (!style) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("there is no way '{}' to extract code{}", spec.extraction,
                            did_you_mean(spec.extraction, {"auto", "lcb", "last_python_block",
                                                           "answer_tag", "base"})));
  }
  const std::optional<CodeProfile> profile =
      code_profile_from(spec.profile == "default" ? "lcb" : spec.profile);
  if (!profile) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the code grader has no profile '{}'; there are default, lcb, "
                            "lcb-official, strict",
                            spec.profile));
  }
  return std::unique_ptr<Grader>(
      std::make_unique<CodeGrader>(*style, *profile, std::move(executor)));
}

}  // namespace r1eval
