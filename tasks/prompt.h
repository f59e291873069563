// From an Item to the messages that are really sent.
//
// Threads  render() is const and pure: the same (item, sample, seed) gives the same bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/message.h"
#include "base/result.h"
#include "tasks/dataset_store.h"
#include "tasks/task.h"

namespace r1eval {

struct RenderOptions {
  std::uint64_t run_seed = 0;
  std::int64_t k = 1;              // samples an item: simple-evals' shuffle walks over all of them
  std::string shuffle;             // empty: the task's
  std::string directive_position;  // empty: the task's
  std::string prompt_variant;      // e.g. "lcb-generic", "simple-evals"; empty: the task's own
  std::string system_prompt;       // empty: the task's
  std::int64_t n_shots = -1;       // -1: the task's
};

struct RenderedPrompt {
  std::vector<ChatMessage> messages;
  std::string target;                // the right letter after shuffling, else the item's target
  std::vector<std::string> choices;  // in the order shown
  std::vector<std::int64_t> order;   // choices[i] is the item's choice order[i]
  // Not empty: nothing is generated; the only message is plain text for no template, and these are
  // scored after it. The choice with the largest log-probability is the answer, as a letter.
  std::vector<std::string> continuations;
  std::string sha256;  // of the messages (and continuations) as JSON
};

class PromptRenderer {
 public:
  // Errors: kInvalidArgument (unknown shuffle, variant or placeholder, with the choices there are).
  // `task` and `data` must outlive the renderer and stay where they are.
  static Result<std::unique_ptr<PromptRenderer>> create(const Task& task, const TaskData& data,
                                                        const RenderOptions& options);
  virtual ~PromptRenderer() = default;
  virtual RenderedPrompt render(std::int64_t item_index, std::int64_t sample) const = 0;
  // Hash of everything but the item: names the prompt's template in manifests and comparisons.
  virtual std::string template_sha256() const = 0;
};

}  // namespace r1eval
