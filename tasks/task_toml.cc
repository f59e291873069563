// Reads a task's TOML. Unknown keys are refused: a mistyped key that silently does nothing is how
// scores come to mean something else than their author thinks.
#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cmath>
#include <utility>

#include "base/hash.h"
#include "base/nearest.h"
#include "tasks/registry.h"

namespace r1eval {
namespace {

// A table with the name of the file for errors, and the keys that were asked for.
class Section {
 public:
  Section(const toml::table& table, std::string origin, std::string name)
      : table_(table), origin_(std::move(origin)), name_(std::move(name)) {}

  Error error(std::string_view key, std::string_view text) const {
    const toml::node* node = table_.get(key);
    const auto line = node == nullptr ? table_.source().begin.line : node->source().begin.line;
    return fail(ErrorCode::kParse,
                fmt::format("{} line {}: {}: {}", origin_, line, full_name(key), text));
  }

  Status string(std::string_view key, std::string& out) {
    const toml::node* node = find(key);
    if (node == nullptr) {
      return ok_status();
    }
    const auto value = node->value_exact<std::string>();
    if (!value) {
      return error(key, "expected a text in quotes");
    }
    out = *value;
    return ok_status();
  }

  Status required_string(std::string_view key, std::string& out) {
    R1_RETURN_IF_ERROR(string(key, out));
    return out.empty() ? Status(error(key, "is missing")) : ok_status();
  }

  Status integer(std::string_view key, std::int64_t& out, std::int64_t low, std::int64_t high) {
    const toml::node* node = find(key);
    if (node == nullptr) {
      return ok_status();
    }
    const auto value = node->value_exact<std::int64_t>();
    if (!value || *value < low || *value > high) {
      return error(key, fmt::format("expected an integer from {} to {}", low, high));
    }
    out = *value;
    return ok_status();
  }

  Status number(std::string_view key, double& out, double low, double high) {
    const toml::node* node = find(key);
    if (node == nullptr) {
      return ok_status();
    }
    const auto value = node->value<double>();
    if (!value || !(*value >= low && *value <= high)) {
      return error(key, fmt::format("expected a number from {} to {}", low, high));
    }
    out = *value;
    return ok_status();
  }

  Status boolean(std::string_view key, bool& out) {
    const toml::node* node = find(key);
    if (node == nullptr) {
      return ok_status();
    }
    const auto value = node->value_exact<bool>();
    if (!value) {
      return error(key, "expected true or false");
    }
    out = *value;
    return ok_status();
  }

  Status strings(std::string_view key, std::vector<std::string>& out) {
    const toml::node* node = find(key);
    if (node == nullptr) {
      return ok_status();
    }
    const toml::array* array = node->as_array();
    if (array == nullptr) {
      return error(key, "expected a list of texts");
    }
    for (const toml::node& member : *array) {
      const auto value = member.value_exact<std::string>();
      if (!value) {
        return error(key, "expected a list of texts");
      }
      out.push_back(*value);
    }
    return ok_status();
  }

  Status string_map(std::string_view key, std::map<std::string, std::string>& out) {
    const toml::node* node = find(key);
    if (node == nullptr) {
      return ok_status();
    }
    const toml::table* table = node->as_table();
    if (table == nullptr) {
      return error(key, "expected a table of texts");
    }
    for (const auto& [name, member] : *table) {
      const auto value = member.value_exact<std::string>();
      if (!value) {
        return error(key, "expected a table of texts");
      }
      out.emplace(std::string(name.str()), *value);
    }
    return ok_status();
  }

  Status choice(std::string_view key, std::string& out, const std::vector<std::string>& allowed) {
    R1_RETURN_IF_ERROR(string(key, out));
    if (std::find(allowed.begin(), allowed.end(), out) == allowed.end()) {
      return error(key, fmt::format("'{}' is unknown{}", out, did_you_mean(out, allowed)));
    }
    return ok_status();
  }

  const toml::node* find(std::string_view key) {
    asked_.emplace_back(key);
    return table_.get(key);
  }

