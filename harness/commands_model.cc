// model: looking into a model file, and using it without a task.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "engine/catalog.h"
#include "engine/cpu/cpu_runner.h"
#include "engine/cpu/weights.h"
#include "engine/embedded.h"
#include "engine/model/model_size.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"
#include "engine/scoring.h"
#include "harness/command.h"
#include "harness/exit_codes.h"
#include "harness/filter.h"
#include "kernels/cpu/memory.h"

namespace r1eval {
namespace {

// An alias or a path, as a path.
Result<std::string> model_path(const std::string& model) {
  R1_TRY(const Catalog catalog, Catalog::open());
  if (const CatalogModel* entry = catalog.find(model)) {
    return locate_model(*entry);
  }
  if (!path_exists(model)) {
    std::string near;
    for (const std::string& alias : catalog.nearest(model)) {
      near += (near.empty() ? ": did you mean '" : "' or '") + alias;
    }
    return fail(ErrorCode::kNotFound, fmt::format("model {}: no alias and no file{}{}", model, near,
                                                  near.empty() ? "" : "'?"));
  }
  return model;
}

Result<std::unique_ptr<Tokenizer>> open_tokenizer(const std::string& model,
                                                  const std::string& pre) {
  R1_TRY(const std::string path, model_path(model));
  std::unique_ptr<Tokenizer> tokenizer;
  if (path.ends_with(".json")) {
    R1_TRY(tokenizer, Tokenizer::from_tokenizer_json_file(path));
  } else {
    R1_TRY(const std::unique_ptr<Checkpoint> checkpoint, Checkpoint::open_description(path));
    R1_TRY(tokenizer, checkpoint->tokenizer());
  }
  if (!pre.empty()) {
    R1_RETURN_IF_ERROR(tokenizer->set_pre_tokenizer(pre));
  }
  return tokenizer;
}

Result<std::vector<TokenId>> token_ids(const Json& list) {
  std::vector<TokenId> ids;
  if (!list.is_array()) {
    return fail(ErrorCode::kParse, "expected a list of token ids");
  }
  for (const Json& id : list) {
    if (!id.is_number_integer() || id.get<std::int64_t>() < 0 ||
        id.get<std::int64_t>() > INT32_MAX) {
      return fail(ErrorCode::kParse, "expected token ids: integers of at least 0");
    }
    ids.push_back(id.get<TokenId>());
  }
  return ids;
}

struct Flags {
  std::string model;
  std::string pre;
  std::string template_file;
  std::string tokens_file;
  std::string out_file;
  std::string numerics = "reference";
  std::string prompt;
  bool chat = false;
  bool no_special = false;
  bool json = false;
  std::int64_t max_tokens = 256;
  double temperature = 0;
  double top_p = 1;
  std::uint64_t seed = 0;
  std::int64_t n = 1;
  std::int64_t threads = 0;
  std::vector<std::string> stop;
  std::int64_t think_budget = 0;
  std::int64_t logprobs = 0;
  std::int64_t memory = 0;
  std::int64_t cache_tokens = 16384;
  bool no_sharing = false;
  std::int64_t real_tokens = 0;  // of the tokenizer; 0: all rows of the head
};

// ---- inspect ------------------------------------------------------------------------------------

double gigabytes(std::int64_t bytes) {
  return static_cast<double>(bytes) / 1e9;
}

// Bytes of the weights: the file's where they are there, else what the configuration implies.
std::int64_t stored_weight_bytes(const Checkpoint& checkpoint, const ModelConfig& config,
                                 const ModelSize& size) {
  if (checkpoint.tensors().empty()) {
    const std::int64_t others = size.total_parameters - size.fp8_parameters;
    // FP8: a byte each and a float32 factor per 128 x 128; two bytes each otherwise.
    return config.has_fp8_weights
               ? size.fp8_parameters + size.fp8_parameters / (128 * 128) * 4 + 2 * others
               : 2 * size.total_parameters;
  }
  std::int64_t bytes = 0;
  for (const CheckpointTensor& tensor : checkpoint.tensors()) {
    bytes += static_cast<std::int64_t>(tensor.bytes.size() + tensor.scales.size());
  }
  return bytes;
}

void inspect_config(const Checkpoint& checkpoint, const ModelConfig& config, OrderedJson& out) {
  out["architecture"] = config.architecture;
  out["name"] = config.name;
  out["n_layers"] = config.n_layers;
  out["n_heads"] = config.n_heads;
  out["n_kv_heads"] = config.n_kv_heads;
  out["head_dim"] = config.head_dim;
  out["hidden_dim"] = config.hidden_dim;
  out["ffn_dim"] = config.ffn_dim;
  out["vocab_size"] = config.vocab_size;
  out["context_tokens"] = config.context_tokens;
  out["rope_scaling"] = config.rope_scaling;
  out["tied_head"] = config.tied_head;
  if (config.is_latent()) {
    const LatentAttention& a = config.latent;
    out["latent_attention"] = {{"q_rank", a.q_rank},
                               {"kv_rank", a.kv_rank},
                               {"nope_dim", a.nope_dim},
                               {"rope_dim", a.rope_dim},
                               {"value_dim", a.value_dim}};
  }
  if (config.experts.n_routed > 0) {
    const Experts& e = config.experts;
    out["experts"] = {{"routed", e.n_routed},         {"per_token", e.n_used},
                      {"shared", e.n_shared},         {"ffn_dim", e.ffn_dim},
                      {"groups", e.router.n_groups},  {"groups_used", e.router.n_groups_used},
                      {"dense_layers", e.first_layer}};
  }
  const ModelSize size = model_size(config);
  out["total_parameters"] = size.total_parameters;
  out["active_parameters"] = size.active_parameters;
  out["active_parameters_with_embedding"] = size.active_with_embedding;
  out["counted"] = fmt::format(
      "total: all weights of the main model{}; active: what one token is multiplied with, the "
      "output head included, the embedding's lookup not",
      config.n_prediction_layers > 0 ? ", without the extra prediction layer" : "");
  // 2 bytes a value, as BF16 and F16 caches take.
  out["cache_bytes_per_token"] = size.cache_values_per_token * 2;
  out["flops_per_token"] = size.flops_per_token;
  out["flops_per_token_and_cached_token"] = size.flops_per_cached_token;
  const std::int64_t weights = stored_weight_bytes(checkpoint, config, size);
  const std::int64_t cache = size.cache_values_per_token * 2 * config.context_tokens;
  const std::int64_t available = cpu::available_memory_bytes();
  out["weight_bytes"] = weights;
  out["available_memory_bytes"] = available;
  out["fits"] = available < 0 || weights + cache <= available;
  out["memory_plan"] = fmt::format(
      "{:.3g}B parameters{} need {:.3g} GB, the cache of one sequence of {} tokens {:.3g} GB; "
      "{:.3g} "
      "GB are available",
      static_cast<double>(size.total_parameters) / 1e9, config.has_fp8_weights ? " in FP8" : "",
      gigabytes(weights), config.context_tokens, gigabytes(cache), gigabytes(available));
}

Status inspect(const Flags& flags) {
  R1_TRY(const std::string path, model_path(flags.model));
  R1_TRY(const std::unique_ptr<Checkpoint> checkpoint, Checkpoint::open_description(path));
  OrderedJson out;
  out["path"] = path;
  out["format"] = checkpoint->format();
  out["bytes"] = checkpoint->total_bytes();
  std::map<std::string, std::int64_t> types;
  for (const CheckpointTensor& tensor : checkpoint->tensors()) {
    ++types[std::string(tensor_type_info(tensor.type).name)];
  }
  out["tensors"] = checkpoint->tensors().size();
  out["tensor_types"] = types;
  OrderedJson unsupported = OrderedJson::array();
  const Result<ModelConfig> config = checkpoint->config();
  if (config) {
    inspect_config(*checkpoint, *config, out);
  } else {
    unsupported.push_back(config.error().message);
  }
  if (checkpoint->tensors().empty()) {
    unsupported.push_back("the weights are not there, only their description");
  } else if (config) {
    if (const auto bytes = cpu::packed_weight_bytes(*checkpoint, *config, false); !bytes) {
      unsupported.push_back(bytes.error().message);
    }
  }
  const Result<std::unique_ptr<Tokenizer>> tokenizer = checkpoint->tokenizer();
  if (tokenizer) {
    out["tokenizer"] = (*tokenizer)->family();
    out["tokens"] = (*tokenizer)->vocab_size();
    const Result<ChatTemplate> chat = checkpoint->chat_template(**tokenizer);
    out["chat_template"] = chat.has_value();
    if (!chat) {
      unsupported.push_back(chat.error().message);
    }
  } else {
    unsupported.push_back(tokenizer.error().message);
  }
  out["not_supported"] = unsupported;
  if (flags.json) {
    std::printf("%s\n", dump_json(out).c_str());
    return ok_status();
  }
  for (const auto& [key, value] : out.items()) {
    std::printf("%-32s %s\n", key.c_str(),
                value.is_string() ? value.get<std::string>().c_str() : dump_json(value).c_str());
  }
  return ok_status();
}

// ---- filters ------------------------------------------------------------------------------------

Result<int> tokenize(const Flags& flags) {
  R1_TRY(const std::unique_ptr<Tokenizer> tokenizer, open_tokenizer(flags.model, flags.pre));
  EncodeOptions options;
  options.add_special = !flags.no_special;
  return run_jsonl_filter(stdin, stdout, [&](const Json& line) -> Result<OrderedJson> {
    R1_TRY(const std::string text, get_string(line, "text"));
    R1_TRY(const std::vector<TokenId> ids, tokenizer->encode(text, options));
    return OrderedJson{{"ids", ids}};
  });
}

Result<int> detokenize(const Flags& flags) {
  R1_TRY(const std::unique_ptr<Tokenizer> tokenizer, open_tokenizer(flags.model, flags.pre));
  return run_jsonl_filter(stdin, stdout, [&](const Json& line) -> Result<OrderedJson> {
    const Json* list = find_member(line, "ids");
    if (list == nullptr) {
      return fail(ErrorCode::kParse, "field 'ids': expected a list, got nothing");
    }
    R1_TRY(const std::vector<TokenId> ids, token_ids(*list));
    for (const TokenId id : ids) {
      if (id >= tokenizer->vocab_size()) {
        return fail(ErrorCode::kParse,
                    fmt::format("id {} is no token: there are {}", id, tokenizer->vocab_size()));
      }
    }
    return OrderedJson{{"text", tokenizer->decode(ids)}};
  });
}

Result<ChatTemplate> open_template(const Flags& flags) {
  if (!flags.template_file.empty()) {
    R1_TRY(const std::string text, read_file(flags.template_file));
    const Result<Json> json = parse_json(text);
    if (!json || !json->is_object()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("--template-file {}: expected a JSON object {{template, bos_token, "
                              "eos_token}}",
                              flags.template_file));
    }
    R1_TRY(std::string source, get_string(*json, "template"));
    return ChatTemplate::parse(std::move(source), string_or(*json, "bos_token"),
                               string_or(*json, "eos_token"));
  }
  if (flags.model == "none") {
    return fail(ErrorCode::kInvalidArgument, "MODEL 'none' needs --template-file F");
  }
  R1_TRY(const std::string path, model_path(flags.model));
  R1_TRY(const std::unique_ptr<Checkpoint> checkpoint, Checkpoint::open_description(path));
  R1_TRY(const std::unique_ptr<Tokenizer> tokenizer, checkpoint->tokenizer());
  return checkpoint->chat_template(*tokenizer);
}

Result<int> render_template(const Flags& flags) {
  R1_TRY(const ChatTemplate chat, open_template(flags));
  return run_jsonl_filter(stdin, stdout, [&](const Json& line) -> Result<OrderedJson> {
    const Json* messages = find_member(line, "messages");
    if (messages == nullptr || !messages->is_array()) {
      return fail(ErrorCode::kParse, "field 'messages': expected a list");
    }
    const Json* kwargs = find_member(line, "chat_template_kwargs");
    const Result<std::string> text =
        chat.render_json(*messages, bool_or(line, "add_generation_prompt", false),
                         kwargs == nullptr ? Json() : *kwargs);
    // A template that raises is an answer about the messages, not a malformed line.
    return text ? OrderedJson{{"text", *text}} : OrderedJson{{"error", text.error().message}};
  });
}

// ---- the forward pass ---------------------------------------------------------------------------

// max_rows: of logits in one step; 0: one for each token.
Result<std::unique_ptr<CpuRunner>> open_runner(const Flags& flags, std::int64_t cache_tokens,
                                               std::int64_t max_rows) {
  R1_TRY(const std::string path, model_path(flags.model));
  CpuRunnerOptions options;
  options.numerics = flags.numerics == "reference" ? Numerics::kReference : Numerics::kFast;
  options.threads = static_cast<int>(flags.threads);
  options.cache_tokens = cache_tokens;
  options.max_step_tokens = 256;
  options.max_logit_rows = max_rows;
  options.memory_bytes = flags.memory;
  options.real_tokens = flags.real_tokens;
  return make_cpu_runner(path, options);
}

// Logits of every token of one sequence, in chunks.
Status all_logits(ModelRunner& runner, std::span<const TokenId> tokens,
                  const std::function<void(std::span<const float>)>& on_rows) {
  const SequenceId sequence = runner.open_sequence();
  Status status = ok_status();
  for (std::size_t at = 0; at < tokens.size() && status;) {
    const std::size_t n =
        std::min(tokens.size() - at, static_cast<std::size_t>(runner.max_step_tokens()));
    StepChunk chunk;
    chunk.sequence = sequence;
    chunk.tokens = tokens.subspan(at, n);
    chunk.logit_rows = static_cast<std::int64_t>(n);
    const Result<std::span<const float>> rows = runner.step(std::span(&chunk, 1));
    if (rows) {
      on_rows(*rows);
    } else {
      status = rows.error();
    }
    at += n;
  }
  runner.close_sequence(sequence);
  return status;
}

Status logits(const Flags& flags) {
  R1_TRY(const std::string text, read_file(flags.tokens_file));
  const Result<Json> json = parse_json(text);
  const Json* batch = json ? find_member(*json, "batch") : nullptr;
  if (batch == nullptr || !batch->is_array() || batch->empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("--tokens {}: expected {{\"batch\": [[ids], …]}}", flags.tokens_file));
  }
  std::vector<std::vector<TokenId>> rows;
  std::size_t longest = 0;
  for (const Json& row : *batch) {
    R1_TRY(std::vector<TokenId> ids, token_ids(row));
    longest = std::max(longest, ids.size());
    rows.push_back(std::move(ids));
  }
  R1_TRY(const std::unique_ptr<CpuRunner> runner,
         open_runner(flags, static_cast<std::int64_t>(longest) + 64, 0));
  const auto vocab = static_cast<std::size_t>(runner->vocab_size());
  std::string data;
  for (const std::vector<TokenId>& row : rows) {
    if (row.size() != longest || row.empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("--tokens {}: rows must have the same length, at least 1",
                              flags.tokens_file));
    }
    for (const TokenId id : row) {
      if (static_cast<std::size_t>(id) >= vocab) {
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("--tokens {}: id {} is no token, the vocabulary has {}",
                                flags.tokens_file, id, vocab));
      }
    }
    R1_RETURN_IF_ERROR(all_logits(*runner, row, [&](std::span<const float> values) {
      data.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    }));
  }
  // safetensors: 8 bytes of header length, a JSON header, the bytes.
  const OrderedJson header = {{"logits",
                               {{"dtype", "F32"},
                                {"shape", {rows.size(), longest, vocab}},
                                {"data_offsets", {0, data.size()}}}}};
  std::string head = dump_json(header);
  head.append((8 - head.size() % 8) % 8, ' ');
  const std::uint64_t length = head.size();
  std::string out(reinterpret_cast<const char*>(&length), sizeof length);
  return write_file_atomic(flags.out_file, out + head + data);
}

