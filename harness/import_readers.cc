// Readers of other harnesses' files. Field names are those of the formats, read leniently: a
// missing field is unknown, never a failure; a line that is no JSON is counted and left out.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "harness/foreign_archive.h"
#include "harness/import.h"

namespace r1eval {
namespace {

constexpr std::int64_t kMaxDocument = std::int64_t{2} << 30;

std::string text_of(const Json* value) {
  if (value == nullptr || value->is_null()) {
    return "";
  }
  return value->is_string() ? value->get<std::string>() : dump_json(*value);
}

std::string text_at(const Json& object, std::string_view key) {
  return text_of(find_member(object, key));
}

// A score as harnesses write it: a number, a truth value, "C"/"I"/"P"/"N" as inspect does.
double score_of(const Json* value) {
  if (value == nullptr) {
    return -1;
  }
  if (value->is_boolean()) {
    return value->get<bool>() ? 1 : 0;
  }
  if (value->is_number()) {
    const double x = value->get<double>();
    return std::isfinite(x) && x >= 0 && x <= 1 ? x : -1;
  }
  if (value->is_string()) {
    const std::string text = value->get<std::string>();
    if (text == "C" || text == "correct" || text == "1" || text == "1.0" || text == "True") {
      return 1;
    }
    if (text == "I" || text == "N" || text == "incorrect" || text == "0" || text == "0.0" ||
        text == "False") {
      return 0;
    }
    return text == "P" ? 0.5 : -1;
  }
  return -1;
}

Result<Json> read_document(const std::string& path) {
  R1_TRY(const std::int64_t size, file_size(path));
  if (size > kMaxDocument) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("{}: {} bytes; documents up to 2 GiB are read", path, size));
  }
  R1_TRY(const std::string text, read_file(path));
  Result<Json> json = parse_json(text);
  return json ? std::move(json) : json.error().with_context(path);
}

// Files under `path` (or `path` itself) whose name fits, in order of name.
std::vector<std::string> files_under(const std::string& path, const auto& fits) {
  std::vector<std::string> out;
  if (!is_directory(path)) {
    return {path};
  }
  std::error_code error;
  for (auto it = std::filesystem::recursive_directory_iterator(
           path, std::filesystem::directory_options::skip_permission_denied, error);
       !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    if (it->is_regular_file(error) && fits(it->path().filename().string())) {
      out.push_back(it->path().string());
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

Status for_each_object(const std::string& path, ForeignRun& run,
                       const std::function<void(const Json&)>& take) {
  return for_each_line(path, [&](std::string_view line, std::int64_t number) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
      return ok_status();
    }
    const Result<Json> json = parse_json(line);
    if (!json || !json->is_object()) {
      if (++run.n_malformed <= 5) {
        log_warning(fmt::format("{}: line {}: {}; left out", path, number,
                                json ? "not an object" : json.error().message));
      }
      return ok_status();
    }
    take(*json);
    return ok_status();
  });
}

// The first of the fields that is there and not empty.
std::string first_of(const Json& object, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    std::string text = text_at(object, key);
    if (!text.empty()) {
      return text;
    }
  }
  return "";
}

void read_usage(const Json& usage, ForeignSample& sample) {
  const auto count = [&](std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys) {
      const std::int64_t n = int_or(usage, key, -1);
      if (n >= 0) {
        return n;
      }
    }
    return std::int64_t{-1};
  };
  sample.prompt_tokens = count({"prompt", "prompt_tokens", "input_tokens"});
  sample.completion_tokens = count({"completion", "completion_tokens", "output_tokens"});
  sample.reasoning_tokens = count({"reasoning", "reasoning_tokens"});
}

std::vector<std::string> texts_of(const Json* list) {
  std::vector<std::string> out;
  if (list != nullptr && list->is_array()) {
    for (const Json& value : *list) {
      out.push_back(text_of(&value));
    }
  }
  return out;
}

