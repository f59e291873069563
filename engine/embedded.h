// The embedded engine as a Backend: a GGUF file, its tokenizer and chat template, the forward pass
// and the scheduler.
#pragma once

#include <memory>
#include <string>

#include "engine/backend.h"
#include "engine/model/chat_template.h"
#include "engine/model/gguf.h"
#include "engine/model/tokenizer.h"
#include "engine/registry.h"

namespace r1eval {

// Errors: kNotFound, kParse, kUnsupported (architecture, tensor type, tokenizer),
// kResourceExhausted (memory, with the numbers). `name` stands in records as the model's name.
Result<std::unique_ptr<Backend>> open_embedded_backend(const std::string& gguf_path,
                                                       const std::string& name,
                                                       const BackendOptions& options);

// The file's chat template, or ChatML where the vocabulary has its tokens. Errors: kUnsupported.
Result<ChatTemplate> chat_template_of(const GgufFile& file, const Tokenizer& tokenizer);

// SHA-256 of a large file, remembered by path, size and time of change.
Result<std::string> model_sha256(const std::string& path);

}  // namespace r1eval
