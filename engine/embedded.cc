#include "engine/embedded.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/parallel.h"
#include "engine/cpu/cpu_runner.h"
#include "engine/scheduler.h"
#include "engine/scoring.h"

namespace r1eval {
namespace {

constexpr std::int64_t kDefaultSequences = 32;
// Keys and values that the cache may take unless the model's context needs more for one sequence.
constexpr std::int64_t kCacheBytes = std::int64_t{2} << 30;

class EmbeddedBackend : public Backend {
 public:
  Status open(const std::string& path, const std::string& name, const BackendOptions& options) {
    R1_TRY(const std::unique_ptr<Checkpoint> checkpoint, Checkpoint::open(path));
    R1_TRY(tokenizer_, checkpoint->tokenizer());
    // A base model has none; it can still score.
    if (Result<ChatTemplate> chat = checkpoint->chat_template(*tokenizer_); chat) {
      template_ = std::make_unique<ChatTemplate>(std::move(chat).value());
    } else {
      capabilities_.chat_problem = chat.error().message;
    }
    R1_TRY(const ModelConfig config, checkpoint->config());
    context_tokens_ = config.context_tokens;
    if (options.context_tokens > 0) {
      context_tokens_ = std::min(context_tokens_, options.context_tokens);
    }
    max_sequences_ = options.concurrency > 0 ? options.concurrency : kDefaultSequences;
    const std::int64_t token_bytes =
        config.n_layers * config.cache_values() *
        static_cast<std::int64_t>(options.numerics == "reference" ? sizeof(float) : 2);
    CpuRunnerOptions runner;
    runner.numerics = options.numerics == "reference" ? Numerics::kReference : Numerics::kFast;
    runner.threads = static_cast<int>(options.threads);
    runner.cache_tokens = std::max(
        context_tokens_, std::min(max_sequences_ * context_tokens_, kCacheBytes / token_bytes));
    runner.max_step_tokens = std::max<std::int64_t>(512, max_sequences_ + 256);
    runner.max_logit_rows = max_sequences_;  // what the scheduler asks for
    runner.memory_bytes = options.memory_bytes;
    runner.real_tokens = tokenizer_->vocab_size();
    R1_TRY(const std::string sha256, checkpoint_sha256(*checkpoint));
    runner.model_id = sha256;
    R1_TRY(runner_, make_cpu_runner(*checkpoint, runner));
    checkpoint->release_pages();

    const CpuRunnerInfo info = runner_->info();
    capabilities_.model = name;
    capabilities_.model_identity = checkpoint->format() + " sha256:" + sha256;
    capabilities_.context_tokens = context_tokens_;
    capabilities_.is_deterministic = true;
    capabilities_.can_score = true;
    if (!options.think_open.empty()) {
      capabilities_.think_open = options.think_open;
      capabilities_.think_close = options.think_close;
    }
    for (const char* field : {"temperature", "top_p", "top_k", "min_p", "seed", "presence_penalty",
                              "frequency_penalty", "repetition_penalty"}) {
      capabilities_.sampler_fields[field] = FieldSupport::kSent;
    }
    capabilities_.details["engine"] = "embedded";
    capabilities_.details["file"] = path.substr(path.find_last_of('/') + 1);
    capabilities_.details["sha256"] = sha256;
    capabilities_.details["architecture"] = config.architecture;
    capabilities_.details["isa"] = info.isa;
    capabilities_.details["numerics"] = options.numerics;
    capabilities_.details["threads"] = std::to_string(info.threads);
    capabilities_.details["sequences"] = std::to_string(max_sequences_);
    capabilities_.details["cache_tokens"] = std::to_string(info.cache_tokens);
    return ok_status();
  }

  const Capabilities& capabilities() const override { return capabilities_; }

  std::int64_t count_prompt_tokens(const GenerateRequest& request) const override {
    if (!request.continuations.empty()) {
      const Result<ScoreJob> job = prepare_scoring(request);
      return job ? static_cast<std::int64_t>(job->texts.front().context.size()) : -1;
    }
    const Result<Prepared> prepared = prepare(request);
    return prepared ? static_cast<std::int64_t>(prepared->job.prompt.size()) : -1;
  }