Result<int> loglikelihood(Flags flags) {
  R1_TRY(const std::unique_ptr<Tokenizer> tokenizer, open_tokenizer(flags.model, ""));
  flags.real_tokens = tokenizer->vocab_size();
  R1_TRY(const std::unique_ptr<CpuRunner> runner, open_runner(flags, 32768, 1));
  // Lines of one batch are scored together, so that choices after one context share it.
  return run_jsonl_batch_filter(
      stdin, stdout, [&](std::span<const Json* const> lines) -> std::vector<Result<OrderedJson>> {
        std::vector<Result<OrderedJson>> answers(lines.size(), OrderedJson());
        std::size_t at = 0;
        Scorer scorer(*runner);
        const auto next = [&]() -> std::optional<ScoreJob> {
          for (; at < lines.size(); ++at) {
            const Result<std::string> context = get_string(*lines[at], "context");
            const Result<std::string> continuation = get_string(*lines[at], "continuation");
            if (!context || !continuation) {
              answers[at] = context ? continuation.error() : context.error();
              continue;
            }
            Result<ScoredText> text = tokenize_scored(*tokenizer, *context, *continuation);
            if (!text) {
              answers[at] = text.error();
              continue;
            }
            ScoreJob job;
            job.index = static_cast<std::int64_t>(at++);
            job.texts.push_back(std::move(text).value());
            return job;
          }
          return std::nullopt;
        };
        const auto done = [&](std::int64_t index, const JobScore& score) {
          auto& answer = answers[static_cast<std::size_t>(index)];
          if (score.error) {
            answer = *score.error;
            return;
          }
          const ContinuationScore& text = score.texts.front();
          answer = OrderedJson{{"sum_logprob", text.sum_logprob},
                               {"is_greedy", text.is_greedy},
                               {"tokens", text.token_logprobs.size()},
                               {"token_logprobs", text.token_logprobs}};
        };
        const CancelToken cancel;
        if (const Status status = scorer.run(next, done, cancel); !status) {
          std::fill(answers.begin(), answers.end(), status.error());
        }
        return answers;
      });
}

