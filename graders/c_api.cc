#include <r1eval/grade.h>

#include <memory>
#include <new>
#include <string>
#include <vector>

#include "graders/grader.h"

struct r1eval_grader {
  std::unique_ptr<r1eval::Grader> grader;
  std::vector<std::string> choices;
  bool is_choice = false;
  std::string error;
  r1eval::Verdict last;
};

namespace {

int fail_with(r1eval_grader& grader, std::string message) {
  grader.error = std::move(message);
  return -1;
}

}  // namespace

extern "C" {

r1eval_grader* r1eval_grader_new(const char* kind, const char* profile, int whole_text) {
  auto* handle = new (std::nothrow) r1eval_grader;
  if (handle == nullptr) {
    return nullptr;
  }
  r1eval::GraderSpec spec;
  spec.grader = kind == nullptr ? "math" : kind;
  spec.profile = profile == nullptr || profile[0] == '\0' ? "default" : profile;
  spec.extraction = whole_text != 0 ? "whole" : "auto";
  handle->is_choice = spec.grader == "choice";
  handle->choices.resize(4);
  auto made = r1eval::make_grader(spec);
  if (made) {
    handle->grader = std::move(made).value();
  } else {
    handle->error = made.error().message;
  }
  return handle;
}

void r1eval_grader_free(r1eval_grader* grader) {
  delete grader;
}

const char* r1eval_grader_error(const r1eval_grader* grader) {
  return grader == nullptr ? "no grader" : grader->error.c_str();
}

int r1eval_grader_set_options(r1eval_grader* grader, int n_options) {
  if (grader == nullptr) {
    return -1;
  }
  if (n_options < 2 || n_options > 26) {
    return fail_with(*grader, "options: expected 2 to 26");
  }
  grader->choices.assign(static_cast<std::size_t>(n_options), "");
  return 0;
}

int r1eval_grade(r1eval_grader* grader, const char* gold, size_t gold_bytes, const char* text,
                 size_t text_bytes, r1eval_verdict* verdict) {
  if (grader == nullptr || verdict == nullptr) {
    return -1;
  }
  if (grader->grader == nullptr) {
    return -1;  // the reason stands since it was made
  }
  if ((gold == nullptr && gold_bytes > 0) || (text == nullptr && text_bytes > 0)) {
    return fail_with(*grader, "a text is missing");
  }
  r1eval::GradeRequest request;
  request.target = std::string_view(gold == nullptr ? "" : gold, gold_bytes);
  request.text = std::string_view(text == nullptr ? "" : text, text_bytes);
  if (grader->is_choice) {
    request.choices = grader->choices;
  }
  grader->last = grader->grader->grade(request);
  r1eval::Verdict& last = grader->last;
  if (last.outcome != r1eval::Outcome::kCorrect) {
    if (const auto readable = grader->grader->check_target(request); !readable) {
      last.outcome = r1eval::Outcome::kUnscored;
      last.rule = "unreadable_gold";
      last.evidence = readable.error().message;
    }
  }
  grader->error.clear();
  verdict->outcome = static_cast<int32_t>(last.outcome);
  verdict->span_from = last.span_from;
  verdict->span_to = last.span_to;
  verdict->answer = last.answer.c_str();
  verdict->gold_form = last.gold_form.c_str();
  verdict->pred_form = last.pred_form.c_str();
  verdict->rule = last.rule.c_str();
  verdict->evidence = last.evidence.c_str();
  return 0;
}

const char* r1eval_grader_version(void) {
  static const std::string version(r1eval::grader_version());
  return version.c_str();
}

}  // extern "C"
