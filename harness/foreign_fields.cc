// See foreign_fields.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
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

namespace {

// The first byte that is no space, within the first 4 KiB.
char first_character(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  for (int n = 0; n < 4096; ++n) {
    const int c = file.get();
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
      return c < 0 ? '\0' : static_cast<char>(c);
    }
  }
  return '\0';
}

}  // namespace

Status for_each_object(const std::string& path, ForeignRun& run,
                       const std::function<void(const Json&)>& take) {
  const auto malformed = [&](std::int64_t number, const std::string& why) {
    if (++run.n_malformed <= 5) {
      log_warning(fmt::format("{}: record {}: {}; left out", path, number, why));
    }
  };
  if (path.ends_with(".json") && first_character(path) == '[') {
    R1_TRY(const Json rows, read_document(path));
    std::int64_t number = 0;
    for (const Json& row : rows) {
      ++number;
      if (row.is_object()) {
        take(row);
      } else {
        malformed(number, "not an object");
      }
    }
    return ok_status();
  }
  return for_each_line(path, [&](std::string_view line, std::int64_t number) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
      return ok_status();
    }
    const Result<Json> json = parse_json(line);
    if (!json || !json->is_object()) {
      malformed(number, json ? "not an object" : json.error().message);
      return ok_status();
    }
    take(*json);
    return ok_status();
  });
}

std::vector<std::string> one_or_more(const Json* value) {
  if (value == nullptr) {
    return {};
  }
  return value->is_array() ? texts_of(value) : std::vector<std::string>{text_of(value)};
}

const Json* element(const Json* list, std::size_t i) {
  return list != nullptr && list->is_array() && i < list->size() ? &(*list)[i] : nullptr;
}

const Json* at_path(const Json& object, std::string_view path) {
  const Json* at = &object;
  while (at != nullptr && !path.empty()) {
    // A member may have dots in its name: the whole rest is tried first.
    if (const Json* whole = find_member(*at, path)) {
      return whole;
    }
    const std::size_t dot = path.find('.');
    const std::string_view name = path.substr(0, dot);
    path = dot == std::string_view::npos ? "" : path.substr(dot + 1);
    if (at->is_array()) {
      const bool is_number = !name.empty() && name.size() < 10 &&
                             name.find_first_not_of("0123456789") == std::string_view::npos;
      at = is_number ? element(at, static_cast<std::size_t>(std::stoul(std::string(name))))
                     : nullptr;
    } else {
      at = find_member(*at, name);
    }
  }
  return at;
}

std::string finish_of(std::string_view word) {
  for (const std::string_view limit :
       {"max_tokens", "model_length", "length", "MAX_TOKENS", "max_output_tokens"}) {
    if (word == limit) {
      return "length";
    }
  }
  return word == "endoftext" || word == "end_turn" || word == "STOP" ? "stop" : std::string(word);
}

void read_messages(const Json* messages, ForeignSample& sample) {
  if (messages == nullptr) {
    return;
  }
  if (messages->is_string()) {
    sample.prompt = messages->get<std::string>();
    sample.question = sample.question.empty() ? sample.prompt : sample.question;
    return;
  }
  if (!messages->is_array()) {
    return;
  }
  std::string last;
  for (const Json& message : *messages) {
    const std::string role = text_at(message, "role");
    if (role == "assistant" || role == "BOT") {
      continue;
    }
    std::string content;
    std::string ignored;
    const Json* body = find_member(message, "content");
    read_content(body != nullptr ? body : find_member(message, "prompt"), content, ignored);
    sample.prompt += role + "\n" + content + "\n";
    last = role == "system" || role == "SYSTEM" ? last : content;
  }
  sample.question = sample.question.empty() ? last : sample.question;
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
  if (const Json* details = find_member(usage, "completion_tokens_details");
      details != nullptr && sample.reasoning_tokens < 0) {
    sample.reasoning_tokens = int_or(*details, "reasoning_tokens", -1);
  }
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
      if (part.is_string()) {
        text += part.get<std::string>();
      } else if (type == "reasoning" || type == "thinking") {
        thinking += first_of(part, {"reasoning", "thinking", "text"});
      } else if (type == "text") {
        text += text_at(part, "text");
      }
    }
  }
}

}  // namespace r1eval::foreign