Status generate(const Flags& flags) {
  R1_TRY(const std::string path, model_path(flags.model));
  R1_TRY(const std::unique_ptr<Checkpoint> checkpoint, Checkpoint::open(path));
  R1_TRY(const std::unique_ptr<Tokenizer> tokenizer, checkpoint->tokenizer());
  Flags with_vocabulary = flags;
  with_vocabulary.real_tokens = tokenizer->vocab_size();
  const std::int64_t max_sequences = std::min<std::int64_t>(flags.n, 64);
  R1_TRY(const std::unique_ptr<CpuRunner> runner,
         open_runner(with_vocabulary, flags.cache_tokens, max_sequences));
  std::string text = flags.prompt;
  if (text == "-" || text.empty()) {
    text.clear();
    for (int c = std::getchar(); c != EOF; c = std::getchar()) {
      text += static_cast<char>(c);
    }
  }
  if (flags.chat) {
    R1_TRY(const ChatTemplate chat, checkpoint->chat_template(*tokenizer));
    R1_TRY(text, chat.render({{"user", text}}, true));
  }
  for (const std::string& stop : flags.stop) {
    if (stop.empty() || valid_utf8(stop) != stop) {
      return fail(ErrorCode::kInvalidArgument, "--stop: must be text in UTF-8, not empty");
    }
  }
  EncodeOptions options;
  options.add_special = true;
  R1_TRY(const std::vector<TokenId> prompt, tokenizer->encode(text, options));
  options.add_special = false;
  R1_TRY(const std::vector<TokenId> think_close, tokenizer->encode("\n</think>\n\n", options));
  ThinkRules think;
  think.budget = flags.think_budget;
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  think.starts_open =
      last != std::string::npos && std::string_view(text).substr(0, last + 1).ends_with(think.open);
  if (prompt.empty() || static_cast<std::int64_t>(prompt.size()) >= runner->context_tokens()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("--prompt: {} tokens; between 1 and {} fit", prompt.size(),
                            runner->context_tokens() - 1));
  }
  SchedulerOptions scheduler_options;
  scheduler_options.max_sequences = max_sequences;
  scheduler_options.share_prompts = !flags.no_sharing;
  Scheduler scheduler(*runner, vocabulary_of(*tokenizer, runner->vocab_size()), scheduler_options);
  std::int64_t next = 0;
  std::vector<Completion> completions(static_cast<std::size_t>(flags.n));
  const double started = steady_clock().now();
  const CancelToken cancel;
  R1_RETURN_IF_ERROR(scheduler.run(
      [&]() -> std::optional<Job> {
        if (next == flags.n) {
          return std::nullopt;
        }
        Job job;
        job.index = next;
        job.group = "prompt";
        job.stop = flags.stop;
        job.think = think;
        job.think_close = think_close;
        job.logprobs = flags.json ? flags.logprobs : -1;
        job.prompt = prompt;
        job.max_tokens = flags.max_tokens;
        job.sampler.temperature = flags.temperature;
        job.sampler.top_p = flags.top_p;
        job.sampler.seed = flags.seed + static_cast<std::uint64_t>(next);
        ++next;
        return job;
      },
      [&](std::int64_t index, Completion completion) {
        completions[static_cast<std::size_t>(index)] = std::move(completion);
      },
      cancel));
  const double seconds = std::max(1e-9, steady_clock().now() - started);
  std::int64_t n_tokens = 0;
  for (const Completion& completion : completions) {
    if (completion.error) {
      return *completion.error;
    }
    n_tokens += completion.usage.completion;
  }
  const double rate = static_cast<double>(n_tokens) / seconds;
  for (std::size_t i = 0; i < completions.size(); ++i) {
    const Completion& completion = completions[i];
    if (!flags.json) {
      std::printf("%s\n", completion.content.c_str());
      continue;
    }
    OrderedJson logprobs = OrderedJson::array();
    OrderedJson top = OrderedJson::array();
    for (const TokenLogprob& token : completion.logprobs) {
      logprobs.push_back(std::isfinite(token.logprob) ? OrderedJson(token.logprob) : OrderedJson());
      top.push_back(token.top);
    }
    OrderedJson out = {{"sample", i},
                       {"text", completion.content},
                       {"ids", completion.token_ids},
                       {"logprobs", logprobs},
                       {"finish_reason", completion.finish_reason},
                       {"stop_cause", completion.stop_cause},
                       {"prompt_tokens", prompt.size()},
                       {"completion_tokens", completion.usage.completion},
                       {"tokens_per_s", rate}};
    if (flags.logprobs > 0) {
      out["top_logprobs"] = top;
    }
    if (completion.think_close_forced) {
      out["think_close_forced"] = true;
    }
    std::printf("%s\n", dump_json(out).c_str());
  }
  if (!flags.json) {
    log_info(fmt::format("{} tokens, {:.0f} tokens/s", n_tokens, rate));
  }
  if (const SchedulerStats& stats = scheduler.stats(); stats.n_preempted > 0) {
    log_info(
        fmt::format("{} preemptions: {} tokens were computed, {} taken from the cache, at most "
                    "{} sequences ran at a time",
                    stats.n_preempted, stats.n_fed, stats.n_shared, stats.most_running));
  }
  return ok_status();
}

