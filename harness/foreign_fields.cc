// See foreign_fields.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "harness/foreign_fields.h"

namespace r1eval::foreign {

namespace {

constexpr std::int64_t kMaxDocument = std::int64_t{2} << 30;

}  // namespace

std::string text_of(const Json* value) {
  if (value == nullptr || value->is_null()) {
    return "";
  }
  return value->is_string() ? value->get<std::string>() : dump_json(*value);
}

std::string text_at(const Json& object, std::string_view key) {
  return text_of(find_member(object, key));
}

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

std::vector<std::string> files_under(const std::string& path,
                                     const std::function<bool(const std::string&)>& fits) {
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

}  // namespace r1eval::foreign