// ---- generic JSONL ------------------------------------------------------------------------------

Result<ForeignRun> read_jsonl(const std::string& path) {
  ForeignRun run;
  std::int64_t number = 0;
  for (const std::string& file :
       files_under(path, [](const std::string& name) { return name.ends_with(".jsonl"); })) {
    const Status read = for_each_object(file, run, [&](const Json& row) {
      ++number;
      ForeignSample s;
      s.task = first_of(row, {"task"});
      s.item = text_at(row, "item");
      const Json* response = find_member(row, "response");
      if (s.task.empty() || s.item.empty() || response == nullptr || !response->is_string()) {
        if (++run.n_malformed <= 5) {
          log_warning(
              fmt::format("{}: record {}: needs task, item and response; left out", file, number));
        }
        return;
      }
      s.response = response->get<std::string>();
      s.sample = int_or(row, "sample", -1);
      s.gold = text_at(row, "gold");
      s.prompt = text_at(row, "prompt");
      s.question = first_of(row, {"question"});
      s.thinking = text_at(row, "thinking");
      s.finish_reason = text_at(row, "finish_reason");
      s.choices = texts_of(find_member(row, "choices"));
      s.subject = text_at(row, "subject");
      s.cluster = text_at(row, "cluster");
      s.seed = static_cast<std::uint64_t>(std::max<std::int64_t>(0, int_or(row, "seed", 0)));
      s.score = score_of(find_member(row, "correct"));
      if (const Json* usage = find_member(row, "usage")) {
        read_usage(*usage, s);
      }
      if (run.model.empty()) {
        run.model = text_at(row, "model");
      }
      run.samples.push_back(std::move(s));
    });
    R1_RETURN_IF_ERROR(read);
  }
  return run;
}

// ---- lm-evaluation-harness ----------------------------------------------------------------------

std::string task_of_samples_file(const std::string& path) {
  std::string name = std::filesystem::path(path).stem().string();  // samples_TASK_DATE
  if (name.starts_with("samples_")) {
    name = name.substr(8);
  }
  // The date begins with a year: _2024-05-01T…
  for (std::size_t at = name.rfind('_'); at != std::string::npos && at > 0;
       at = name.rfind('_', at - 1)) {
    if (at + 5 < name.size() && name[at + 1] == '2' && name[at + 5] == '-') {
      return name.substr(0, at);
    }
  }
  return name;
}