int finish(const Status& status) {
  return status ? kExitOk : report_failure(status.error());
}

int finish(const Result<int>& code) {
  return code ? *code : report_failure(code.error());
}

}  // namespace

void add_model_commands(CLI::App& app, Action& action) {
  CLI::App* model = app.add_subcommand("model", "look into a model file, or use it by hand");
  model->require_subcommand(1);
  auto flags = std::make_shared<Flags>();
  const auto add = [&](const char* name, const char* about) {
    CLI::App* command = model->add_subcommand(name, about);
    command->add_option("MODEL", flags->model, "an alias or a file")->required();
    return command;
  };
  const auto numerics = [&](CLI::App* command) {
    command->add_option("--numerics", flags->numerics, "reference (float32) or fast")
        ->check(CLI::IsMember({"reference", "fast"}));
    command->add_option("--threads", flags->threads, "default: all");
  };

  CLI::App* c = add("inspect", "architecture, sizes, tensor types, tokenizer, memory");
  c->add_flag("--json", flags->json, "one JSON object");
  c->callback([&action, flags] { action = [flags] { return finish(inspect(*flags)); }; });

  c = add("tokenize", "JSONL {id, text} -> {id, ids}; MODEL may be a tokenizer.json");
  c->add_flag("--no-special", flags->no_special, "add no special tokens (BOS)");
  c->add_option("--pre", flags->pre, "put this pre-tokenizer in place, e.g. smollm");
  c->callback([&action, flags] { action = [flags] { return finish(tokenize(*flags)); }; });

  c = add("detokenize", "JSONL {id, ids} -> {id, text}");
  c->callback([&action, flags] { action = [flags] { return finish(detokenize(*flags)); }; });

  c = add("template", "JSONL {id, messages, add_generation_prompt} -> {id, text}");
  c->add_option("--template-file", flags->template_file, "JSON {template, bos_token, eos_token}");
  c->callback([&action, flags] { action = [flags] { return finish(render_template(*flags)); }; });

  c = add("logits", "logits of given tokens, as safetensors");
  c->add_option("--tokens", flags->tokens_file, "JSON {batch: [[ids], …]}")->required();
  c->add_option("--out", flags->out_file, "the .safetensors to write")->required();
  numerics(c);
  c->callback([&action, flags] { action = [flags] { return finish(logits(*flags)); }; });

  c = add("generate", "text from a prompt");
  c->add_option("--prompt", flags->prompt, "the text; default: standard input");
  c->add_flag("--chat", flags->chat, "put the prompt through the chat template");
  c->add_option("--max-tokens", flags->max_tokens)->check(CLI::Range(1, 1000000));
  c->add_option("--temperature", flags->temperature, "0, the default, is greedy")
      ->check(CLI::Range(0.0, 100.0));
  c->add_option("--top-p", flags->top_p)->check(CLI::Range(0.0, 1.0));
  c->add_option("--seed", flags->seed);
  c->add_option("--n", flags->n, "how many samples")->check(CLI::Range(1, 10000));
  c->add_option("--stop", flags->stop, "a stop string; may be given several times");
  c->add_option("--think-budget", flags->think_budget,
                "tokens of thinking after which the closing tag is put in")
      ->check(CLI::Range(1, 10000000));
  c->add_option("--logprobs", flags->logprobs, "with --json: the N best tokens beside each")
      ->check(CLI::Range(0, 100));
  c->add_option("--cache-tokens", flags->cache_tokens, "that all sequences hold together")
      ->check(CLI::Range(32, 100000000));
  c->add_option("--engine-memory", flags->memory, "e.g. 2GiB: the cache takes what weights leave")
      ->transform(CLI::AsSizeValue(false));
  c->add_flag("--no-sharing", flags->no_sharing, "samples do not share the prompt; same tokens");
  c->add_flag("--json", flags->json, "JSONL with ids, logprobs and tokens/s");
  numerics(c);
  c->callback([&action, flags, c] {
    action = [flags, c] {
      Flags f = *flags;
      if (c->count("--numerics") == 0) {
        f.numerics = "fast";
      }
      return finish(generate(f));
    };
  });

  c = add("loglikelihood",
          "JSONL {id, context, continuation} -> {id, sum_logprob, is_greedy, tokens}");
  numerics(c);
  c->callback([&action, flags, c] {
    action = [flags, c] {
      Flags f = *flags;
      if (c->count("--numerics") == 0) {
        f.numerics = "fast";
      }
      return finish(loglikelihood(f));
    };
  });
}

}  // namespace r1eval
