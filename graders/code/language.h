// Programming languages as data: one file under languages/ each.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace r1eval {

// A command that makes one file out of one file, in the slot's scratch folder.
struct CompileStep {
  std::string source;                // name of the file that holds the program
  std::string made;                  // name of the file that comes out
  std::vector<std::string> command;  // words; the first is a path
};

struct CodeLanguage {
  std::string name;
  bool is_python = false;
  std::vector<std::string> interpreters;  // is_python: paths, the first that exists is taken
  CompileStep compile;                    // empty command: interpreted
  std::string header;                     // include name of a header worth precompiling, or empty
  CompileStep header_step;
};

const std::vector<CodeLanguage>& code_languages();
const CodeLanguage* find_code_language(std::string_view name);

}  // namespace r1eval
