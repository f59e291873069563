// list, show, data, task.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/log.h"
#include "engine/catalog.h"
#include "engine/registry.h"
#include "graders/grader.h"
#include "harness/command.h"
#include "harness/exit_codes.h"
#include "tasks/dataset_store.h"
#include "tasks/prompt.h"
#include "tasks/registry.h"

namespace r1eval {
namespace {

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

int finish(const Status& status) {
  return status ? kExitOk : report_failure(status.error());
}

std::string_view state_name(FileState state) {
  switch (state) {
    case FileState::kMissing:
      return "missing";
    case FileState::kVerified:
      return "verified";
    case FileState::kUnverified:
      return "unverified";
    case FileState::kCorrupt:
      return "corrupt";
  }
  return "missing";
}

// One word for all files of a task.
std::string_view task_state(const DatasetStore& store, const Task& task) {
  const std::vector<FileStatus> files = store.status(task, false);
  std::string_view worst = "verified";
  bool is_any_there = files.empty();
  for (const FileStatus& file : files) {
    is_any_there = is_any_there || file.state != FileState::kMissing;
    if (file.state == FileState::kCorrupt) {
      return "corrupt";
    }
    if (file.state == FileState::kMissing && file.detail != "optional") {
      worst = "missing";
    } else if (file.state == FileState::kUnverified && worst == "verified") {
      worst = "unverified";
    }
  }
  return is_any_there ? worst : "missing";
}

// ---- list ---------------------------------------------------------------------------------------

Status list_tasks(OrderedJson& out, std::string& text) {
  R1_TRY(const TaskRegistry registry, TaskRegistry::open());
  const DatasetStore store;
  text += "tasks\n";
  for (const Task& task : registry.tasks()) {
    const std::string_view state = task_state(store, task);
    const bool built_in = !task.sources.front().builtin.empty();
    out["tasks"].push_back({{"name", task.name},
                            {"title", task.title},
                            {"version", task.version},
                            {"suites", task.suites},
                            {"grader", task.grader.grader},
                            {"k", task.k},
                            {"data", built_in ? "built in" : std::string(state)},
                            {"gradable", true},
                            {"needs_sandbox", task.needs_sandbox},
                            {"official", task.is_official},
                            {"license", task.license},
                            {"redistributable", task.is_redistributable}});
    text += fmt::format("  {:16} {:34} k {:<3} data {}{}\n", task.name, task.title, task.k,
                        built_in ? "built in" : state, task.is_official ? "" : ", unofficial");
  }
  return ok_status();
}

Status list_suites(OrderedJson& out, std::string& text) {
  R1_TRY(const TaskRegistry registry, TaskRegistry::open());
  text += "suites\n";
  for (const Suite& suite : registry.suites()) {
    out["suites"].push_back({{"name", suite.name}, {"title", suite.title}, {"tasks", suite.tasks}});
    std::string tasks;
    for (const std::string& task : suite.tasks) {
      tasks += (tasks.empty() ? "" : ", ") + task;
    }
    text += fmt::format("  {:16} {}\n", suite.name, tasks);
  }
  return ok_status();
}

Status list_models(OrderedJson& out, std::string& text) {
  R1_TRY(const Catalog catalog, Catalog::open());
  text += "models\n";
  for (const CatalogModel& model : catalog.models()) {
    const bool here = locate_model(model).has_value();
    out["models"].push_back({{"alias", model.alias},
                             {"description", model.description},
                             {"fetched", here},
                             {"runnable", model.is_runnable}});
    text += fmt::format("  {:30} {}{}{}\n", model.alias, model.description,
                        here ? " [fetched]" : "", model.is_runnable ? "" : " [not runnable here]");
  }
  return ok_status();
}

Status list_engines(OrderedJson& out, std::string& text) {
  text += "engines\n";
  for (const auto& [name, about] : list_backends()) {
    out["engines"].push_back({{"name", name}, {"about", about}});
    text += fmt::format("  {:16} {}\n", name, about);
  }
  return ok_status();
}

Status list_graders(OrderedJson& out, std::string& text) {
  text += "graders\n";
  for (const std::string name : {"math", "choice", "text", "code"}) {
    GraderSpec spec;
    spec.grader = name;
    const auto grader = make_grader(spec);
    const std::string state = grader ? "available" : grader.error().message;
    out["graders"].push_back({{"name", name}, {"state", state}});
    text += fmt::format("  {:16} {}\n", name, state);
  }
  return ok_status();
}

Status list_profiles(OrderedJson& out, std::string& text) {
  text += "profiles\n";
  const std::vector<std::pair<std::string, std::string>> profiles = {
      {"default", "our own rules, docs/grading.md"},
      {"lcb", "code: real scripts with LiveCodeBench's prelude and comparison (the default)"},
      {"lcb-official", "code: LiveCodeBench's runner with its quirks, for published numbers"},
      {"strict", "code: no prelude, the exit status must be 0"}};
  for (const auto& [name, about] : profiles) {
    out["profiles"].push_back({{"name", name}, {"about", about}});
    text += fmt::format("  {:16} {}\n", name, about);
  }
  return ok_status();
}

int list(const std::string& what, bool json) {
  struct Part {
    std::string name;
    std::function<Status(OrderedJson&, std::string&)> list;
  };

  const std::vector<Part> parts = {{"tasks", list_tasks},     {"suites", list_suites},
                                   {"models", list_models},   {"engines", list_engines},
                                   {"graders", list_graders}, {"profiles", list_profiles}};
  OrderedJson out;
  std::string text;
  for (const Part& part : parts) {
    if (what.empty() || what == part.name) {
      out[part.name] = OrderedJson::array();
      if (const Status status = part.list(out, text); !status) {
        return report_failure(status.error());
      }
    }
  }
  print(json ? dump_json(out) + "\n" : text);
  return kExitOk;
}

// ---- show ---------------------------------------------------------------------------------------

struct ShowFlags {
  std::string task;
  std::string item;
  std::int64_t sample = 0;
  std::uint64_t seed = 0;
  bool json = false;
};

Status show_items(const Task& task, const TaskData& data, const RenderOptions& options,
                  const std::vector<std::int64_t>& items, std::int64_t sample, bool json) {
  R1_TRY(const std::unique_ptr<PromptRenderer> renderer,
         PromptRenderer::create(task, data, options));
  for (const std::int64_t i : items) {
    const RenderedPrompt prompt = renderer->render(i, sample);
    const Item& item = data.items[static_cast<std::size_t>(i)];
    if (json) {
      OrderedJson out;
      out["task"] = task.name;
      out["item"] = item.id;
      out["sample"] = sample;
      out["messages"] = OrderedJson::array();
      for (const ChatMessage& message : prompt.messages) {
        out["messages"].push_back({{"role", message.role}, {"content", message.content}});
      }
      out["prompt_sha256"] = prompt.sha256;
      out["template_sha256"] = renderer->template_sha256();
      out["target"] = prompt.target;
      out["choices"] = prompt.choices;
      print(dump_json(out) + "\n");
      continue;
    }
    print(fmt::format("task {} item {} sample {}\n", task.name, item.id, sample));
    for (const ChatMessage& message : prompt.messages) {
      print(fmt::format("--- {} ---\n{}\n", message.role, message.content));
    }
    print(fmt::format("--- gold ---\n{}\n--- hashes ---\nprompt   {}\ntemplate {}\n",
                      prompt.target.empty() ? "(tests)" : prompt.target, prompt.sha256,
                      renderer->template_sha256()));
  }
  return ok_status();
}

Status show(const ShowFlags& flags) {
  R1_TRY(const TaskRegistry registry, TaskRegistry::open());
  R1_TRY(const Task task, registry.find(flags.task));
  R1_TRY(const TaskData data, DatasetStore().load(task));
  std::int64_t found = -1;
  for (std::size_t i = 0; i < data.items.size(); ++i) {
    if (data.items[i].id == flags.item || "#" + std::to_string(i) == flags.item) {
      found = static_cast<std::int64_t>(i);
      break;
    }
  }
  if (found < 0) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("task {} has no item '{}'; the first is '{}', and #0 to #{} go by number",
                    task.name, flags.item, data.items.front().id, data.items.size() - 1));
  }
  RenderOptions options;
  options.run_seed = flags.seed;
  options.k = std::max(task.k, flags.sample + 1);
  return show_items(task, data, options, {found}, flags.sample, flags.json);
}

