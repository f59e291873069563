// A backend that answers from a script (engine/mock/script.h), in order, without waiting.
#pragma once

#include <memory>
#include <string>

#include "engine/backend.h"
#include "engine/registry.h"

namespace r1eval {

Result<std::unique_ptr<Backend>> open_mock_backend(const std::string& script_path,
                                                   const BackendOptions& options);

}  // namespace r1eval
