#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/hash.h"
#include "base/nearest.h"
#include "graders/bounds.h"
#include "graders/code/code_grader.h"
#include "graders/extract/choice.h"
#include "graders/extract/math_answer.h"
#include "graders/extract/thinking.h"
#include "graders/grader.h"
#include "graders/math/equality.h"
#include "graders/math/number_words.h"
#include "graders/math/parser.h"

namespace r1eval {
namespace {

// The tail of a text past the limit: answers stand at the end.
std::string_view within_limit(std::string_view text) {
  const auto limit = static_cast<std::size_t>(bounds::kMaxScannedBytes);
  return text.size() > limit ? text.substr(text.size() - limit) : text;
}

int read_level(std::string_view text) {
  return static_cast<int>(how_readable(text));
}

// As read_level, with numbers in words read as numbers.
int read_level_with_words(std::string_view text) {
  const auto digits = with_digits(unwrap_answer(text));
  return digits && how_readable(*digits) == Readable::kMath ? 2 : read_level(text);
}

Verdict no_answer(std::string evidence) {
  Verdict verdict;
  verdict.outcome = Outcome::kNoAnswer;
  verdict.rule = "none";
  verdict.evidence = std::move(evidence);
  return verdict;
}

// Nothing was found in the answer part; a text that ends in its thinking is told apart.
Verdict nothing_found(bool is_unfinished, std::string evidence) {
  Verdict verdict = no_answer(is_unfinished ? "the thinking is not finished" : std::move(evidence));
  if (is_unfinished) {
    verdict.rule = kTruncatedInThinking;
  }
  return verdict;
}

// What every grader does first: the answer part of the text, and the pattern of "regex".
class TextReader {
 public:
  explicit TextReader(const GraderSpec& spec) : salvage_(spec.profile == "salvage-unfinished") {
    if (spec.extraction == "regex") {
      RE2::Options options;
      options.set_log_errors(false);
      pattern_ = std::make_unique<RE2>(spec.pattern, options);
    }
  }

  Status check() const {
    if (pattern_ == nullptr) {
      return ok_status();
    }
    if (!pattern_->ok()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("the extraction pattern is not valid: {}", pattern_->error()));
    }
    if (pattern_->NumberOfCapturingGroups() < 1) {
      return fail(ErrorCode::kInvalidArgument,
                  "the extraction pattern has no group: put (…) around the answer");
    }
    return ok_status();
  }

  bool has_pattern() const { return pattern_ != nullptr; }

  // The part of the request's text that may hold the answer; a view of its last 8 MiB at most.
  std::string_view answer_part(const GradeRequest& request, bool& is_unfinished) const {
    const std::string_view text = within_limit(request.text);
    const AnswerPart part = find_answer_part(text, salvage_, request.prompt_opens_thinking);
    is_unfinished = part.is_unfinished;
    return text.substr(part.from, part.to > part.from ? part.to - part.from : 0);
  }

  // The last match's first group, or an empty view with a null pointer.
  std::string_view match(std::string_view text) const {
    re2::StringPiece rest(text.data(), text.size());
    re2::StringPiece group;
    std::string_view last;
    std::array<re2::StringPiece, 2> groups;
    std::size_t from = 0;
    while (from <= text.size() &&
           pattern_->Match(rest, from, text.size(), RE2::UNANCHORED, groups.data(), 2)) {
      if (groups[1].data() != nullptr) {
        last = std::string_view(groups[1].data(), groups[1].size());
      }
      const auto end = static_cast<std::size_t>(groups[0].data() - text.data()) + groups[0].size();
      from = end > from ? end : from + 1;
    }
    return last;
  }

 private:
  bool salvage_;
  std::unique_ptr<RE2> pattern_;
};

void set_answer(Verdict& verdict, std::string_view whole, std::string_view part, std::int64_t from,
                std::int64_t to) {
  const std::int64_t shift = part.data() - whole.data();
  verdict.span_from = from + shift;
  verdict.span_to = to + shift;
}

class MathGrader : public Grader {
 public:
  explicit MathGrader(const GraderSpec& spec) : spec_(spec), reader_(spec) {
    rules_.decimals = std::clamp(spec.decimals, 0, 100);
    rules_.is_percent_lenient = spec.profile == "percent-lenient";
    rules_.set_relation_both_ways = spec.profile == "set-relation-both-ways";
    rules_.is_loose = spec.profile == "loose-numeric";
    rules_.rounds_to_gold = spec.profile == "round-to-gold-decimals";
    rules_.needs_reduced_form = spec.profile == "prm800k-reduced-form";
    rules_.is_trivial_only = spec.profile == "trivial-simplification-only";
    rules_.names_are_free = spec.profile == "free-variable-names";
    rules_.reads_number_words = spec.profile == "number-words";
    answer_rules_.last_box_only = spec.profile == "last-box-only";
    answer_rules_.statement_first = spec.profile == "boxed-after-final-answer";
    answer_rules_.delimited_only = spec.delimited_only;
    answer_rules_.reads_number_words = rules_.reads_number_words;
  }

