// The embedded engine as a Backend: a checkpoint, its tokenizer and chat template, the forward pass
// and the scheduler.
#pragma once

#include <memory>
#include <string>

#include "engine/backend.h"
#include "engine/model/checkpoint.h"
#include "engine/registry.h"

namespace r1eval {

// Errors: kNotFound, kParse, kUnsupported (architecture, tensor type, tokenizer),
// kResourceExhausted (memory, with the numbers). `name` stands in records as the model's name.
Result<std::unique_ptr<Backend>> open_embedded_backend(const std::string& path,
                                                       const std::string& name,
                                                       const BackendOptions& options);

// SHA-256 of a large file, remembered by path, size and time of change.
Result<std::string> model_sha256(const std::string& path);

// Of all files that the model's behaviour depends on: the file's own where there is one.
Result<std::string> checkpoint_sha256(const Checkpoint& checkpoint);

}  // namespace r1eval
