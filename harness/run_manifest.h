// What a run writes down about itself before it sends anything, and the hash that names its folder.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "engine/backend.h"
#include "harness/plan.h"
#include "harness/run_options.h"

namespace r1eval {

// Everything that can change a sample: tasks, items, prompts, sampler, model.
OrderedJson config_json(const Plan& plan, const RunOptions& options,
                        const Capabilities& capabilities, const std::string& assistant_prefix);

// 12 hexadecimal digits of the configuration. An endpoint's word on its own model is left out.
std::string config_hash(OrderedJson config, bool is_endpoint);

// runs/<suite or tasks>-<model>-<hash>
std::string default_directory(const Plan& plan, const RunOptions& options,
                              const Capabilities& capabilities, const std::string& hash);

OrderedJson manifest_json(const RunOptions& options, const OrderedJson& config,
                          const Capabilities& capabilities, const Prices& prices);

// The model identity in the manifest of a directory that exists, or empty.
std::string stored_identity(const std::string& directory);

// How it stands with a sampler field: "sent", "server_default" or "unverified".
std::string_view support_name(FieldSupport support);

}  // namespace r1eval
