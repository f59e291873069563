#include "graders/code/problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "graders/code/python_value.h"
#include "graders/code/text.h"

namespace r1eval {
namespace {

using Kind = PythonValue::Kind;

const PythonValue* member(const PythonValue& dict, std::string_view key) {
  for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    if (dict.items[i].text == key) {
      return &dict.items[i + 1];
    }
  }
  return nullptr;
}

PythonValue* member(PythonValue& dict, std::string_view key) {
  return const_cast<PythonValue*>(member(std::as_const(dict), key));
}

// A list of {input, output}, or of pairs of lists {inputs, outputs}.
Status append_tests(std::string_view json, std::vector<CodeTest>& tests) {
  R1_TRY(PythonValue list, parse_python_json(json));
  if (list.kind == Kind::kDict) {
    PythonValue* inputs = member(list, "inputs");
    PythonValue* outputs = member(list, "outputs");
    if (inputs == nullptr || outputs == nullptr || inputs->kind != Kind::kList ||
        outputs->kind != Kind::kList || inputs->items.size() != outputs->items.size()) {
      return fail(ErrorCode::kParse, "expected two lists of one length, 'inputs' and 'outputs'");
    }
    for (std::size_t i = 0; i < inputs->items.size(); ++i) {
      if (inputs->items[i].kind != Kind::kStr || outputs->items[i].kind != Kind::kStr) {
        return fail(ErrorCode::kParse, fmt::format("test {}: expected two texts", i));
      }
      tests.push_back({std::move(inputs->items[i].text), std::move(outputs->items[i].text)});
    }
    return ok_status();
  }
  if (list.kind != Kind::kList) {
    return fail(ErrorCode::kParse, "expected a list of tests");
  }
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    PythonValue& test = list.items[i];
    PythonValue* input = test.kind == Kind::kDict ? member(test, "input") : nullptr;
    PythonValue* output = test.kind == Kind::kDict ? member(test, "output") : nullptr;
    if (input == nullptr || output == nullptr || input->kind != Kind::kStr ||
        output->kind != Kind::kStr) {
      return fail(
          ErrorCode::kParse,
          fmt::format("test {}: expected an object with the texts 'input' and 'output'", i));
    }
    tests.push_back({std::move(input->text), std::move(output->text)});
  }
  return ok_status();
}

Result<std::string> func_name_of(std::string_view metadata) {
  if (python_strip(metadata).empty()) {
    return std::string();
  }
  R1_TRY(const PythonValue value, parse_python_json(metadata));
  if (value.kind == Kind::kNone) {
    return std::string();
  }
  if (value.kind != Kind::kDict) {
    return fail(ErrorCode::kParse, "expected an object");
  }
  const PythonValue* name = member(value, "func_name");
  if (name == nullptr || name->kind == Kind::kNone) {
    return std::string();
  }
  if (name->kind != Kind::kStr) {
    return fail(ErrorCode::kParse, "func_name: expected a text");
  }
  return name->text;
}

Error in_column(std::string_view column, const Error& error) {
  return error.with_context(column);
}

Result<CodeProblem> read_livecodebench(const Json& columns, const PayloadLimits& limits) {
  CodeProblem problem;
  Result<std::string> name = func_name_of(string_or(columns, "metadata"));
  if (!name) {
    return in_column("metadata", name.error());
  }
  problem.fn_name = std::move(name).value();
  problem.mode =
      problem.fn_name.empty() ? CodeProblem::Mode::kStdin : CodeProblem::Mode::kFunctional;
  if (const std::string text = string_or(columns, "public_test_cases"); !text.empty()) {
    if (const Status status = append_tests(text, problem.tests); !status) {
      return in_column("public_test_cases", status.error());
    }
  }
  problem.n_public = static_cast<std::int64_t>(problem.tests.size());
  if (const std::string text = string_or(columns, "private_test_cases"); !text.empty()) {
    const Result<std::string> json = decode_test_payload(text, limits);
    if (!json) {
      return in_column("private_test_cases", json.error());
    }
    if (const Status status = append_tests(*json, problem.tests); !status) {
      return in_column("private_test_cases", status.error());
    }
  }
  if (problem.tests.empty()) {
    return fail(ErrorCode::kParse, "there are no tests: every program would pass");
  }
  return problem;
}

Result<CodeProblem> read_pairs(const Json& columns) {
  CodeProblem problem;
  const std::string text = string_or(columns, "tests");
  R1_TRY(const PythonValue value, parse_python_json(text));
  const PythonValue* functional = value.kind == Kind::kDict ? member(value, "functional") : nullptr;
  if (functional != nullptr && functional->kind == Kind::kStr) {
    problem.mode = CodeProblem::Mode::kScript;
    problem.checks = functional->text;
    problem.needs_prelude = true;
    return problem;
  }
  if (const Status status = append_tests(text, problem.tests); !status) {
    return in_column("tests", status.error());
  }
  if (problem.tests.empty()) {
    return fail(ErrorCode::kParse, "there are no tests: every program would pass");
  }
  return problem;
}

Result<CodeProblem> read_checks(const Json& columns) {
  CodeProblem problem;
  problem.mode = CodeProblem::Mode::kScript;
  problem.prompt = string_or(columns, "prompt");
  problem.entry_point = string_or(columns, "entry_point");
  problem.checks = string_or(columns, "test");
  problem.needs_prelude = problem.entry_point.empty();
  if (python_strip(problem.checks).empty()) {
    return fail(ErrorCode::kParse, "test: is empty: every program would pass");
  }
  if (!problem.entry_point.empty()) {
    problem.checks += fmt::format("\n\ncheck({})\n", problem.entry_point);
  }
  return problem;
}