Status check_task(const std::string& path) {
  R1_TRY(const TaskRegistry registry, TaskRegistry::open());
  R1_TRY(const Task task, registry.find(path));
  R1_RETURN_IF_ERROR(make_grader(task.grader));
  const DatasetStore store;
  R1_TRY(const TaskData data, store.load(task));
  print(fmt::format("task {}: {} items{}, k {}, grader {}\n", task.name, data.items.size(),
                    data.shots.empty() ? "" : fmt::format(", {} examples", data.shots.size()),
                    task.k, task.grader.grader));
  for (const FileStatus& file : store.status(task, true)) {
    print(fmt::format("  {} {} {}\n", file.path, state_name(file.state), file.detail));
  }
  std::vector<std::int64_t> first;
  for (std::int64_t i = 0;
       i < std::min<std::int64_t>(3, static_cast<std::int64_t>(data.items.size())); ++i) {
    first.push_back(i);
  }
  RenderOptions options;
  options.k = task.k;
  R1_RETURN_IF_ERROR(show_items(task, data, options, first, 0, false));
  R1_TRY(const std::unique_ptr<Grader> grader, make_grader(task.grader));
  std::int64_t n_unreadable = 0;
  for (const Item& item : data.items) {
    GradeRequest request;
    request.target = item.target;
    request.choices = item.choices;
    request.item = item.id;
    request.load_tests = [&] { return read_item_tests(task, item); };
    if (const Status readable = grader->check_target(request); !readable && ++n_unreadable <= 5) {
      log_warning(fmt::format("item {} cannot be graded: {}", item.id, readable.error().message));
    }
  }
  print(fmt::format("ok: {} of {} items can be graded\n",
                    static_cast<std::int64_t>(data.items.size()) - n_unreadable,
                    data.items.size()));
  return ok_status();
}

