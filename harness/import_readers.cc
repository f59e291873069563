// The formats that `import` knows, and their readers (import_NAME.cc).
#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "harness/foreign_fields.h"

namespace r1eval {
namespace {

using Reader = Result<ForeignRun> (*)(const std::string&, const foreign::ReadOptions&);

struct Format {
  const char* name;
  const char* looks_for;
  Reader read;
};

constexpr Format kFormats[] = {
    {"jsonl", "lines with task, item and response (--map reads other names)", foreign::read_jsonl},
    {"lm-eval", "samples_TASK_DATE.jsonl with doc_id, doc, target and resps",
     foreign::read_lm_eval},
    {"inspect", ".eval archives or .json logs with eval and samples", foreign::read_inspect},
    {"lighteval", "details as JSON with doc and model_response (or full_prompt and predictions)",
     foreign::read_lighteval},
    {"evalscope", "predictions/MODEL/DATASET.jsonl with index and model_output",
     foreign::read_evalscope},
    {"opencompass", "predictions/MODEL/DATASET.json: by index, origin_prompt, prediction, gold",
     foreign::read_opencompass},
    {"helm", "scenario_state.json with request_states", foreign::read_helm},
    {"nemo", "results.jsonl with problem_idx, model_response and expected_answer",
     foreign::read_nemo},
    {"nemo-skills", "output-rsSEED.jsonl with generation and expected_answer",
     foreign::read_nemo_skills},
    {"lcb", "…_eval_all.json: a list with question_id, output_list, code_list, graded_list",
     foreign::read_lcb},
    {"evalplus", "samples.jsonl with task_id and solution, or eval_results.json with eval",
     foreign::read_evalplus},
    {"bigcode", "generations….json: a list of lists of programs", foreign::read_bigcode},
    {"simple-evals", "…_allresults.json with convos", foreign::read_simple_evals},
    {"openai-evals", "an event log: lines with sample_id, type sampling or match, and data",
     foreign::read_openai_evals},
    {"promptfoo", "results.results, or lines, with response.output", foreign::read_promptfoo},
};

}  // namespace

std::vector<std::string> import_formats() {
  std::vector<std::string> names;
  for (const Format& format : kFormats) {
    names.emplace_back(format.name);
  }
  return names;
}

Result<ForeignRun> read_foreign(const std::string& format, const std::string& path,
                                const ImportOptions& options) {
  if (!path_exists(path)) {
    return fail(ErrorCode::kNotFound, fmt::format("{}: no such file or folder", path));
  }
  const Format* known = std::find_if(std::begin(kFormats), std::end(kFormats),
                                     [&](const Format& f) { return format == f.name; });
  if (known == std::end(kFormats)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("--from {}: no such format", format));
  }
  if (!options.map.empty() && format != "jsonl") {
    return fail(ErrorCode::kInvalidArgument, "--map is for --from jsonl: other formats have names");
  }
  Result<ForeignRun> run = known->read(path, {options.task, options.model, options.map});
  if (!run) {
    return run;
  }
  run->format = format;
  if (run->samples.empty()) {
    return fail(ErrorCode::kParse,
                fmt::format("{}: nothing there could be read as {}, which is {}{}", path, format,
                            known->looks_for,
                            run->n_malformed > 0
                                ? fmt::format("; {} records are of another shape", run->n_malformed)
                                : ""));
  }
  return run;
}

}  // namespace r1eval