Result<ForeignRun> read_lm_eval(const std::string& path) {
  ForeignRun run;
  run.losses = {
      "lm-eval cuts the thinking before it records, and does not record finish reasons or "
      "tokens: truncation, thinking and cost are unknown"};
  const std::string folder =
      is_directory(path) ? path : std::filesystem::path(path).parent_path().string();
  for (const std::string& file : files_under(
           folder.empty() ? "." : folder,
           [](const std::string& n) { return n.starts_with("results") && n.ends_with(".json"); })) {
    const Result<Json> results = read_document(file);
    if (!results) {
      continue;
    }
    run.model = first_of(*results, {"model_name"});
    if (const Json* config = find_member(*results, "config");
        config != nullptr && run.model.empty()) {
      run.model = first_of(*config, {"model_args", "model"});
    }
  }
  const std::vector<std::string> files = files_under(path, [](const std::string& name) {
    return name.starts_with("samples_") && name.ends_with(".jsonl");
  });
  if (files.empty()) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{}: no samples_TASK_DATE.jsonl there; lm-eval writes it under "
                            "--log_samples",
                            path));
  }
  std::map<std::string, std::string> filter_of;  // by task: lines of other filters repeat the items
  std::int64_t n_loglikelihood = 0;
  for (const std::string& file : files) {
    const std::string task = task_of_samples_file(file);
    const Status read = for_each_object(file, run, [&](const Json& row) {
      const std::string filter = text_at(row, "filter");
      if (filter_of.emplace(task, filter).first->second != filter) {
        return;
      }
      ForeignSample base;
      base.task = task;
      base.item = text_at(row, "doc_id");
      base.gold = text_at(row, "target");
      if (const Json* doc = find_member(row, "doc")) {
        base.question = first_of(
            *doc, {"question", "problem", "Problem", "Question", "input", "query", "prompt"});
        base.subject = first_of(*doc, {"subject", "category", "type"});
        base.choices = texts_of(find_member(*doc, "choices"));
        const std::string id = first_of(*doc, {"id", "question_id", "unique_id", "idx"});
        base.item = base.item.empty() ? id : base.item;
      }
      // "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": {…}}}, or a list of lists.
      if (const Json* arguments = find_member(row, "arguments")) {
        const Json* first = arguments->is_object() && !arguments->empty()  ? &*arguments->begin()
                            : arguments->is_array() && !arguments->empty() ? &(*arguments)[0]
                                                                           : nullptr;
        if (first != nullptr && first->is_object()) {
          base.prompt = text_at(*first, "arg_0");
        } else if (first != nullptr && first->is_array() && !first->empty()) {
          base.prompt = text_of(&(*first)[0]);
        }
      }
      for (const std::string_view key :
           {"exact_match", "acc", "math_verify", "acc_norm", "pass_at_1", "score"}) {
        if (base.score < 0) {
          base.score = score_of(find_member(row, key));
        }
      }
      const Json* metrics = find_member(row, "metrics");
      if (base.score < 0 && metrics != nullptr && metrics->is_array()) {
        for (const Json& metric : *metrics) {
          if (base.score < 0 && metric.is_string()) {
            base.score = score_of(find_member(row, metric.get<std::string>()));
          }
        }
      }
      const Json* responses = find_member(row, "resps");
      if (responses == nullptr || !responses->is_array() || base.item.empty()) {
        ++run.n_malformed;
        return;
      }
      std::vector<std::string> texts;
      bool is_loglikelihood = false;
      for (const Json& request : *responses) {
        if (request.is_string()) {
          texts.push_back(request.get<std::string>());
          continue;
        }
        for (const Json& answer : request) {
          if (answer.is_string()) {
            texts.push_back(answer.get<std::string>());
          } else {
            is_loglikelihood = true;
          }
        }
      }
      if (is_loglikelihood) {
        ++n_loglikelihood;
        texts = {""};
      }
      if (texts.size() > 1) {
        base.score = -1;  // of all repeats together
      }
      for (std::size_t r = 0; r < texts.size(); ++r) {
        ForeignSample sample = base;
        sample.sample = static_cast<std::int64_t>(r);
        sample.response = std::move(texts[r]);
        run.samples.push_back(std::move(sample));
      }
    });
    R1_RETURN_IF_ERROR(read);
  }
  if (n_loglikelihood > 0) {
    run.losses.push_back(
        fmt::format("{} records are loglikelihoods without a text: only --trust can score them",
                    n_loglikelihood));
  }
  return run;
}

// ---- inspect_ai ---------------------------------------------------------------------------------

// Content of a message: a text, or a list of parts of which some are reasoning.
void read_content(const Json* content, std::string& text, std::string& thinking) {
  if (content == nullptr) {
    return;
  }
  if (content->is_string()) {
    text += content->get<std::string>();
  } else if (content->is_array()) {
    for (const Json& part : *content) {
      const std::string type = text_at(part, "type");
      if (type == "reasoning") {
        thinking += text_at(part, "reasoning");
      } else if (type == "text") {
        text += text_at(part, "text");
      }
    }
  }
}

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
  s.finish_reason = stop == "max_tokens" || stop == "model_length" ? "length" : stop;
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