// ---- data ---------------------------------------------------------------------------------------

Result<std::vector<Task>> tasks_named(const std::vector<std::string>& names) {
  R1_TRY(const TaskRegistry registry, TaskRegistry::open());
  std::vector<Task> tasks;
  if (names.empty()) {
    for (const Task& task : registry.tasks()) {
      if (!task.dataset.empty()) {
        tasks.push_back(task);
      }
    }
    return tasks;
  }
  for (const std::string& name : names) {
    if (const Result<Suite> suite = registry.find_suite(name)) {
      for (const std::string& member : suite->tasks) {
        R1_TRY(Task task, registry.find(member));
        tasks.push_back(std::move(task));
      }
      continue;
    }
    R1_TRY(Task task, registry.find(name));
    tasks.push_back(std::move(task));
  }
  return tasks;
}

Status data_list(const std::vector<std::string>& names, bool deep, bool json, bool& all_good) {
  R1_TRY(const std::vector<Task> tasks, tasks_named(names));
  const DatasetStore store;
  OrderedJson out;
  std::string text = fmt::format("store: {}\n", store.root());
  for (const Task& task : tasks) {
    const std::vector<FileStatus> files = store.status(task, deep);
    std::int64_t n_good = 0;
    for (const FileStatus& file : files) {
      const bool good = file.state == FileState::kVerified || file.state == FileState::kUnverified;
      n_good += good ? 1 : 0;
      all_good = all_good && (good || file.detail == "optional");
      OrderedJson entry = {{"task", task.name},
                           {"path", file.path},
                           {"state", state_name(file.state)},
                           {"detail", file.detail}};
      out["files"].push_back(entry);
      if (files.size() <= 8 || !good) {
        text += fmt::format("  {:16} {:10} {} {}\n", task.name, state_name(file.state), file.path,
                            file.detail);
      }
    }
    if (files.size() > 8) {
      text += fmt::format("  {:16} {} of {} files {}\n", task.name, n_good, files.size(),
                          deep ? "verified" : "there");
    }
  }
  print(json ? dump_json(out) + "\n" : text);
  return ok_status();
}

