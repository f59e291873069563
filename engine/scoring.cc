// See scoring.h.
//
// A job is cut into passes: one over each different context, and one over every continuation of
// more than one token, which begins as a fork of its context's pass. A pass feeds its tokens in
// chunks; the last token of a context is scored with the first tokens of all its continuations.
#include "engine/scoring.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace r1eval {
namespace {

constexpr std::int64_t kStepTokens = 256;  // fed in one step, of all passes together
constexpr std::size_t kMostActive = 32;    // jobs begun at a time
constexpr std::int64_t kWorthWaiting = 16;

}  // namespace

Result<ScoredText> tokenize_scored(const Tokenizer& tokenizer, std::string_view context,
                                   std::string_view continuation) {
  ScoredText out;
  EncodeOptions plain;
  plain.add_special = false;
  const auto begin = tokenizer.bos();
  if (context.empty()) {
    const auto& ends = tokenizer.end_tokens();
    if (!begin && ends.empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  "an empty context needs a model with a token to begin with");
    }
    out.context = {begin ? *begin : ends.front()};
    R1_TRY(out.continuation, tokenizer.encode(continuation, plain));
    if (!out.continuation.empty() && out.continuation.front() == out.context.front()) {
      out.continuation.erase(out.continuation.begin());  // the text wrote it itself
    }
  } else {
    const std::size_t last = context.find_last_not_of(" \t\r\n\f\v");
    const std::size_t kept = last == std::string_view::npos ? 0 : last + 1;
    if (kept == 0) {
      return tokenize_scored(tokenizer, "", std::string(context) + std::string(continuation));
    }
    EncodeOptions special;
    special.add_special = true;
    const std::string whole = std::string(context) + std::string(continuation);
    R1_TRY(out.context, tokenizer.encode(context.substr(0, kept), special));
    R1_TRY(const std::vector<TokenId> all, tokenizer.encode(whole, special));
    const auto n = static_cast<std::ptrdiff_t>(std::min(out.context.size(), all.size()));
    out.continuation.assign(all.begin() + n, all.end());
    // A text that writes the BOS itself, for a tokenizer that adds it.
    if (begin && out.context.size() > 1 && out.context[0] == *begin && out.context[1] == *begin) {
      out.context.erase(out.context.begin());
    }
  }
  if (out.context.empty() || out.continuation.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "the continuation has no token of its own: it is empty, or one with the context");
  }
  return out;
}

struct Scorer::Pass {
  std::int64_t parent = -1;     // pass that it is a fork of
  std::vector<TokenId> tokens;  // all, the parent's included
  std::int64_t n_cached = 0;
  SequenceId id = -1;
  bool is_done = false;

  // Rows of this pass, by position, that score a token of a text.
  struct Wanted {
    std::int64_t position = 0;
    TokenId token = 0;
    std::size_t text = 0;
  };

  std::vector<Wanted> wanted;  // ascending
  std::size_t next_wanted = 0;

  std::int64_t n_pending() const { return static_cast<std::int64_t>(tokens.size()) - n_cached; }
};

struct Scorer::Active {
  std::int64_t index = 0;
  std::vector<Pass> passes;
  JobScore score;

  explicit Active(const ScoreJob& job) : index(job.index) {
    score.texts.resize(job.texts.size());
    for (std::size_t t = 0; t < job.texts.size(); ++t) {
      const ScoredText& text = job.texts[t];
      score.texts[t].token_logprobs.reserve(text.continuation.size());
      auto base = std::find_if(passes.begin(), passes.end(), [&](const Pass& pass) {
        return pass.parent < 0 && pass.tokens == text.context;
      });
      if (base == passes.end()) {
        passes.emplace_back();
        base = passes.end() - 1;
        base->tokens = text.context;
      }
      const auto n = static_cast<std::int64_t>(text.context.size());
      base->wanted.push_back({n - 1, text.continuation.front(), t});
      if (text.continuation.size() == 1) {
        continue;
      }
      Pass pass;
      pass.parent = base - passes.begin();
      pass.tokens = text.context;
      pass.tokens.insert(pass.tokens.end(), text.continuation.begin(), text.continuation.end() - 1);
      for (std::size_t i = 1; i < text.continuation.size(); ++i) {
        pass.wanted.push_back({n - 1 + static_cast<std::int64_t>(i), text.continuation[i], t});
      }
      passes.push_back(std::move(pass));
    }
  }

