// Reader of simple-evals' records. Field names are the format's.
#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "harness/foreign_fields.h"

namespace r1eval::foreign {

Result<ForeignRun> read_simple_evals(const std::string& path) {
  ForeignRun run;
  run.losses = {
      "simple-evals records neither item ids nor golds nor finish reasons: items are told apart by "
      "their prompts, and only --task NAME (by question) or nothing can score them"};
  const std::vector<std::string> files =
      files_under(path, [](const std::string& name) { return name.ends_with("_allresults.json"); });
  if (files.empty()) {
    return fail(ErrorCode::kNotFound, fmt::format("{}: no …_allresults.json there", path));
  }
  for (const std::string& file : files) {
    R1_TRY(const Json all, read_document(file));
    std::string task = std::filesystem::path(file).filename().string();
    task = task.substr(0, task.find('_'));
    const Json* conversations = find_member(all, "convos");
    if (conversations == nullptr || !conversations->is_array()) {
      return fail(ErrorCode::kParse, fmt::format("{}: field 'convos': expected a list", file));
    }
    for (const Json& conversation : *conversations) {
      ForeignSample s;
      s.task = task;
      for (const Json& message : conversation) {
        std::string content;
        read_content(find_member(message, "content"), content, s.thinking);
        if (text_at(message, "role") == "assistant") {
          s.response = content;
        } else {
          s.question = content;
          s.prompt += content + "\n";
        }
      }
      run.samples.push_back(std::move(s));
    }
  }
  return run;
}

}  // namespace r1eval::foreign