  Status generate(RequestSource& source, CompletionSink& sink, const CancelToken& cancel) override {
    // Requests to generate and requests to score do not meet in one step: a run of one kind ends
    // before the other begins, which `ahead` then waits for.
    std::optional<GenerateRequest> ahead;
    bool is_dry = false;
    const auto next = [&](bool to_score) -> std::optional<GenerateRequest> {
      if (!ahead && !is_dry) {
        ahead = source.next();
        is_dry = !ahead;
      }
      if (!ahead || ahead->continuations.empty() == to_score) {
        return std::nullopt;
      }
      return std::exchange(ahead, std::nullopt);
    };
    do {
      R1_RETURN_IF_ERROR(sample(next, sink, cancel));
      R1_RETURN_IF_ERROR(score(next, sink, cancel));
    } while (ahead);
    return ok_status();
  }

 private:
  using Next = std::function<std::optional<GenerateRequest>(bool to_score)>;

  Status sample(const Next& next, CompletionSink& sink, const CancelToken& cancel) {
    SchedulerOptions options;
    options.max_sequences = max_sequences_;
    Scheduler scheduler(*runner_, vocabulary_of(*tokenizer_, runner_->vocab_size()), options);
    // What a completion carries beside the scheduler's part, by request.
    std::unordered_map<std::int64_t, bool> opens_thinking;
    const auto next_job = [&]() -> std::optional<Job> {
      // A request that cannot be run is answered at once, and the next one is asked for.
      while (std::optional<GenerateRequest> request = next(false)) {
        Result<Prepared> prepared = prepare(*request);
        if (prepared) {
          opens_thinking[request->index] = prepared->opens_thinking;
          return std::move(prepared->job);
        }
        Completion completion;
        completion.error = prepared.error();
        sink.done(request->index, std::move(completion));
      }
      return std::nullopt;
    };
    const auto done = [&](std::int64_t index, Completion completion) {
      const auto found = opens_thinking.find(index);
      if (found != opens_thinking.end()) {
        completion.prompt_opens_thinking = found->second;
        opens_thinking.erase(found);
      }
      completion.server_model = capabilities_.model;
      sink.done(index, std::move(completion));
    };
    return scheduler.run(next_job, done, cancel);
  }

  Status score(const Next& next, CompletionSink& sink, const CancelToken& cancel) {
    struct Asked {
      std::vector<std::string> continuations;
      std::int64_t n_context = 0;
      double started_at = 0;
    };

    std::unordered_map<std::int64_t, Asked> asked;
    Scorer scorer(*runner_);
    const auto next_job = [&]() -> std::optional<ScoreJob> {
      while (std::optional<GenerateRequest> request = next(true)) {
        Result<ScoreJob> job = prepare_scoring(*request);
        if (job) {
          asked[request->index] = {request->continuations,
                                   static_cast<std::int64_t>(job->texts.front().context.size()),
                                   steady_clock().now()};
          return std::move(job).value();
        }
        Completion completion;
        completion.error = job.error();
        sink.done(request->index, std::move(completion));
      }
      return std::nullopt;
    };
    const auto done = [&](std::int64_t index, JobScore score) {
      const Asked request = std::move(asked[index]);
      asked.erase(index);
      Completion completion;
      completion.error = score.error;
      std::size_t best = 0;
      for (std::size_t i = 0; i < score.texts.size(); ++i) {
        completion.continuation_logprobs.push_back(score.texts[i].sum_logprob);
        best = score.texts[i].sum_logprob > score.texts[best].sum_logprob ? i : best;
      }
      if (!score.error) {
        const std::string& text = request.continuations[best];
        completion.content = text.substr(std::min(text.find_first_not_of(' '), text.size()));
        completion.finish_reason = "scored";
      }
      completion.usage.prompt = request.n_context;
      completion.usage.completion = 0;
      completion.timings.total = steady_clock().now() - request.started_at;
      completion.server_model = capabilities_.model;
      sink.done(index, std::move(completion));
    };
    return scorer.run(next_job, done, cancel);
  }

  Result<ScoreJob> prepare_scoring(const GenerateRequest& request) const {
    ScoreJob job;
    job.index = request.index;
    std::string context;
    for (const ChatMessage& message : request.messages) {
      context += message.content;
    }
    for (const std::string& continuation : request.continuations) {
      R1_TRY(ScoredText text, tokenize_scored(*tokenizer_, context, continuation));
      job.texts.push_back(std::move(text));
    }
    return job;
  }

  struct Prepared {
    Job job;
    bool opens_thinking = false;
  };