  bool is_done() const {
    return std::all_of(passes.begin(), passes.end(), [](const Pass& pass) { return pass.is_done; });
  }

  void close(ModelRunner& runner) {
    for (Pass& pass : passes) {
      if (pass.id >= 0) {
        runner.close_sequence(pass.id);
        pass.id = -1;
      }
    }
  }

  // From the beginning, keeping nothing.
  void reset(ModelRunner& runner) {
    close(runner);
    for (Pass& pass : passes) {
      pass.n_cached = 0;
      pass.next_wanted = 0;
      pass.is_done = false;
    }
    for (ContinuationScore& text : score.texts) {
      text = ContinuationScore();
    }
  }
};

Scorer::Scorer(ModelRunner& runner) : runner_(runner) {}

Scorer::~Scorer() = default;

Status Scorer::run(const Source& source, const Sink& sink, const CancelToken& cancel) {
  bool is_dry = false;
  Status status = ok_status();
  while (status.has_value()) {
    if (cancel.is_stopped()) {
      status = fail(ErrorCode::kCancelled, "stopped");
      break;
    }
    while (!is_dry && active_.size() < kMostActive) {
      std::optional<ScoreJob> job = cancel.is_draining() ? std::nullopt : source();
      if (!job) {
        is_dry = true;
        break;
      }
      std::size_t longest = 0;
      for (const ScoredText& text : job->texts) {
        longest = std::max(longest, text.context.size() + text.continuation.size() - 1);
      }
      if (static_cast<std::int64_t>(longest) > runner_.context_tokens()) {
        JobScore refused;
        refused.error = fail(ErrorCode::kInvalidArgument,
                             fmt::format("context and continuation have {} tokens, the context "
                                         "holds {}",
                                         longest + 1, runner_.context_tokens()));
        sink(job->index, std::move(refused));
        continue;
      }
      active_.push_back(std::make_unique<Active>(*job));
    }
    if (active_.empty()) {
      break;
    }
    start_passes();
    // A job that gave way begins anew only after the others have gone a step further.
    Result<bool> stepped = false;
    do {
      stepped = step(sink);
    } while (stepped && !*stepped);
    if (!stepped) {
      status = stepped.error();
    }
  }
  for (const auto& active : active_) {
    active->close(runner_);
  }
  active_.clear();
  return status;
}

// Opens as many passes as one step can feed and the cache can hold, in order.
void Scorer::start_passes() {
  const std::int64_t page = std::max<std::int64_t>(1, runner_.cache_stats().page_tokens);
  std::int64_t n_tokens = 0;
  std::int64_t reserved = 0;  // pages that open passes will still take
  std::vector<const Pass*> computing;
  for (const auto& active : active_) {
    for (Pass& pass : active->passes) {
      if (n_tokens >= kStepTokens) {
        return;
      }
      if (pass.is_done) {
        continue;
      }
      const auto n_all = static_cast<std::int64_t>(pass.tokens.size());
      // One alone is always tried.
      const auto has_room = [&](std::int64_t n_shared) {
        const std::int64_t needed = reserved + (n_all - n_shared) / page + 1;
        return computing.empty() || needed <= runner_.cache_stats().n_free;
      };
      if (pass.id < 0 && pass.parent >= 0) {
        const Pass& parent = active->passes[static_cast<std::size_t>(pass.parent)];
        if (!parent.is_done) {
          continue;
        }
        const auto n_parent = static_cast<std::int64_t>(parent.tokens.size());
        if (!has_room(n_parent / page * page)) {
          return;
        }
        const Result<SequenceId> fork = runner_.fork_sequence(parent.id, n_parent);
        if (!fork) {
          return;
        }
        pass.id = *fork;
        pass.n_cached = n_parent;
      } else if (pass.id < 0) {
        // What another pass is computing for this one as well is waited for.
        const std::int64_t known = runner_.cached_tokens(pass.tokens);
        const bool waits = std::any_of(computing.begin(), computing.end(), [&](const Pass* other) {
          const auto [mine, theirs] = std::mismatch(pass.tokens.begin(), pass.tokens.end(),
                                                    other->tokens.begin(), other->tokens.end());
          return (mine - pass.tokens.begin()) / page * page >= known + kWorthWaiting;
        });
        if (waits) {
          continue;
        }
        if (!has_room(0)) {
          return;
        }
        pass.id = runner_.open_sequence(pass.tokens);
        pass.n_cached = runner_.sequence_tokens(pass.id);
      }
      n_tokens += pass.n_pending();
      reserved += pass.n_pending() / page + 1;
      computing.push_back(&pass);
    }
  }
}