  // After everything was read: what is left over was mistyped.
  Status refuse_unknown() const {
    for (const auto& [name, node] : table_) {
      const std::string key(name.str());
      if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) {
        return error(key, "unknown key" + did_you_mean(key, asked_));
      }
    }
    return ok_status();
  }

 private:
  std::string full_name(std::string_view key) const {
    return name_.empty() ? std::string(key) : fmt::format("{}.{}", name_, key);
  }

  const toml::table& table_;
  const std::string origin_;
  const std::string name_;
  std::vector<std::string> asked_;
};

// The named sub-table, or an empty one.
Result<const toml::table*> sub_table(Section& parent, std::string_view key) {
  static const toml::table kEmpty;
  const toml::node* node = parent.find(key);
  if (node == nullptr) {
    return &kEmpty;
  }
  const toml::table* table = node->as_table();
  if (table == nullptr) {
    return parent.error(key, fmt::format("expected a table [{}]", key));
  }
  return table;
}

Status read_file_entry(const toml::table& table, const std::string& origin,
                       const std::string& format, Task& task) {
  SourceFile file;
  file.format = format;
  Section section(table, origin, "dataset.files");
  R1_RETURN_IF_ERROR(section.choice("role", file.role, {"test", "shots"}));
  R1_RETURN_IF_ERROR(section.string("path", file.path));
  R1_RETURN_IF_ERROR(section.string("url", file.url));
  R1_RETURN_IF_ERROR(section.string("sha256", file.sha256));
  R1_RETURN_IF_ERROR(section.integer("bytes", file.bytes, 0, std::int64_t{1} << 44));
  R1_RETURN_IF_ERROR(section.string("member", file.member));
  R1_RETURN_IF_ERROR(section.string("password", file.password));
  R1_RETURN_IF_ERROR(section.string("builtin", file.builtin));
  R1_RETURN_IF_ERROR(section.string("local", file.local));
  R1_RETURN_IF_ERROR(section.string("value", file.value));
  R1_RETURN_IF_ERROR(section.string("group", file.group));
  R1_RETURN_IF_ERROR(section.boolean("optional", file.is_optional));
  R1_RETURN_IF_ERROR(section.integer("release", file.release, 1, 1000));
  R1_RETURN_IF_ERROR(section.boolean("official", file.is_official));
  R1_RETURN_IF_ERROR(section.refuse_unknown());
  const int n_places =
      (file.path.empty() ? 0 : 1) + (file.builtin.empty() ? 0 : 1) + (file.local.empty() ? 0 : 1);
  if (n_places != 1) {
    return section.error("path",
                         "give one of path (in the store), local (a file of yours) or builtin");
  }
  if (file.path.find("..") != std::string::npos || file.path.starts_with('/')) {
    return section.error("path", "must lie inside the dataset's folder");
  }
  if (!file.sha256.empty() &&
      (file.sha256.size() != 64 ||
       file.sha256.find_first_not_of("0123456789abcdef") != std::string::npos)) {
    return section.error("sha256", "expected 64 lower-case hexadecimal digits");
  }
  if (!file.local.empty() && !file.local.starts_with('/')) {
    const std::size_t slash = origin.find_last_of('/');
    file.local = (slash == std::string::npos ? "" : origin.substr(0, slash + 1)) + file.local;
  }
  task.sources.push_back(std::move(file));
  return ok_status();
}

Status read_dataset(const toml::table& table, const std::string& origin, Task& task) {
  Section section(table, origin, "dataset");
  R1_RETURN_IF_ERROR(section.string("name", task.dataset));
  std::string format = "jsonl";
  R1_RETURN_IF_ERROR(
      section.choice("format", format, {"jsonl", "jsonl.gz", "json", "csv", "zip+csv"}));
  R1_RETURN_IF_ERROR(section.boolean("has_header", task.columns.has_header));
  R1_RETURN_IF_ERROR(section.string("archive_url", task.archive_url));
  R1_RETURN_IF_ERROR(section.string("archive_sha256", task.archive_sha256));
  R1_RETURN_IF_ERROR(
      section.integer("archive_bytes", task.archive_bytes, 0, std::int64_t{1} << 44));
  const toml::node* files = section.find("files");
  const toml::array* array = files == nullptr ? nullptr : files->as_array();
  if (array == nullptr || array->empty()) {
    return section.error("files", "is missing: a list like files = [{local = \"rows.jsonl\"}]");
  }
  for (const toml::node& member : *array) {
    const toml::table* entry = member.as_table();
    if (entry == nullptr) {
      return section.error("files", "expected a list of tables like {local = \"rows.jsonl\"}");
    }
    R1_RETURN_IF_ERROR(read_file_entry(*entry, origin, format, task));
  }
  const bool needs_name = std::any_of(task.sources.begin(), task.sources.end(),
                                      [](const SourceFile& f) { return !f.path.empty(); });
  if (needs_name && task.dataset.empty()) {
    return section.error("name", "is missing: the dataset's folder in the store");
  }
  return section.refuse_unknown();
}

Status read_columns(const toml::table& table, const std::string& origin, Task& task) {
  Section section(table, origin, "columns");
  ColumnMap& columns = task.columns;
  R1_RETURN_IF_ERROR(section.string("id", columns.id));
  R1_RETURN_IF_ERROR(section.required_string("question", columns.question));
  R1_RETURN_IF_ERROR(section.string("target", columns.target));
  R1_RETURN_IF_ERROR(section.strings("tests", columns.tests));
  R1_RETURN_IF_ERROR(section.strings("choices", columns.choices));
  R1_RETURN_IF_ERROR(section.boolean("target_is_first_choice", columns.target_is_first_choice));
  R1_RETURN_IF_ERROR(section.string_map("metadata", columns.metadata));
  R1_RETURN_IF_ERROR(section.string("cluster", columns.cluster));
  R1_RETURN_IF_ERROR(section.string("stratum", columns.stratum));
  R1_RETURN_IF_ERROR(section.boolean("strip", columns.strip));
  if (columns.target.empty() && !columns.target_is_first_choice && columns.tests.empty()) {
    return section.error("target", "is missing: the column with the right answer");
  }
  if (columns.choices.size() > 26) {
    return section.error("choices", "at most 26 choices have a letter");
  }
  return section.refuse_unknown();
}

Status read_prompt(const toml::table& table, const std::string& origin, Task& task) {
  Section section(table, origin, "prompt");
  PromptSpec& prompt = task.prompt;
  prompt.style = task.columns.choices.empty() ? "problem" : "choice";
  R1_RETURN_IF_ERROR(section.choice(
      "style", prompt.style, {"problem", "choice", "lcb", "template", "choice_loglikelihood"}));
  R1_RETURN_IF_ERROR(section.string("text", prompt.text));
  R1_RETURN_IF_ERROR(section.string("directive", prompt.directive));
  R1_RETURN_IF_ERROR(
      section.choice("directive_position", prompt.directive_position, {"before", "after", "none"}));
  R1_RETURN_IF_ERROR(section.string("system", prompt.system));
  R1_RETURN_IF_ERROR(section.integer("shots", prompt.n_shots, 0, 100));
  R1_RETURN_IF_ERROR(section.choice("shuffle", prompt.shuffle, {"none", "r1eval", "simple-evals"}));
  if (prompt.style == "template" && prompt.text.find("{question}") == std::string::npos) {
    return section.error("text", "a template needs the placeholder {question}");
  }
  return section.refuse_unknown();
}

Status read_grader(const toml::table& table, const std::string& origin, Task& task) {
  Section section(table, origin, "grader");
  GraderSpec& grader = task.grader;
  grader.grader = task.columns.choices.empty() ? "math" : "choice";
  R1_RETURN_IF_ERROR(section.choice("name", grader.grader, {"math", "choice", "text", "code"}));
  R1_RETURN_IF_ERROR(section.string("extraction", grader.extraction));
  R1_RETURN_IF_ERROR(section.string("pattern", grader.pattern));
  R1_RETURN_IF_ERROR(section.string("profile", grader.profile));
  return section.refuse_unknown();
}

}  // namespace