Result<ForeignRun> read_inspect(const std::string& path) {
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

// ---- evalscope ----------------------------------------------------------------------------------

Result<ForeignRun> read_evalscope(const std::string& path) {
  ForeignRun run;
  run.losses = {"evalscope's reviews hold no seeds"};

  struct Review {
    double score = -1;
    std::string target;
  };

  std::map<std::string, Review> reviews;  // by "dataset\nindex\nn-th of that index"
  std::map<std::string, int> times;
  const auto dataset_of = [](const std::string& file) {
    return std::filesystem::path(file).stem().string();
  };
  const auto is_below = [](const std::string& file, const std::string& folder) {
    return ("/" + file).find("/" + folder + "/") != std::string::npos;
  };
  const std::vector<std::string> files =
      files_under(path, [](const std::string& name) { return name.ends_with(".jsonl"); });
  for (const std::string& file : files) {
    if (!is_below(file, "reviews")) {
      continue;
    }
    const Status read = for_each_object(file, run, [&](const Json& row) {
      const std::string key = dataset_of(file) + "\n" + text_at(row, "index");
      Review review;
      review.target = text_at(row, "target");
      if (const Json* sample = find_member(row, "sample_score")) {
        const Json* score = find_member(*sample, "score");
        const Json* value = score == nullptr ? nullptr : find_member(*score, "value");
        if (value != nullptr && value->is_object() && !value->empty()) {
          const std::string main = score == nullptr ? "" : text_at(*score, "main_score_name");
          const Json* named = main.empty() ? nullptr : find_member(*value, main);
          review.score = score_of(named == nullptr ? &*value->begin() : named);
        }
      }
      reviews[fmt::format("{}\n{}", key, times[key]++)] = review;
    });
    R1_RETURN_IF_ERROR(read);
  }
  times.clear();
  bool any = false;
  for (const std::string& file : files) {
    if (!is_below(file, "predictions")) {
      continue;
    }
    any = true;
    const Status read = for_each_object(file, run, [&](const Json& row) {
      ForeignSample s;
      s.task = dataset_of(file);
      s.item = text_at(row, "index");
      const std::string key = s.task + "\n" + s.item;
      s.sample = times[key]++;
      const Json* output = find_member(row, "model_output");
      const Json* choices = output == nullptr ? nullptr : find_member(*output, "choices");
      if (run.model.empty()) {
        run.model = text_at(row, "model");
      }
      if (choices == nullptr || choices->empty()) {
        s.failed = true;
      } else {
        const Json& choice = (*choices)[0];
        if (const Json* message = find_member(choice, "message")) {
          read_content(find_member(*message, "content"), s.response, s.thinking);
        }
        const std::string stop = first_of(choice, {"stop_reason", "finish_reason"});
        s.finish_reason = stop == "max_tokens" || stop == "model_length" ? "length" : stop;
        if (const Json* usage = find_member(*output, "usage")) {
          read_usage(*usage, s);
        }
        s.seconds = double_or(*output, "time", -1);
      }
      if (const Json* messages = find_member(row, "messages"); messages != nullptr) {
        for (const Json& message : *messages) {
          if (text_at(message, "role") == "user" || text_at(message, "role") == "system") {
            std::string content;
            std::string ignored;
            read_content(find_member(message, "content"), content, ignored);
            s.prompt += text_at(message, "role") + "\n" + content + "\n";
            s.question = content;
          }
        }
      }
      if (const Json* metadata = find_member(row, "metadata")) {
        s.subject = first_of(*metadata, {"subject", "category", "subset_name"});
      }
      const auto review = reviews.find(fmt::format("{}\n{}", key, s.sample));
      if (review != reviews.end()) {
        s.gold = review->second.target;
        s.score = review->second.score;
      }
      run.samples.push_back(std::move(s));
    });
    R1_RETURN_IF_ERROR(read);
  }
  if (!any) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{}: no predictions/MODEL/DATASET.jsonl below", path));
  }
  return run;
}

// ---- LiveCodeBench ------------------------------------------------------------------------------