Result<bool> Scorer::step(const Sink& sink) {
  struct Fed {
    Active* active;
    Pass* pass;
    std::int64_t n;
    std::size_t n_wanted;
  };

  std::vector<Fed> fed;
  std::int64_t budget = std::min(kStepTokens, runner_.max_step_tokens());
  for (const auto& active : active_) {
    for (Pass& pass : active->passes) {
      if (pass.id >= 0 && !pass.is_done && budget > 0) {
        const std::int64_t n = std::min(pass.n_pending(), budget);
        std::size_t n_wanted = 0;
        while (pass.next_wanted + n_wanted < pass.wanted.size() &&
               pass.wanted[pass.next_wanted + n_wanted].position < pass.n_cached + n) {
          ++n_wanted;
        }
        fed.push_back({active.get(), &pass, n, n_wanted});
        budget -= n;
      }
    }
  }
  std::vector<std::vector<ScoreTarget>> targets(fed.size());
  std::vector<StepChunk> chunks(fed.size());
  for (std::size_t i = 0; i < fed.size(); ++i) {
    const Pass& pass = *fed[i].pass;
    for (std::size_t w = 0; w < fed[i].n_wanted; ++w) {
      const Pass::Wanted& wanted = pass.wanted[pass.next_wanted + w];
      targets[i].push_back({wanted.position - pass.n_cached, wanted.token});
    }
    chunks[i].sequence = pass.id;
    chunks[i].tokens =
        std::span<const TokenId>(pass.tokens)
            .subspan(static_cast<std::size_t>(pass.n_cached), static_cast<std::size_t>(fed[i].n));
    chunks[i].targets = targets[i];
  }
  const Result<std::span<const float>> done =
      chunks.empty() ? Result<std::span<const float>>(
                           fail(ErrorCode::kResourceExhausted, "no page for a continuation"))
                     : runner_.step(chunks);
  if (!done) {
    if (done.error().code != ErrorCode::kResourceExhausted) {
      return done.error();
    }
    // The jobs begun last make room; one alone that does not fit never will.
    for (std::size_t i = active_.size(); i-- > 1;) {
      const auto& passes = active_[i]->passes;
      if (std::any_of(passes.begin(), passes.end(), [](const Pass& p) { return p.id >= 0; })) {
        active_[i]->reset(runner_);
        return false;
      }
    }
    JobScore refused;
    refused.error =
        fail(ErrorCode::kResourceExhausted,
             fmt::format("{} tokens and their continuations do not fit in the cache of "
                         "{} tokens",
                         active_.front()->passes.front().tokens.size(),
                         runner_.cache_stats().n_pages * runner_.cache_stats().page_tokens));
    active_.front()->close(runner_);
    sink(active_.front()->index, std::move(refused));
    active_.erase(active_.begin());
    return true;
  }
  const std::span<const TokenScore> scores = runner_.scores();
  std::size_t at = 0;
  for (const Fed& one : fed) {
    for (std::size_t w = 0; w < one.n_wanted; ++w, ++at) {
      const Pass::Wanted& wanted = one.pass->wanted[one.pass->next_wanted++];
      ContinuationScore& text = one.active->score.texts[wanted.text];
      text.sum_logprob += scores[at].logprob;
      text.token_logprobs.push_back(scores[at].logprob);
      text.is_greedy = text.is_greedy && scores[at].best == wanted.token;
    }
    one.pass->n_cached += one.n;
    one.pass->is_done = one.pass->n_pending() == 0;
    if (one.pass->is_done && one.pass->parent >= 0) {
      runner_.close_sequence(one.pass->id);
      one.pass->id = -1;
    }
  }
  for (auto& active : active_) {
    if (active->is_done()) {
      active->close(runner_);
      sink(active->index, std::move(active->score));
      active.reset();
    }
  }
  std::erase(active_, nullptr);
  return true;
}

}  // namespace r1eval
