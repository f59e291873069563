// The tasks and suites there are: built-in ones (compiled in from tasks/*.toml), those in the
// folders of R1EVAL_TASK_PATH (colon separated), and a file named on the command line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/task.h"

namespace r1eval {

struct Suite {
  std::string name;
  std::string title;
  std::vector<std::string> tasks;
};

class TaskRegistry {
 public:
  // Errors: kParse naming file, line and key.
  static Result<TaskRegistry> open();

  const std::vector<Task>& tasks() const { return tasks_; }

  const std::vector<Suite>& suites() const { return suites_; }

  // A task by name, or by the path of a TOML file (anything with a '/' or ending in .toml).
  // Errors: kInvalidArgument with the nearest name.
  Result<Task> find(const std::string& name_or_path) const;
  Result<Suite> find_suite(const std::string& name) const;

 private:
  std::vector<Task> tasks_;
  std::vector<Suite> suites_;
};

// A task file's text to a Task. `origin` names the file in errors.
Result<Task> parse_task(std::string_view toml, const std::string& origin);

}  // namespace r1eval
