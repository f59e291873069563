// The formats that `import` knows, and their readers (import_NAME.cc).
#include <fmt/format.h>

#include "base/file.h"
#include "harness/foreign_fields.h"

namespace r1eval {

std::vector<std::string> import_formats() {
  return {"jsonl", "lm-eval", "inspect", "evalscope", "lcb", "nemo", "simple-evals"};
}

Result<ForeignRun> read_foreign(const std::string& format, const std::string& path) {
  if (!path_exists(path)) {
    return fail(ErrorCode::kNotFound, fmt::format("{}: no such file or folder", path));
  }
  Result<ForeignRun> run = format == "jsonl"       ? foreign::read_jsonl(path)
                           : format == "lm-eval"   ? foreign::read_lm_eval(path)
                           : format == "inspect"   ? foreign::read_inspect(path)
                           : format == "evalscope" ? foreign::read_evalscope(path)
                           : format == "lcb"       ? foreign::read_lcb(path)
                           : format == "nemo"      ? foreign::read_nemo(path)
                                                   : foreign::read_simple_evals(path);
  if (!run) {
    return run;
  }
  run->format = format;
  if (run->samples.empty()) {
    return fail(
        ErrorCode::kParse,
        fmt::format("{}: no sample could be read as {}{}", path, format,
                    run->n_malformed > 0 ? fmt::format(" ({} malformed)", run->n_malformed) : ""));
  }
  return run;
}

}  // namespace r1eval
