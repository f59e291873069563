#include "tasks/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/file.h"
#include "base/hash.h"
#include "base/nearest.h"
#include "tasks/embedded.h"

namespace r1eval {

Result<std::vector<Suite>> parse_suites(std::string_view text, const std::string& origin);

namespace {

bool is_path(const std::string& name) {
  return name.find('/') != std::string::npos || name.ends_with(".toml");
}

Result<Task> read_task_file(const std::string& path) {
  R1_TRY(const std::string text, read_file(path));
  R1_TRY(Task task, parse_task(text, path));
  task.path = path;
  return task;
}

// A task that says data_of takes dataset, columns and filter of the task it names.
Status take_data(const std::vector<Task>& tasks, Task& task) {
  if (task.data_of.empty()) {
    return ok_status();
  }
  const auto found = std::find_if(tasks.begin(), tasks.end(), [&](const Task& other) {
    return other.name == task.data_of && other.data_of.empty();
  });
  if (found == tasks.end()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("task {}: data_of: no task '{}' with data of its own", task.name,
                            task.data_of));
  }
  task.dataset = found->dataset;
  task.sources = found->sources;
  task.archive_url = found->archive_url;
  task.archive_sha256 = found->archive_sha256;
  task.archive_bytes = found->archive_bytes;
  task.columns = found->columns;
  task.filter = found->filter;
  task.definition_sha256 = sha256_hex(task.definition_sha256 + found->definition_sha256);
  return ok_status();
}

std::vector<std::string> user_task_files() {
  std::vector<std::string> files;
  std::string folders = environment("R1EVAL_TASK_PATH");
  while (!folders.empty()) {
    const std::size_t colon = folders.find(':');
    const std::string folder = folders.substr(0, colon);
    folders = colon == std::string::npos ? "" : folders.substr(colon + 1);
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      if (entry.path().extension() == ".toml") {
        files.push_back(entry.path().string());
      }
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

Result<TaskRegistry> TaskRegistry::open() {
  TaskRegistry registry;
  for (const auto& [name, text] : embedded_task_files()) {
    if (name == "suites.toml") {
      R1_TRY(registry.suites_, parse_suites(text, "tasks/suites.toml"));
    } else if (name.ends_with(".toml")) {
      R1_TRY(Task task, parse_task(text, "tasks/" + std::string(name)));
      registry.tasks_.push_back(std::move(task));
    }
  }
  const std::vector<Task> builtin = registry.tasks_;
  for (Task& task : registry.tasks_) {
    R1_RETURN_IF_ERROR(take_data(builtin, task));
  }
  for (const std::string& path : user_task_files()) {
    R1_TRY(Task task, read_task_file(path));
    R1_RETURN_IF_ERROR(take_data(builtin, task));
    const auto same = std::find_if(registry.tasks_.begin(), registry.tasks_.end(),
                                   [&](const Task& t) { return t.name == task.name; });
    if (same != registry.tasks_.end()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: a task named '{}' exists already ({}); give yours another name",
                              path, task.name, same->path.empty() ? "built in" : same->path));
    }
    registry.tasks_.push_back(std::move(task));
  }
  return registry;
}

Result<Task> TaskRegistry::find(const std::string& name_or_path) const {
  if (is_path(name_or_path)) {
    R1_TRY(Task task, read_task_file(name_or_path));
    R1_RETURN_IF_ERROR(take_data(tasks_, task));
    return task;
  }
  std::vector<std::string> names;
  for (const Task& task : tasks_) {
    if (task.name == name_or_path) {
      return task;
    }
    names.push_back(task.name);
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("no task named '{}'{}", name_or_path, did_you_mean(name_or_path, names)));
}

Result<Suite> TaskRegistry::find_suite(const std::string& name) const {
  std::vector<std::string> names;
  for (const Suite& suite : suites_) {
    if (suite.name == name) {
      return suite;
    }
    names.push_back(suite.name);
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("no suite named '{}'{}", name, did_you_mean(name, names)));
}

}  // namespace r1eval