Result<ForeignRun> read_lcb(const std::string& path) {
  ForeignRun run;
  run.losses = {"LiveCodeBench records neither finish reasons nor tokens nor the model's name"};
  std::vector<std::string> files =
      files_under(path, [](const std::string& name) { return name.ends_with("_eval_all.json"); });
  if (files.empty()) {
    return fail(ErrorCode::kNotFound, fmt::format("{}: no …_eval_all.json there", path));
  }
  for (const std::string& file : files) {
    R1_TRY(const Json rows, read_document(file));
    if (!rows.is_array()) {
      return fail(ErrorCode::kParse, fmt::format("{}: expected a list of problems", file));
    }
    for (const Json& row : rows) {
      const std::string id = text_at(row, "question_id");
      std::vector<std::string> outputs = texts_of(find_member(row, "output_list"));
      const std::vector<std::string> codes = texts_of(find_member(row, "code_list"));
      const bool code_only = outputs.empty();
      if (code_only) {
        for (const std::string& code : codes) {
          outputs.push_back("```python\n" + code + "\n```");
        }
      }
      if (id.empty() || outputs.empty()) {
        ++run.n_malformed;
        continue;
      }
      const Json* graded = find_member(row, "graded_list");
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        ForeignSample s;
        s.task = "livecodebench";
        s.item = id;
        s.sample = static_cast<std::int64_t>(i);
        s.response = std::move(outputs[i]);
        s.question = text_at(row, "question_content");
        s.subject = text_at(row, "difficulty");
        if (graded != nullptr && graded->is_array() && i < graded->size()) {
          s.score = score_of(&(*graded)[i]);
        }
        run.samples.push_back(std::move(s));
      }
    }
  }
  return run;
}

// ---- NeMo Evaluator -----------------------------------------------------------------------------

Result<ForeignRun> read_nemo(const std::string& path) {
  ForeignRun run;
  run.losses = {"NeMo Evaluator's results.jsonl holds no prompts, finish reasons or tokens"};
  const std::vector<std::string> files =
      files_under(path, [](const std::string& name) { return name.ends_with("results.jsonl"); });
  if (files.empty()) {
    return fail(ErrorCode::kNotFound, fmt::format("{}: no results.jsonl there", path));
  }
  for (const std::string& file : files) {
    std::string task = std::filesystem::absolute(file).parent_path().filename().string();
    const Status read = for_each_object(file, run, [&](const Json& row) {
      ForeignSample s;
      s.task = first_of(row, {"benchmark", "task"});
      s.task = s.task.empty() ? task : s.task;
      s.item = text_at(row, "problem_idx");
      s.sample = int_or(row, "repeat", -1);
      s.gold = text_at(row, "expected_answer");
      s.response = text_at(row, "model_response");
      s.question = first_of(row, {"problem", "question", "prompt"});
      s.score = score_of(find_member(row, "reward"));
      if (const Json* metadata = find_member(row, "metadata")) {
        s.subject = text_at(*metadata, "category");
      }
      if (s.item.empty()) {
        ++run.n_malformed;
        return;
      }
      run.samples.push_back(std::move(s));
    });
    R1_RETURN_IF_ERROR(read);
  }
  return run;
}

// ---- simple-evals -------------------------------------------------------------------------------

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

}  // namespace

std::vector<std::string> import_formats() {
  return {"jsonl", "lm-eval", "inspect", "evalscope", "lcb", "nemo", "simple-evals"};
}

Result<ForeignRun> read_foreign(const std::string& format, const std::string& path) {
  if (!path_exists(path)) {
    return fail(ErrorCode::kNotFound, fmt::format("{}: no such file or folder", path));
  }
  Result<ForeignRun> run = format == "jsonl"       ? read_jsonl(path)
                           : format == "lm-eval"   ? read_lm_eval(path)
                           : format == "inspect"   ? read_inspect(path)
                           : format == "evalscope" ? read_evalscope(path)
                           : format == "lcb"       ? read_lcb(path)
                           : format == "nemo"      ? read_nemo(path)
                                                   : read_simple_evals(path);
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