Result<CodeProblem> read_mbpp(const Json& columns) {
  CodeProblem problem;
  problem.mode = CodeProblem::Mode::kScript;
  R1_TRY(const PythonValue list, parse_python_json(string_or(columns, "test_list")));
  problem.checks = string_or(columns, "test_setup_code");
  for (const PythonValue& test : list.items) {
    if (list.kind != Kind::kList || test.kind != Kind::kStr) {
      return fail(ErrorCode::kParse, "test_list: expected a list of texts");
    }
    problem.checks += "\n" + test.text;
  }
  if (list.items.empty()) {
    return fail(ErrorCode::kParse, "test_list: is empty: every program would pass");
  }
  return problem;
}

Result<Json> read_columns(std::string_view tests_json) {
  R1_TRY(Json columns, parse_json(tests_json));
  if (!columns.is_object()) {
    return fail(ErrorCode::kParse, "the item has no test columns");
  }
  return columns;
}

bool has(const Json& columns, std::string_view key) {
  return find_member(columns, key) != nullptr;
}

}  // namespace

std::int64_t CodeProblem::bytes() const {
  std::size_t n = sizeof(CodeProblem) + prompt.size() + checks.size();
  for (const CodeTest& test : tests) {
    n += sizeof(CodeTest) + test.input.size() + test.expected.size();
  }
  return static_cast<std::int64_t>(n);
}

Result<CodeProblem> read_code_problem(std::string_view tests_json, const PayloadLimits& limits) {
  R1_TRY(const Json columns, read_columns(tests_json));
  if (has(columns, "public_test_cases") || has(columns, "private_test_cases")) {
    return read_livecodebench(columns, limits);
  }
  if (has(columns, "test_list")) {
    return read_mbpp(columns);
  }
  if (has(columns, "test")) {
    return read_checks(columns);
  }
  if (has(columns, "tests")) {
    return read_pairs(columns);
  }
  return fail(ErrorCode::kParse,
              "the columns of tests are none of the known layouts: public_test_cases and "
              "private_test_cases, test and entry_point, test_list, or tests");
}

Status check_code_problem(std::string_view tests_json) {
  R1_TRY(const Json columns, read_columns(tests_json));
  const std::string field = string_or(columns, "private_test_cases");
  const std::string_view packed = python_strip(field);
  if (packed.empty() || packed.starts_with('[') || packed.starts_with('{')) {
    const Result<CodeProblem> problem = read_code_problem(tests_json);
    return problem ? ok_status() : Status(problem.error());
  }
  // The packed tests are looked at, not unpacked: they are what makes a row large.
  if (const Result<std::string> name = func_name_of(string_or(columns, "metadata")); !name) {
    return in_column("metadata", name.error());
  }
  if (const std::string text = string_or(columns, "public_test_cases"); !text.empty()) {
    std::vector<CodeTest> tests;
    if (const Status status = append_tests(text, tests); !status) {
      return in_column("public_test_cases", status.error());
    }
  }
  const std::size_t n = packed.size() > 64 ? 64 : packed.size();
  const Result<std::string> head = decode_base64(packed.substr(0, n));
  if (!head) {
    return in_column("private_test_cases", head.error());
  }
  // Every zlib stream begins with a byte that names deflate, the only method there is.
  if (head->empty() || (static_cast<unsigned char>(head->front()) & 0x0F) != 8) {
    return fail(ErrorCode::kParse, "private_test_cases: neither JSON nor base64 of zlib");
  }
  return ok_status();
}

namespace {

bool defines(std::string_view code, std::string_view name) {
  const std::string head = fmt::format("def {}", name);
  for (std::size_t at = code.find(head); at != std::string_view::npos;
       at = code.find(head, at + 1)) {
    const std::size_t after = at + head.size();
    const bool starts = at == 0 || code[at - 1] == '\n' || code[at - 1] == ' ';
    if (starts && after < code.size() && (code[after] == '(' || code[after] == ' ')) {
      return true;
    }
  }
  return false;
}

// What stands before the function that is asked for: imports and helpers.
std::string_view before_function(std::string_view prompt, std::string_view name) {
  const std::string head = fmt::format("\ndef {}(", name);
  const std::size_t at = prompt.rfind(head);
  if (at != std::string_view::npos) {
    return prompt.substr(0, at + 1);
  }
  return prompt.starts_with(head.substr(1)) ? std::string_view() : prompt;
}

}  // namespace

std::string assemble_script(const CodeProblem& problem, std::string_view program,
                            std::string_view token) {
  std::string script;
  const bool continues = !problem.entry_point.empty() &&
                         defines(problem.prompt, problem.entry_point) &&
                         !defines(program, problem.entry_point);
  script += continues ? std::string_view(problem.prompt)
                      : before_function(problem.prompt, problem.entry_point);
  if (!script.empty() && !script.ends_with('\n')) {
    script += '\n';
  }
  script += program;
  script += "\n";
  script += problem.checks;
  script += fmt::format("\n__import__(\"os\").write(1, b\"\\n{}\\n\")\n", token);
  return script;
}

}  // namespace r1eval
