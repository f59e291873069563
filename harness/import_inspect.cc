// Reader of inspect_ai's records. Field names are the format's.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "harness/foreign_archive.h"
#include "harness/foreign_fields.h"

namespace r1eval::foreign {

namespace {

// Long texts are stored once, by hash: "attachment://HASH".
std::string resolved(std::string text, const Json& sample) {
  constexpr std::string_view kScheme = "attachment://";
  if (text.starts_with(kScheme)) {
    if (const Json* attachments = find_member(sample, "attachments")) {
      const Json* found = find_member(*attachments, text.substr(kScheme.size()));
      return found != nullptr && found->is_string() ? found->get<std::string>() : text;
    }
  }
  return text;
}

void add_inspect_sample(const Json& row, const std::string& task, ForeignRun& run) {
  ForeignSample s;
  s.task = task;
  s.item = text_at(row, "id");
  s.sample = int_or(row, "epoch", 1) - 1;
  if (s.item.empty() || s.sample < 0) {
    ++run.n_malformed;
    return;
  }
  const Json* target = find_member(row, "target");
  s.gold = target != nullptr && target->is_array() ? (target->empty() ? "" : text_of(&(*target)[0]))
                                                   : text_of(target);
  const Json* input = find_member(row, "input");
  if (input != nullptr && input->is_string()) {
    s.question = resolved(input->get<std::string>(), row);
  } else if (input != nullptr && input->is_array()) {
    for (const Json& message : *input) {
      std::string ignored;
      if (text_at(message, "role") == "user") {
        s.question.clear();
        read_content(find_member(message, "content"), s.question, ignored);
        s.question = resolved(s.question, row);
      }
    }
  }
  s.choices = texts_of(find_member(row, "choices"));
  if (const Json* messages = find_member(row, "messages");
      messages != nullptr && messages->is_array()) {
    for (const Json& message : *messages) {
      if (text_at(message, "role") == "user" || text_at(message, "role") == "system") {
        std::string ignored;
        std::string content;
        read_content(find_member(message, "content"), content, ignored);
        s.prompt += text_at(message, "role") + "\n" + resolved(content, row) + "\n";
      }
    }
  }
  const Json* output = find_member(row, "output");
  const Json* choices = output == nullptr ? nullptr : find_member(*output, "choices");
  if (choices == nullptr || !choices->is_array() || choices->empty() ||
      find_member(row, "error") != nullptr) {
    s.failed = true;
    run.samples.push_back(std::move(s));
    return;
  }
  const Json& choice = (*choices)[0];
  if (const Json* message = find_member(choice, "message")) {
    read_content(find_member(*message, "content"), s.response, s.thinking);
    s.response = resolved(std::move(s.response), row);
    s.thinking = resolved(std::move(s.thinking), row);
  }
  const std::string stop = text_at(choice, "stop_reason");
  s.finish_reason = finish_of(stop);
  if (const Json* usage = find_member(*output, "usage")) {
    read_usage(*usage, s);
  }
  s.seconds = double_or(*output, "time", -1);
  if (const Json* scores = find_member(row, "scores"); scores != nullptr && scores->is_object()) {
    for (const auto& [name, score] : scores->items()) {
      if (s.score < 0) {
        s.score = score_of(find_member(score, "value"));
      }
    }
  }
  if (const Json* metadata = find_member(row, "metadata")) {
    s.subject = first_of(*metadata, {"subject", "category", "domain"});
  }
  run.samples.push_back(std::move(s));
}

void take_inspect_header(const Json& log, ForeignRun& run, std::string& task) {
  if (const Json* eval = find_member(log, "eval")) {
    task = text_at(*eval, "task");
    task = task.substr(task.rfind('/') + 1);
    run.model = text_at(*eval, "model");
    run.date = text_at(*eval, "created");
    if (const Json* config = find_member(*eval, "model_generate_config")) {
      for (const char* key : {"temperature", "top_p", "max_tokens", "seed"}) {
        if (const Json* value = find_member(*config, key)) {
          run.settings[key] = text_of(value);
        }
      }
    }
  }
}

}  // namespace

Result<ForeignRun> read_inspect(const std::string& path, const ReadOptions& /*options*/) {
  ForeignRun run;
  const std::vector<std::string> files = files_under(path, [](const std::string& name) {
    return name.ends_with(".eval") || (name.ends_with(".json") && name != "logs.json");
  });
  if (files.empty()) {
    return fail(ErrorCode::kNotFound, fmt::format("{}: no .eval or .json log there", path));
  }
  for (const std::string& file : files) {
    std::string task;
    const auto check = [&](const Json& log) -> Status {
      const std::int64_t version = int_or(log, "version", 0);
      if (version > 2) {
        return fail(ErrorCode::kUnsupported,
                    fmt::format("{}: log version {}; versions 1 and 2 of inspect_ai are read", file,
                                version));
      }
      if (find_member(log, "eval") == nullptr) {
        return fail(ErrorCode::kParse, fmt::format("{}: no inspect_ai log (field 'eval')", file));
      }
      return ok_status();
    };
    if (!file.ends_with(".eval")) {
      R1_TRY(const Json log, read_document(file));
      R1_RETURN_IF_ERROR(check(log));
      take_inspect_header(log, run, task);
      if (const Json* samples = find_member(log, "samples"); samples != nullptr) {
        for (const Json& sample : *samples) {
          add_inspect_sample(sample, task, run);
        }
      }
      continue;
    }
    R1_TRY(const std::vector<std::string> members, list_archive(file));
    const bool has_header =
        std::find(members.begin(), members.end(), "header.json") != members.end();
    R1_TRY(const std::string header_text,
           read_archive_member(file, has_header ? "header.json" : "_journal/start.json"));
    R1_TRY(const Json header, parse_json(header_text));
    R1_RETURN_IF_ERROR(check(header));
    if (!has_header) {
      run.losses.push_back(fmt::format("{}: the evaluation had not ended", file));
    }
    take_inspect_header(header, run, task);
    const Status read = for_each_archive_member(
        file,
        [](const std::string& name) {
          return name.starts_with("samples/") && name.ends_with(".json");
        },
        [&](const std::string& name, const Result<std::string>& text) {
          const Result<Json> sample = text ? parse_json(*text) : Result<Json>(text.error());
          if (!sample) {
            if (++run.n_malformed <= 5) {
              log_warning(fmt::format("{}: {}: {}; left out", file, name, sample.error().message));
            }
            return ok_status();
          }
          add_inspect_sample(*sample, task, run);
          return ok_status();
        });
    R1_RETURN_IF_ERROR(read);
  }
  return run;
}

}  // namespace r1eval::foreign
