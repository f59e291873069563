// How subcommands are made: each commands_*.cc adds its own to the application and, when the user
// chose one of them, stores what to run. main() runs it after parsing and returns its exit code.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace CLI {
class App;
}

namespace r1eval {

// Returns the process's exit code (harness/exit_codes.h).
using Action = std::function<int()>;

// The command as typed, quoted where a shell needs it, without secrets.
std::string command_line();

void add_run_commands(CLI::App& app, Action& action);     // run, resume, grade
void add_task_commands(CLI::App& app, Action& action);    // list, show, data, task
void add_model_commands(CLI::App& app, Action& action);   // model inspect|tokenize|…|generate
void add_models_commands(CLI::App& app, Action& action);  // models list|fetch|path
void add_score_commands(CLI::App& app, Action& action);   // score, split-thinking
void add_score_code_command(CLI::App& score, Action& action);  // under score
void add_bench_commands(CLI::App& app, Action& action);        // bench engine|graders|sandbox
void add_sandbox_commands(CLI::App& app, Action& action);      // sandbox run, doctor
void add_serve_mock_commands(CLI::App& app, Action& action);   // serve-mock
void add_compare_commands(CLI::App& app, Action& action);      // compare, gate
void add_export_commands(CLI::App& app, Action& action);       // export
void add_report_commands(CLI::App& app, Action& action);       // report, leaderboard
void add_plan_command(CLI::App& app, Action& action);          // plan
void add_import_commands(CLI::App& app, Action& action);       // import

}  // namespace r1eval