Result<Task> parse_task(std::string_view text, const std::string& origin) {
  const toml::parse_result parsed = toml::parse(text, origin);
  if (!parsed) {
    return fail(ErrorCode::kParse,
                fmt::format("{} line {}: {}", origin, parsed.error().source().begin.line,
                            parsed.error().description()));
  }
  const toml::table& table = parsed.table();
  Task task;
  task.definition_sha256 = sha256_hex(text);
  Section section(table, origin, "");
  R1_RETURN_IF_ERROR(section.required_string("name", task.name));
  if (task.name.find_first_not_of(
          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") !=
      std::string::npos) {
    return section.error("name", "only letters, digits, '_', '-' and '.' may stand in a name");
  }
  R1_RETURN_IF_ERROR(section.string("title", task.title));
  R1_RETURN_IF_ERROR(section.string("version", task.version));
  R1_RETURN_IF_ERROR(section.strings("suites", task.suites));
  R1_RETURN_IF_ERROR(section.string("license", task.license));
  R1_RETURN_IF_ERROR(section.boolean("redistributable", task.is_redistributable));
  R1_RETURN_IF_ERROR(section.boolean("needs_sandbox", task.needs_sandbox));
  R1_RETURN_IF_ERROR(section.boolean("official", task.is_official));
  R1_RETURN_IF_ERROR(section.integer("release", task.release, 0, 1000));
  R1_RETURN_IF_ERROR(section.integer("k", task.k, 1, 100000));
  R1_RETURN_IF_ERROR(section.integer("max_tokens", task.max_tokens, 1, 10'000'000));
  R1_RETURN_IF_ERROR(section.number("temperature", task.temperature, 0, 100));
  R1_RETURN_IF_ERROR(section.number("top_p", task.top_p, 1e-9, 1));
  R1_RETURN_IF_ERROR(section.strings("breakdown", task.breakdown));
  R1_RETURN_IF_ERROR(section.string("notes", task.notes));
  R1_RETURN_IF_ERROR(section.string("data_of", task.data_of));
  if (task.data_of.empty()) {
    R1_TRY(const toml::table* dataset, sub_table(section, "dataset"));
    R1_RETURN_IF_ERROR(read_dataset(*dataset, origin, task));
    R1_TRY(const toml::table* columns, sub_table(section, "columns"));
    R1_RETURN_IF_ERROR(read_columns(*columns, origin, task));
  }
  R1_TRY(const toml::table* filter, sub_table(section, "filter"));
  Section filters(*filter, origin, "filter");
  R1_RETURN_IF_ERROR(filters.string("column", task.filter.column));
  R1_RETURN_IF_ERROR(filters.string("since", task.filter.since));
  R1_RETURN_IF_ERROR(filters.string("until", task.filter.until));
  R1_RETURN_IF_ERROR(filters.boolean("numeric", task.filter.is_numeric));
  R1_RETURN_IF_ERROR(filters.refuse_unknown());
  R1_TRY(const toml::table* prompt, sub_table(section, "prompt"));
  R1_RETURN_IF_ERROR(read_prompt(*prompt, origin, task));
  R1_TRY(const toml::table* grader, sub_table(section, "grader"));
  R1_RETURN_IF_ERROR(read_grader(*grader, origin, task));
  R1_RETURN_IF_ERROR(section.refuse_unknown());
  return task;
}

// Declared here, as only registry.cc needs it.
Result<std::vector<Suite>> parse_suites(std::string_view text, const std::string& origin) {
  const toml::parse_result parsed = toml::parse(text, origin);
  if (!parsed) {
    return fail(ErrorCode::kParse, fmt::format("{}: {}", origin, parsed.error().description()));
  }
  std::vector<Suite> suites;
  const toml::array* array = parsed.table()["suite"].as_array();
  if (array == nullptr) {
    return suites;
  }
  for (const toml::node& member : *array) {
    const toml::table* entry = member.as_table();
    if (entry == nullptr) {
      continue;
    }
    Suite suite;
    Section section(*entry, origin, "suite");
    R1_RETURN_IF_ERROR(section.required_string("name", suite.name));
    R1_RETURN_IF_ERROR(section.string("title", suite.title));
    R1_RETURN_IF_ERROR(section.strings("tasks", suite.tasks));
    R1_RETURN_IF_ERROR(section.refuse_unknown());
    suites.push_back(std::move(suite));
  }
  return suites;
}

}  // namespace r1eval
