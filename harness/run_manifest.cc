#include "harness/run_manifest.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <utility>

#include "base/clock.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "harness/version.h"
#include "results/run_store.h"

namespace r1eval {
namespace {

OrderedJson optional_json(const auto& value) {
  return value ? OrderedJson(*value) : OrderedJson();
}

std::string file_name_part(std::string text) {
  const std::size_t slash = text.find_last_of('/');
  if (slash != std::string::npos && slash + 1 < text.size()) {
    text = text.substr(slash + 1);
  }
  for (char& c : text) {
    const bool keep = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-';
    c = keep ? c : '_';
  }
  return text.substr(0, 60);
}

}  // namespace

OrderedJson config_json(const Plan& plan, const RunOptions& o, const Capabilities& capabilities,
                        const std::string& prefix) {
  OrderedJson config;
  OrderedJson tasks;
  for (std::size_t t = 0; t < plan.tasks.size(); ++t) {
    const PlannedTask& planned = plan.tasks[t];
    Sha256 items;
    for (const std::int64_t i : planned.items) {
      items.update(planned.data.items[static_cast<std::size_t>(i)].id + "\n");
    }
    OrderedJson task;
    task["version"] = planned.task.version;
    task["definition_sha256"] = planned.task.definition_sha256;
    task["dataset_sha256"] = planned.data.dataset_sha256;
    task["template_sha256"] = planned.renderer->template_sha256();
    task["items"] = planned.items.size();
    task["items_sha256"] = items.finish_hex();
    task["k"] = planned.k;
    task["max_tokens"] = planned.max_tokens;
    task["temperature"] = planned.temperature;
    task["top_p"] = planned.top_p;
    tasks[planned.task.name] = task;
  }
  config["tasks"] = tasks;
  config["model"] = capabilities.model;
  config["model_revision"] = o.model_revision;
  config["model_identity"] = capabilities.model_identity;
  config["seed"] = o.seed;
  config["limit"] = o.limit;
  config["shuffle"] = o.shuffle;
  config["directive"] = o.directive;
  config["prompt"] = o.prompt_variant;
  config["system_prompt"] = o.system_prompt;
  config["shots"] = o.n_shots;
  config["assistant_prefix"] = prefix;
  config["think_tags"] = capabilities.think_open + "," + capabilities.think_close;
  config["top_k"] = optional_json(o.top_k);
  config["min_p"] = optional_json(o.min_p);
  config["stop"] = o.stop;
  if (o.think_budget > 0) {
    config["think_budget"] = o.think_budget;
    config["force_think_close"] = o.force_think_close;
  }
  config["reasoning_effort"] = o.reasoning_effort;
  config["chat_template_kwargs"] = o.chat_template_kwargs;
  config["extra_body"] = o.extra_body;
  config["omit"] = o.omit;
  config["labels"] = o.labels;
  OrderedJson header_names = OrderedJson::array();
  for (const std::string& header : o.headers) {
    header_names.push_back(header.substr(0, header.find(':')));
  }
  config["header_names"] = header_names;
  return config;
}

std::string_view support_name(FieldSupport support) {
  switch (support) {
    case FieldSupport::kSent:
      return "sent";
    case FieldSupport::kServerDefault:
      return "server_default";
    case FieldSupport::kUnverified:
      return "unverified";
  }
  return "unverified";
}

std::string config_hash(OrderedJson config, bool is_endpoint) {
  if (is_endpoint) {
    // What a server states of itself may change under the same command; that is then noticed when
    // the directory is opened, instead of silently starting a new one.
    config.erase("model_identity");
  }
  return sha256_hex(dump_json(config)).substr(0, 12);
}

std::string default_directory(const Plan& plan, const RunOptions& options,
                              const Capabilities& capabilities, const std::string& hash) {
  std::string what = options.suite;
  if (what.empty()) {
    for (const PlannedTask& planned : plan.tasks) {
      what += (what.empty() ? "" : "+") + planned.task.name;
    }
  }
  for (char& c : what) {
    c = c == '+' ? '_' : c;
  }
  return fmt::format("runs/{}-{}-{}", file_name_part(what), file_name_part(capabilities.model),
                     hash);
}

OrderedJson manifest_json(const RunOptions& options, const OrderedJson& config,
                          const Capabilities& capabilities, const Prices& prices) {
  OrderedJson manifest;
  manifest["schema"] = 1;
  manifest["r1eval"] = kVersion;
  manifest["created"] = utc_timestamp();
  manifest["command"] = options.command;
  manifest["options"] = run_options_to_json(options);
  manifest["config"] = config;
  if (const OrderedJson known = prices_to_json(prices); !known.is_null()) {
    manifest["prices"] = known;
  }
  OrderedJson backend;
  for (const auto& [key, value] : capabilities.details) {
    backend[key] = value;
  }
  backend["context_tokens"] = capabilities.context_tokens;
  backend["is_deterministic"] = capabilities.is_deterministic;
  OrderedJson fields;
  for (const auto& [field, support] : capabilities.sampler_fields) {
    fields[field] = support_name(support);
  }
  backend["sampler_fields"] = fields;
  manifest["backend"] = backend;
  OrderedJson machine;

  struct utsname names {};

  if (::uname(&names) == 0) {
    machine["system"] = fmt::format("{} {} {}", names.sysname, names.release, names.machine);
  }
  machine["cpus"] = available_cpus();
  manifest["environment"] = machine;
  return manifest;
}

std::string stored_identity(const std::string& directory) {
  const Result<std::string> text = read_manifest(directory);
  const Result<Json> manifest = text ? parse_json(*text) : Result<Json>(text.error());
  if (!manifest) {
    return "";
  }
  const Json* config = find_member(*manifest, "config");
  return config == nullptr ? "" : string_or(*config, "model_identity");
}

}  // namespace r1eval