  Result<Prepared> prepare(const GenerateRequest& request) const {
    if (template_ == nullptr) {
      return fail(ErrorCode::kUnsupported, capabilities_.chat_problem);
    }
    Json kwargs;
    if (!request.config.chat_template_kwargs.empty()) {
      R1_TRY(kwargs, parse_json(request.config.chat_template_kwargs));
    }
    R1_TRY(std::string text, template_->render(request.messages, true, kwargs));
    // A template that opens the thinking itself is not made to open it twice.
    if (!text.ends_with(request.assistant_prefix)) {
      text += request.assistant_prefix;
    }
    Prepared prepared;
    const std::size_t last = text.find_last_not_of(" \t\r\n");
    prepared.opens_thinking =
        last != std::string::npos &&
        std::string_view(text).substr(0, last + 1).ends_with(capabilities_.think_open);
    Job& job = prepared.job;
    EncodeOptions encode;
    encode.add_special = true;
    R1_TRY(job.prompt, tokenizer_->encode(text, encode));
    // A template that writes the BOS itself and a tokenizer that adds it make one BOS, not two.
    if (job.prompt.size() >= 2 && tokenizer_->bos() && job.prompt[0] == *tokenizer_->bos() &&
        job.prompt[1] == *tokenizer_->bos()) {
      job.prompt.erase(job.prompt.begin());
    }
    const auto n = static_cast<std::int64_t>(job.prompt.size());
    if (n == 0) {
      return fail(ErrorCode::kInvalidArgument, "the rendered prompt is empty");
    }
    if (n >= context_tokens_) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("the prompt has {} tokens, the context holds {}, and an answer needs one "
                      "at least",
                      n, context_tokens_));
    }
    job.index = request.index;
    job.group = request.group;
    job.sampler = sampler_config(request.config);
    job.max_tokens = std::min(request.config.max_tokens, context_tokens_ - n);
    job.stop = request.config.stop;
    for (const std::string& stop : job.stop) {
      if (valid_utf8(stop) != stop) {
        return fail(ErrorCode::kInvalidArgument, "a stop string is not valid UTF-8");
      }
    }
    job.logprobs = request.config.logprobs;
    job.think = {capabilities_.think_open, capabilities_.think_close, prepared.opens_thinking,
                 request.config.think_budget};
    if (request.config.think_budget > 0 && request.config.force_think_close) {
      EncodeOptions plain;
      plain.add_special = false;
      R1_TRY(job.think_close, tokenizer_->encode("\n" + capabilities_.think_close + "\n\n", plain));
    }
    return prepared;
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<ChatTemplate> template_;
  std::unique_ptr<CpuRunner> runner_;
  Capabilities capabilities_;
  std::int64_t context_tokens_ = 0;
  std::int64_t max_sequences_ = kDefaultSequences;
};

}  // namespace

Result<std::unique_ptr<Backend>> open_embedded_backend(const std::string& path,
                                                       const std::string& name,
                                                       const BackendOptions& options) {
  auto backend = std::make_unique<EmbeddedBackend>();
  R1_RETURN_IF_ERROR(backend->open(path, name, options));
  return std::unique_ptr<Backend>(std::move(backend));
}

Result<std::string> model_sha256(const std::string& path) {
  struct stat info {};

  if (::stat(path.c_str(), &info) != 0) {
    return errno_error(errno, "look at", path);
  }
  const std::string stamp = fmt::format("{}\n{}\n{}.{}\n{}", path, info.st_size,
                                        info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_ino);
  const std::string folder = cache_directory() + "/hashes";
  const std::string memo = folder + "/" + sha256_hex(stamp).substr(0, 32);
  if (const Result<std::string> known = read_file(memo); known && known->size() == 64) {
    return *known;
  }
  R1_TRY(const std::string hash, sha256_file(path));
  if (make_directories(folder)) {
    (void)write_file_atomic(memo, hash);  // a cache that cannot be written only costs time
  }
  return hash;
}

Result<std::string> checkpoint_sha256(const Checkpoint& checkpoint) {
  const std::vector<std::string> files = checkpoint.files();
  if (files.size() == 1) {
    return model_sha256(files.front());
  }
  std::string all;
  for (const std::string& file : files) {
    R1_TRY(const std::string hash, model_sha256(file));
    all += fmt::format("{} {}\n", hash, file.substr(file.find_last_of('/') + 1));
  }
  return sha256_hex(all);
}

}  // namespace r1eval
