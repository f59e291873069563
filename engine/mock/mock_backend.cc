#include "engine/mock/mock_backend.h"

#include <utility>

#include "base/file.h"
#include "base/hash.h"
#include "engine/mock/script.h"

namespace r1eval {
namespace {

class MockBackend : public Backend {
 public:
  MockBackend(MockScript script, Capabilities capabilities)
      : script_(std::move(script)), capabilities_(std::move(capabilities)) {}

  const Capabilities& capabilities() const override { return capabilities_; }

  std::int64_t count_prompt_tokens(const GenerateRequest&) const override { return -1; }

  Status generate(RequestSource& source, CompletionSink& sink, const CancelToken& cancel) override {
    while (!cancel.is_stopped()) {
      std::optional<GenerateRequest> request = source.next();
      if (!request) {
        return ok_status();
      }
      Completion completion =
          script_.answer(request->messages, request->config.seed, request->config.max_tokens);
      completion.timings = {0, 0, 0};
      sink.done(request->index, std::move(completion));
    }
    return fail(ErrorCode::kCancelled, "stopped");
  }

 private:
  const MockScript script_;
  const Capabilities capabilities_;
};

}  // namespace

Result<std::unique_ptr<Backend>> open_mock_backend(const std::string& script_path,
                                                   const BackendOptions& options) {
  R1_TRY(const std::string text, read_file(script_path));
  R1_TRY(MockScript script, MockScript::parse(text, script_path));
  Capabilities capabilities;
  capabilities.model = "mock";
  capabilities.model_identity = "mock sha256:" + sha256_hex(text);
  capabilities.context_tokens = options.context_tokens > 0 ? options.context_tokens : -1;
  capabilities.is_deterministic = true;
  if (!options.think_open.empty()) {
    capabilities.think_open = options.think_open;
    capabilities.think_close = options.think_close;
  }
  capabilities.details["engine"] = "mock";
  return std::unique_ptr<Backend>(
      std::make_unique<MockBackend>(std::move(script), std::move(capabilities)));
}

}  // namespace r1eval