Status data_fetch(const std::vector<std::string>& names) {
  R1_TRY(const std::vector<Task> tasks, tasks_named(names));
  const DatasetStore store;
  for (const Task& task : tasks) {
    R1_RETURN_IF_ERROR(store.fetch(task, log_info));
  }
  return ok_status();
}

Status data_import(const std::string& name, const std::string& path) {
  R1_TRY(const std::vector<Task> tasks, tasks_named({name}));
  const DatasetStore store;
  for (const Task& task : tasks) {
    R1_RETURN_IF_ERROR(store.import(task, path, log_info));
    if (!task.sources.front().path.empty()) {
      R1_TRY(const TaskData data,
             store.load(task));  // every row is readable, or we say which is not
      log_info(fmt::format("{}: {} items", task.name, data.items.size()));
    }
  }
  return ok_status();
}

}  // namespace

void add_task_commands(CLI::App& app, Action& action) {
  CLI::App* list_command = app.add_subcommand("list", "tasks, suites, models, engines, …");
  auto what = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  list_command->add_option("WHAT", *what, "tasks, suites, models, engines, graders or profiles")
      ->check(CLI::IsMember({"tasks", "suites", "models", "engines", "graders", "profiles"}));
  list_command->add_flag("--json", *json, "one JSON object");
  list_command->callback(
      [&action, what, json] { action = [what, json] { return list(*what, *json); }; });

  CLI::App* show_command = app.add_subcommand("show", "the exact prompt of an item, and its gold");
  auto flags = std::make_shared<ShowFlags>();
  show_command->add_option("TASK", flags->task, "name, or path of a .toml")->required();
  show_command->add_option("ITEM", flags->item, "id, or #NUMBER from 0")->required();
  show_command->add_option("--sample", flags->sample, "which sample (choices may be shuffled)")
      ->check(CLI::Range(0, 100000));
  show_command->add_option("--seed", flags->seed, "of the run");
  show_command->add_flag("--json", flags->json, "one JSON object");
  show_command->callback([&action, flags] { action = [flags] { return finish(show(*flags)); }; });

  CLI::App* task_command = app.add_subcommand("task", "work on task files");
  task_command->require_subcommand(1);
  CLI::App* check = task_command->add_subcommand("check", "validate a task file, show three items");
  auto path = std::make_shared<std::string>();
  check->add_option("FILE", *path, "the .toml")->required();
  check->callback([&action, path] { action = [path] { return finish(check_task(*path)); }; });

  CLI::App* data = app.add_subcommand("data", "the dataset store");
  data->require_subcommand(1);
  auto names = std::make_shared<std::vector<std::string>>();
  CLI::App* data_list_command = data->add_subcommand("list", "files and their state");
  data_list_command->add_option("TASK", *names, "tasks or suites; default: all");
  data_list_command->add_flag("--json", *json, "one JSON object");
  data_list_command->callback([&action, names, json] {
    action = [names, json] {
      bool all_good = true;
      return finish(data_list(*names, false, *json, all_good));
    };
  });
  CLI::App* verify = data->add_subcommand("verify", "hash every file; exit 5 if one is not right");
  verify->add_option("TASK", *names, "tasks or suites; default: all");
  verify->add_flag("--json", *json, "one JSON object");
  verify->callback([&action, names, json] {
    action = [names, json] {
      bool all_good = true;
      const int code = finish(data_list(*names, true, *json, all_good));
      return code == kExitOk && !all_good ? kExitEnvironment : code;
    };
  });
  CLI::App* fetch = data->add_subcommand("fetch", "download what is missing, checked");
  fetch->add_option("TASK", *names, "tasks or suites")->required();
  fetch->callback([&action, names] { action = [names] { return finish(data_fetch(*names)); }; });
  CLI::App* import = data->add_subcommand("import", "take files that you have, checked");
  auto name = std::make_shared<std::string>();
  import->add_option("TASK", *name, "task or suite")->required();
  import->add_option("PATH", *path, "file, archive, or folder with the files anywhere below")
      ->required();
  import->callback(
      [&action, name, path] { action = [name, path] { return finish(data_import(*name, *path));
};
}  // namespace r1eval
);
}

}  // namespace r1eval
