#include "graders/code/language.h"

#include <toml++/toml.h>
#include <span>
#include <utility>

#include "base/check.h"

namespace r1eval {

// Made by the build out of languages/*.toml.
std::span<const std::pair<std::string_view, std::string_view>> code_language_files();

namespace {

CompileStep read_step(const toml::table& table) {
  CompileStep step;
  step.source = table["source"].value_or(std::string());
  step.made = table["made"].value_or(std::string());
  if (const toml::array* words = table["compile"].as_array()) {
    for (const toml::node& word : *words) {
      step.command.push_back(word.value_or(std::string()));
    }
  }
  return step;
}

std::vector<CodeLanguage> read_all() {
  std::vector<CodeLanguage> languages;
  for (const auto& [name, text] : code_language_files()) {
    const toml::table table = toml::parse(text);
    CodeLanguage language;
    language.name = table["name"].value_or(std::string());
    language.is_python = table["engine"].value_or(std::string()) == "python";
    if (const toml::array* paths = table["interpreters"].as_array()) {
      for (const toml::node& path : *paths) {
        language.interpreters.push_back(path.value_or(std::string()));
      }
    }
    language.compile = read_step(table);
    if (const toml::table* header = table["header"].as_table()) {
      language.header = (*header)["include"].value_or(std::string());
      language.header_step = read_step(*header);
    }
    languages.push_back(std::move(language));
  }
  return languages;
}

}  // namespace

const std::vector<CodeLanguage>& code_languages() {
  static const std::vector<CodeLanguage> languages = read_all();
  return languages;
}

const CodeLanguage* find_code_language(std::string_view name) {
  for (const CodeLanguage& language : code_languages()) {
    if (language.name == name) {
      return &language;
    }
  }
  return nullptr;
}

}  // namespace r1eval