  Status check() const { return reader_.check(); }

  Status check_target(const GradeRequest& request) const override {
    return check_gold(gold_of(request.target));
  }

  bool same_answer(std::string_view a, std::string_view b) const override {
    return a == b || compare_math(a, b, rules_).outcome == Outcome::kCorrect ||
           compare_math(b, a, rules_).outcome == Outcome::kCorrect;
  }

  Verdict grade(const GradeRequest& request) const override {
    bool is_unfinished = false;
    const std::string_view part = reader_.answer_part(request, is_unfinished);
    Verdict verdict;
    FoundAnswer found;
    if (reader_.has_pattern()) {
      const std::string_view match = reader_.match(part);
      if (match.data() != nullptr) {
        found = {true, std::string(match), match.data() - part.data(), 0, "regex"};
        found.to = found.from + static_cast<std::int64_t>(match.size());
      }
    } else if (spec_.extraction == "whole") {
      const bool has_box = part.find("oxed") != std::string_view::npos;
      found = has_box ? find_math_answer(part, level(), answer_rules_) : FoundAnswer();
      if (!found.found) {
        found = {true, std::string(part), 0, static_cast<std::int64_t>(part.size()), "whole"};
      }
    } else {
      found = find_math_answer(part, level(), answer_rules_);
    }
    if (!reader_.has_pattern() && part == request.target && !part.empty()) {
      verdict.outcome = Outcome::kCorrect;
      verdict.answer = std::string(part);
      set_answer(verdict, request.text, part, 0, static_cast<std::int64_t>(part.size()));
      verdict.pred_form = verdict.answer;
      verdict.gold_form = verdict.answer;
      verdict.rule = "whole/string";
      verdict.evidence = "string";
      return verdict;
    }
    if (!found.found) {
      return nothing_found(is_unfinished, "no answer was found");
    }
    const std::string gold = gold_of(request.target);
    const MathComparison comparison = compare_math(gold, found.text, rules_);
    verdict.outcome = comparison.outcome;
    verdict.answer = std::move(found.text);
    set_answer(verdict, request.text, part, found.from, found.to);
    verdict.pred_form = comparison.pred_form;
    verdict.gold_form = comparison.gold_form;
    verdict.rule = fmt::format("{}/{}", found.rule, comparison.rung);
    verdict.evidence = comparison.evidence;
    return verdict;
  }

 private:
  int (*level() const)(std::string_view) {
    return rules_.reads_number_words ? read_level_with_words : read_level;
  }

  // A target is an answer; a worked solution's answer is what the same rules find in it.
  static std::string gold_of(std::string_view target) {
    const bool is_solution = target.find("oxed") != std::string_view::npos ||
                             target.find("####") != std::string_view::npos;
    if (!is_solution && how_readable(target) != Readable::kNo) {
      return std::string(target);
    }
    const FoundAnswer found = find_math_answer(target, read_level);
    const bool is_clear = found.rule == "boxed" || found.rule == "statement" ||
                          (target.size() >= 60 && found.rule != "number");
    return found.found && is_clear ? found.text : std::string(target);
  }

  GraderSpec spec_;
  TextReader reader_;
  MathRules rules_;
  AnswerRules answer_rules_;
};

class ChoiceGrader : public Grader {
 public:
  explicit ChoiceGrader(const GraderSpec& spec)
      : reader_(spec), case_sensitive_(spec.profile == "case-sensitive") {}

  Status check() const { return reader_.check(); }

  Status check_target(const GradeRequest& request) const override {
    const auto n = static_cast<std::int64_t>(request.choices.size());
    if (n > bounds::kMaxOptions) {
      return fail(ErrorCode::kUnsupported, fmt::format("{} options; at most 26 have letters", n));
    }
    const std::string options = letters_of(request);
    if (request.target.empty() ||
        request.target.find_first_not_of(options) != std::string_view::npos) {
      return fail(ErrorCode::kUnsupported, fmt::format("the target '{}' is none of the letters {}",
                                                       request.target.substr(0, 40), options));
    }
    return ok_status();
  }

