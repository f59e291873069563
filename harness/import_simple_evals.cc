// Reader of simple-evals' records. Field names are the format's.
#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "harness/foreign_fields.h"

namespace r1eval::foreign {

namespace {

// "Correct Answer: X" of the page that is made of each sample.
std::string labelled(const std::string& html, std::string_view label) {
  const std::size_t at = html.find(label);
  if (at == std::string::npos) {
    return "";
  }
  std::string text = html.substr(at + label.size());
  text = text.substr(0, text.find("</p>"));
  const auto blank = [](char c) { return c == ' ' || c == '\n'; };
  while (!text.empty() && blank(text.front())) {
    text.erase(0, 1);
  }
  while (!text.empty() && blank(text.back())) {
    text.pop_back();
  }
  for (const auto& [from, to] : {std::pair<std::string_view, std::string_view>{"&lt;", "<"},
                                 {"&gt;", ">"},
                                 {"&#39;", "'"},
                                 {"&#34;", "\""},
                                 {"&quot;", "\""},
                                 {"&amp;", "&"}}) {
    for (std::size_t found = text.find(from); found != std::string::npos;
         found = text.find(from, found + to.size())) {
      text.replace(found, from.size(), to);
    }
  }
  return text;
}

}  // namespace

Result<ForeignRun> read_simple_evals(const std::string& path, const ReadOptions& options) {
  ForeignRun run;
  run.losses = {
      "simple-evals records neither item ids nor finish reasons nor tokens: items are told apart "
      "by "
      "their prompts, golds and scores are read from the pages that it makes of each sample"};
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
    const Json* pages = find_member(all, "htmls");
    const Json* metadata = at_path(all, "metadata.example_level_metadata");
    for (std::size_t i = 0; i < conversations->size(); ++i) {
      const Json& conversation = (*conversations)[i];
      ForeignSample s;
      s.task = options.task.empty() ? task : options.task;
      const std::string page = text_of(element(pages, i));
      s.gold = labelled(page, "Correct Answer:");
      s.score = score_of(
          element(metadata, i) == nullptr ? nullptr : find_member(*element(metadata, i), "score"));
      if (s.score < 0) {
        const Json score = labelled(page, "Score:");
        s.score = score_of(&score);
      }
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
      if (!conversation.is_array() || s.prompt.empty()) {
        ++run.n_malformed;
        continue;
      }
      run.samples.push_back(std::move(s));
    }
  }
  return run;
}

}  // namespace r1eval::foreign