  Verdict grade(const GradeRequest& request) const override {
    bool is_unfinished = false;
    const std::string_view part = reader_.answer_part(request, is_unfinished);
    const std::string options = letters_of(request);
    ChoiceRules rules;
    rules.options = options;
    rules.option_texts = request.choices;
    rules.is_multi = request.target.size() > 1;
    rules.is_case_sensitive = case_sensitive_;
    ChosenLetter chosen;
    std::string_view searched = part;
    if (reader_.has_pattern()) {
      searched = reader_.match(part);
      if (searched.data() == nullptr) {
        return no_answer("the pattern does not match");
      }
    }
    chosen = extract_choice(searched, rules);
    if (chosen.letters.empty()) {
      return nothing_found(is_unfinished, "no option was chosen");
    }
    Verdict verdict;
    verdict.answer = chosen.letters;
    set_answer(verdict, request.text, searched, chosen.from, chosen.to);
    verdict.rule = chosen.rule;
    verdict.pred_form = chosen.letters;
    verdict.gold_form = std::string(request.target);
    verdict.outcome =
        verdict.pred_form == verdict.gold_form ? Outcome::kCorrect : Outcome::kIncorrect;
    verdict.evidence = "letter";
    return verdict;
  }

 private:
  static std::string letters_of(const GradeRequest& request) {
    const std::size_t n =
        request.choices.empty() ? 4 : std::min<std::size_t>(26, request.choices.size());
    return std::string("ABCDEFGHIJKLMNOPQRSTUVWXYZ").substr(0, n);
  }

  TextReader reader_;
  bool case_sensitive_;
};

class TextGrader : public Grader {
 public:
  explicit TextGrader(const GraderSpec& spec) : reader_(spec) {}

  Status check() const { return reader_.check(); }

  Status check_target(const GradeRequest& request) const override {
    return fold_words(request.target).empty()
               ? Status(fail(ErrorCode::kUnsupported, "the target is empty"))
               : ok_status();
  }

  Verdict grade(const GradeRequest& request) const override {
    bool is_unfinished = false;
    std::string_view part = reader_.answer_part(request, is_unfinished);
    if (reader_.has_pattern()) {
      part = reader_.match(part);
    }
    if (part.find_first_not_of(" \t\r\n") == std::string_view::npos) {
      return nothing_found(is_unfinished, "no answer was found");
    }
    Verdict verdict;
    verdict.answer = std::string(part);
    set_answer(verdict, request.text, part, 0, static_cast<std::int64_t>(part.size()));
    verdict.pred_form = fold_words(part);
    verdict.gold_form = fold_words(request.target);
    verdict.rule = reader_.has_pattern() ? "regex" : "whole";
    verdict.outcome =
        verdict.pred_form == verdict.gold_form ? Outcome::kCorrect : Outcome::kIncorrect;
    verdict.evidence = "text";
    return verdict;
  }

 private:
  TextReader reader_;
};

template <typename G>
Result<std::unique_ptr<Grader>> make(const GraderSpec& spec) {
  auto grader = std::make_unique<G>(spec);
  R1_RETURN_IF_ERROR(grader->check());
  return std::unique_ptr<Grader>(std::move(grader));
}

}  // namespace

Result<std::unique_ptr<Grader>> make_grader(const GraderSpec& spec,
                                            std::shared_ptr<CodeExecutor> executor) {
  static const std::map<std::string, std::vector<std::string>> profiles = {
      {"math",
       {"default", "percent-lenient", "set-relation-both-ways", "salvage-unfinished",
        "free-variable-names", "last-box-only", "boxed-after-final-answer", "loose-numeric",
        "round-to-gold-decimals", "prm800k-reduced-form", "trivial-simplification-only",
        "number-words"}},
      {"choice", {"default", "case-sensitive", "salvage-unfinished"}},
      {"text", {"default", "salvage-unfinished"}},
  };
  if (spec.grader == "code") {
    return make_code_grader(spec, std::move(executor));
  }
  const auto known = profiles.find(spec.grader);
  if (known == profiles.end()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("there is no grader '{}'{}", spec.grader,
                            did_you_mean(spec.grader, {"math", "choice", "text", "code"})));
  }
  if (spec.extraction != "auto" && spec.extraction != "whole" && spec.extraction != "regex") {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("there is no extraction rule '{}'{}", spec.extraction,
                            did_you_mean(spec.extraction, {"auto", "whole", "regex"})));
  }
  const auto& names = known->second;
  if (std::find(names.begin(), names.end(), spec.profile) == names.end()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the {} grader has no profile '{}'; there are {}", spec.grader,
                            spec.profile, fmt::join(names, ", ")));
  }
  if (spec.grader == "math") {
    return make<MathGrader>(spec);
  }
  if (spec.grader == "choice") {
    return make<ChoiceGrader>(spec);
  }
  return make<TextGrader>(spec);
}

std::string_view grader_version() {
  return "5";
}

std::string grader_hash(const GraderSpec& spec) {
  const std::string all = fmt::format("{}\n{}\n{}\n{}\n{}\n{}{}", grader_version(), spec.grader,
                                      spec.extraction, spec.pattern, spec.profile, spec.decimals,
                                      spec.delimited_only ? "\ndelimited" : "");
  return sha256_hex(all).substr(0, 12);
}

}  // namespace r1eval
