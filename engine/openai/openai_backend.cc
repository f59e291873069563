#include "engine/openai/openai_backend.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "engine/openai/chat_completions.h"
#include "engine/openai/retry_policy.h"
#include "engine/openai/sse_parser.h"

namespace r1eval {
namespace {

constexpr std::int64_t kDefaultConcurrency = 20;
constexpr std::size_t kLargestReply = std::size_t{64} << 20;
// A reply that is not streamed shows nothing until it is whole.
constexpr double kWholeReplyFactor = 6;

void init_curl() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

// One sample on its way, over all its attempts.
struct Flight {
  GenerateRequest request;
  std::int64_t attempts = 0;          // requests sent
  std::int64_t counted_attempts = 0;  // of them, those that reached a server
  double pulled_at = 0;
  double due_at = 0;            // when it may be sent (again)
  double no_server_since = -1;  // since when nobody answers the door

  // Of the attempt that is running:
  CURL* handle = nullptr;
  curl_slist* headers = nullptr;
  std::string body;
  std::string reply;  // not streamed, or an error's text
  ReplyReader reader;
  SseParser sse;
  Status parsed;
  bool is_event_stream = false;
  double started_at = 0;
  double last_byte_at = 0;
  double first_token_at = -1;
  double retry_after_s = -1;
  std::set<std::string> sent_fields;
};

std::size_t on_header(char* data, std::size_t size, std::size_t n, void* user) {
  auto& flight = *static_cast<Flight*>(user);
  std::string line(data, size * n);
  std::transform(line.begin(), line.end(), line.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (line.starts_with("retry-after:")) {
    flight.retry_after_s = parse_retry_after(line.substr(12), std::time(nullptr));
  } else if (line.starts_with("content-type:")) {
    flight.is_event_stream = line.find("text/event-stream") != std::string::npos;
  }
  return size * n;
}

std::size_t on_body(char* data, std::size_t size, std::size_t n, void* user) {
  auto& flight = *static_cast<Flight*>(user);
  flight.last_byte_at = steady_clock().now();
  const std::string_view bytes(data, size * n);
  long status = 0;
  curl_easy_getinfo(flight.handle, CURLINFO_RESPONSE_CODE, &status);
  if (flight.is_event_stream && status == 200) {
    const Status fed = flight.sse.feed(bytes, [&](std::string_view event) {
      if (flight.parsed) {
        flight.parsed = flight.reader.read_event(event);
      }
    });
    if (!fed) {
      flight.parsed = fed;
    }
    if (flight.first_token_at < 0 && flight.reader.has_begun()) {
      flight.first_token_at = flight.last_byte_at;
    }
    return flight.parsed ? size * n : 0;
  }
  if (flight.reply.size() + bytes.size() > kLargestReply) {
    flight.parsed = fail(ErrorCode::kParse, "the reply is larger than 64 MiB");
    return 0;
  }
  flight.reply += bytes;
  return size * n;
}

class OpenAiBackend : public Backend {
 public:
  ~OpenAiBackend() override {
    if (multi_ != nullptr) {
      curl_multi_cleanup(multi_);
    }
  }

  Status open(const BackendOptions& options) {
    init_curl();
    options_ = options;
    model_ = options.model;
    std::string url = options.base_url;
    if (const std::size_t at = model_.find("@http"); at != std::string::npos) {
      url = model_.substr(at + 1);
      model_ = model_.substr(0, at);
    }
    if (!url.starts_with("http://") && !url.starts_with("https://")) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("--base-url '{}': must begin with http:// or https://", url));
    }
    if (model_.empty()) {
      return fail(ErrorCode::kInvalidArgument, "--model is missing: the endpoint's name for it");
    }
    base_url_ = normalize_base_url(url);
    register_secret(options.api_key);
    policy_.max_attempts = std::max<std::int64_t>(1, options.max_attempts);
    concurrency_ = options.concurrency > 0 ? options.concurrency : kDefaultConcurrency;
    for (const std::string& field : options.omit_fields) {
      omit_.insert(field);
    }
    capabilities_.model = model_;
    capabilities_.is_endpoint = true;
    capabilities_.sends_seed = !omit_.contains("seed");
    if (!options.think_open.empty()) {
      capabilities_.think_open = options.think_open;
      capabilities_.think_close = options.think_close;
    }
    for (const char* field : {"temperature", "top_p", "top_k", "min_p", "presence_penalty",
                              "frequency_penalty", "repetition_penalty", "seed"}) {
      // Sent, but servers that do not know a field mostly ignore it without a word.
      const bool standard = std::string_view(field) == "temperature" ||
                            std::string_view(field) == "top_p" || std::string_view(field) == "seed";
      capabilities_.sampler_fields[field] =
          omit_.contains(field) ? FieldSupport::kServerDefault
                                : (standard ? FieldSupport::kSent : FieldSupport::kUnverified);
    }
    capabilities_.details["engine"] = "openai";
    capabilities_.details["endpoint"] = base_url_;
    capabilities_.details["stream"] = options.stream ? "yes" : "no";
    return ask_models();
  }

  const Capabilities& capabilities() const override { return capabilities_; }

  std::int64_t count_prompt_tokens(const GenerateRequest&) const override { return -1; }

  Status generate(RequestSource& source, CompletionSink& sink, const CancelToken& cancel) override {
    multi_ = multi_ == nullptr ? curl_multi_init() : multi_;
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, concurrency_ + 4);
    std::map<CURL*, std::unique_ptr<Flight>> flying;
    std::deque<std::unique_ptr<Flight>> resting;  // waiting for their next attempt
    bool dry = false;
    Status fatal = ok_status();
    while (fatal) {
      if (cancel.is_stopped()) {
        fatal = fail(ErrorCode::kCancelled, "stopped");
        break;
      }
      const double now = steady_clock().now();
      launch_due(resting, flying, now);
      while (!dry && static_cast<std::int64_t>(flying.size() + resting.size()) < concurrency_) {
        std::optional<GenerateRequest> request = source.next();
        if (!request) {
          dry = true;
          break;
        }
        auto flight = std::make_unique<Flight>();
        flight->request = std::move(*request);
        flight->request.config.send_seed = capabilities_.sends_seed;
        flight->pulled_at = now;
        launch(std::move(flight), flying, sink);
      }
      if (dry && flying.empty() && resting.empty()) {
        break;
      }
      int running = 0;
      curl_multi_perform(multi_, &running);
      int left = 0;
      while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        if (message->msg == CURLMSG_DONE) {
          land(message->easy_handle, message->data.result, flying, resting, sink, fatal);
        }
      }
      end_silent(flying, resting, sink, fatal);
      if (!flying.empty() || !resting.empty()) {
        curl_multi_poll(multi_, nullptr, 0, poll_ms(resting), nullptr);
      }
    }
    for (auto& [handle, flight] : flying) {
      release(*flight);
    }
    return fatal;
  }

 private:
  // ---- probing ----

  Status ask_models() {
    std::string reply;
    CURL* const handle = curl_easy_init();
    curl_slist* headers = common_headers();
    const std::string url = base_url_ + "/models";
    curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &reply);
    curl_easy_setopt(
        handle, CURLOPT_WRITEFUNCTION,
        +[](char* data, std::size_t size, std::size_t n, void* user) -> std::size_t {
          auto& text = *static_cast<std::string*>(user);
          if (text.size() + size * n > kLargestReply) {
            return 0;
          }
          text.append(data, size * n);
          return size * n;
        });
    const CURLcode code = curl_easy_perform(handle);
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(handle);
    if (code != CURLE_OK) {
      return fail(ErrorCode::kUnavailable,
                  fmt::format("the endpoint {} does not answer: {}. Is the server running, and is "
                              "--base-url right?",
                              base_url_, curl_easy_strerror(code)));
    }
    if (status == 401 || status == 403) {
      return key_error(status, reply);
    }
    std::string stated;
    if (status == 200) {
      R1_RETURN_IF_ERROR(read_models(reply, stated));
    } else {
      log_warning(
          fmt::format("{}/models answers {}: the context length is unknown", base_url_, status));
    }
    capabilities_.model_identity =
        fmt::format("endpoint {} {} {}", model_, options_.model_revision, stated);
    return ok_status();
  }

  Status read_models(const std::string& reply, std::string& stated) {
    const Result<Json> json = parse_json(reply);
    const Json* data = json ? find_member(*json, "data") : nullptr;
    if (data == nullptr || !data->is_array()) {
      log_warning(fmt::format("{}/models lists nothing readable: the context length is unknown",
                              base_url_));
      return ok_status();
    }
    std::string names;
    const Json* ours = nullptr;
    for (const Json& entry : *data) {
      const std::string id = string_or(entry, "id");
      names += (names.empty() ? "" : ", ") + id;
      if (id == model_) {
        ours = &entry;
      }
    }
    if (ours == nullptr && !data->empty()) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("--model {}: {} does not serve it; it serves {}", model_, base_url_, names));
    }
    if (ours == nullptr) {
      return ok_status();
    }
    for (const char* key : {"max_model_len", "context_length", "n_ctx", "max_context_length"}) {
      if (const std::int64_t n = int_or(*ours, key, -1); n > 0) {
        capabilities_.context_tokens = n;
        break;
      }
    }
    if (const Json* meta = find_member(*ours, "meta");
        meta != nullptr && capabilities_.context_tokens < 0) {
      capabilities_.context_tokens = int_or(*meta, "n_ctx", -1);
    }
    // Where the weights come from, as vLLM and SGLang say it; times of start are no identity.
    stated = string_or(*ours, "root");
    return ok_status();
  }

  Error key_error(long status, const std::string& reply) const {
    return fail(ErrorCode::kFailedPrecondition,
                fmt::format("{} refuses the key (HTTP {}): {}. {}", base_url_, status,
                            redact(error_words(reply)),
                            options_.api_key.empty()
                                ? "Give one in OPENAI_API_KEY, or with --key-file"
                                : "Is the key in OPENAI_API_KEY or --key-file the right one?"));
  }

  curl_slist* common_headers() const {
    curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");
    if (!options_.api_key.empty()) {
      headers = curl_slist_append(headers, ("Authorization: Bearer " + options_.api_key).c_str());
    }
    for (const std::string& header : options_.headers) {
      headers = curl_slist_append(headers, header.c_str());
    }
    return headers;
  }

  // ---- one attempt ----

  using Flying = std::map<CURL*, std::unique_ptr<Flight>>;
  using Resting = std::deque<std::unique_ptr<Flight>>;

  void launch_due(Resting& resting, Flying& flying, double now) {
    for (auto it = resting.begin(); it != resting.end();) {
      if ((*it)->due_at <= now) {
        std::unique_ptr<Flight> flight = std::move(*it);
        it = resting.erase(it);
        start(std::move(flight), flying);
      } else {
        ++it;
      }
    }
  }

  void launch(std::unique_ptr<Flight> flight, Flying& flying, CompletionSink& sink) {
    // A body that cannot be made is the configuration's fault; it fails this sample only.
    const Result<std::string> body = request_body(flight->request, model_, options_.stream, omit_);
    if (!body) {
      give_up(*flight, body.error(), sink);
      return;
    }
    start(std::move(flight), flying);
  }

  void start(std::unique_ptr<Flight> owned, Flying& flying) {
    Flight& flight = *owned;
    flight.body = request_body(flight.request, model_, options_.stream, omit_).value_or("{}");
    flight.sent_fields.clear();
    for (const std::string& field : optional_fields()) {
      if (!omit_.contains(field)) {
        flight.sent_fields.insert(field);
      }
    }
    flight.reply.clear();
    flight.reader = ReplyReader();
    flight.sse = SseParser();
    flight.parsed = ok_status();
    flight.is_event_stream = false;
    flight.retry_after_s = -1;
    flight.first_token_at = -1;
    flight.started_at = steady_clock().now();
    flight.last_byte_at = flight.started_at;
    ++flight.attempts;
    CURL* const handle = curl_easy_init();
    flight.handle = handle;
    flight.headers = common_headers();
    const std::string url = base_url_ + "/chat/completions";
    curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, flight.headers);
    curl_easy_setopt(handle, CURLOPT_POST, 1L);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(flight.body.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, flight.body.data());
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, 30L);
    curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &flight);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &flight);
    curl_multi_add_handle(multi_, handle);
    flying.emplace(handle, std::move(owned));
  }

  void release(Flight& flight) const {
    if (flight.handle != nullptr) {
      curl_multi_remove_handle(multi_, flight.handle);
      curl_easy_cleanup(flight.handle);
      curl_slist_free_all(flight.headers);
      flight.handle = nullptr;
      flight.headers = nullptr;
    }
  }

  void land(CURL* handle, CURLcode code, Flying& flying, Resting& resting, CompletionSink& sink,
            Status& fatal) {
    auto node = flying.extract(handle);
    if (node.empty()) {
      return;
    }
    std::unique_ptr<Flight> flight = std::move(node.mapped());
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    release(*flight);
    judge(std::move(flight), code, status, resting, sink, fatal);
  }

  void judge(std::unique_ptr<Flight> flight, CURLcode code, long status, Resting& resting,
             CompletionSink& sink, Status& fatal) {
    const double now = steady_clock().now();
    const bool no_server = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST;
    if (no_server) {
      flight->no_server_since = flight->no_server_since < 0 ? now : flight->no_server_since;
      retry(std::move(flight), FailureKind::kNoServer,
            fail(ErrorCode::kUnavailable,
                 fmt::format("{} does not answer: {}", base_url_, curl_easy_strerror(code))),
            resting, sink);
      return;
    }
    flight->no_server_since = -1;
    ++flight->counted_attempts;
    if (status == 401 || status == 403) {
      fatal = key_error(status, flight->reply);
      return;
    }
    if (status == 404) {
      fatal =
          fail(ErrorCode::kInvalidArgument,
               fmt::format("{}/chat/completions: not found (404): {}. Is --base-url right (does it "
                           "end in /v1?), and does the server know the model '{}'?",
                           base_url_, error_words(flight->reply), model_));
      return;
    }
    const bool is_refusal =
        status < 500 || speaks_of_validation(error_words(flight->reply).substr(0, 200));
    if (status >= 400 && status != 429 && status != 408 && is_refusal) {
      refuse(std::move(flight), status, resting, sink);
      return;
    }
    if (status >= 400) {
      retry(std::move(flight), FailureKind::kTransient,
            fail(ErrorCode::kUnavailable,
                 fmt::format("HTTP {}: {}", status, error_words(flight->reply))),
            resting, sink);
      return;
    }
    Status problem = flight->parsed;
    if (problem && code != CURLE_OK && !(flight->is_event_stream && flight->reader.is_done())) {
      problem = fail(ErrorCode::kUnavailable,
                     fmt::format("the reply broke off: {}", curl_easy_strerror(code)));
    }
    if (problem && !flight->is_event_stream) {
      problem = flight->reader.read_whole(flight->reply);
    }
    Result<Completion> completion =
        problem ? flight->reader.finish() : Result<Completion>(problem.error());
    if (!completion) {
      retry(std::move(flight), FailureKind::kTransient, completion.error(), resting, sink);
      return;
    }
    completion->attempts = flight->attempts;
    completion->endpoint = base_url_;
    completion->timings.queue = flight->started_at - flight->pulled_at;
    completion->timings.first_token =
        flight->first_token_at < 0 ? -1 : flight->first_token_at - flight->started_at;
    completion->timings.total = now - flight->started_at;
    sink.done(flight->request.index, std::move(completion).value());
  }

  // 400, 413, 422 and their like: what was asked is wrong. One way out: a field that the server
  // names.
  void refuse(std::unique_ptr<Flight> flight, long status, Resting& resting, CompletionSink& sink) {
    const std::string words = error_words(flight->reply);
    const std::string field = refused_field(words, flight->sent_fields);
    if (field == "top_k" && !omit_.contains(std::string(kTopKMinusOne))) {
      omit_.insert(std::string(kTopKMinusOne));
      event({{"event", "field_changed"}, {"field", field}, {"value", 0}, {"words", redact(words)}});
      flight->due_at = steady_clock().now();
      resting.push_back(std::move(flight));
      return;
    }
    if (!field.empty()) {
      if (omit_.insert(field).second) {
        log_warning(
            fmt::format("the server refuses the field '{}' ({}): it is left out from here on",
                        field, words.substr(0, 120)));
        event({{"event", "field_dropped"}, {"field", field}, {"words", redact(words)}});
        if (capabilities_.sampler_fields.contains(field)) {
          capabilities_.sampler_fields[field] = FieldSupport::kServerDefault;
        }
      }
      flight->due_at = steady_clock().now();
      resting.push_back(std::move(flight));
      return;
    }
    give_up(
        *flight,
        fail(ErrorCode::kInvalidArgument,
             fmt::format("HTTP {}: {}{}", status, words,
                         speaks_of_length(words)
                             ? " (use a smaller --max-tokens, or a server with a longer context)"
                             : "")),
        sink);
  }

  void retry(std::unique_ptr<Flight> flight, FailureKind kind, const Error& error, Resting& resting,
             CompletionSink& sink) {
    const double now = steady_clock().now();
    const bool spent = kind == FailureKind::kNoServer
                           ? now - flight->no_server_since > policy_.patience_s
                           : flight->counted_attempts >= policy_.max_attempts;
    if (spent) {
      give_up(*flight,
              fail(error.code, fmt::format("{} ({} attempts)", error.message, flight->attempts)),
              sink);
      return;
    }
    const std::int64_t n = kind == FailureKind::kNoServer
                               ? static_cast<std::int64_t>((now - flight->no_server_since) / 2) + 1
                               : flight->counted_attempts;
    const double wait = retry_wait(policy_, std::min<std::int64_t>(n, 4), flight->retry_after_s,
                                   static_cast<std::uint64_t>(flight->request.index));
    event({{"event", "retry"},
           {"index", flight->request.index},
           {"attempt", flight->attempts},
           {"wait_s", wait},
           {"error", redact(error.message)}});
    flight->due_at = now + wait;
    resting.push_back(std::move(flight));
  }

  void give_up(Flight& flight, Error error, CompletionSink& sink) {
    Completion completion;
    completion.error = std::move(error);
    completion.attempts = flight.attempts;
    completion.endpoint = base_url_;
    sink.done(flight.request.index, std::move(completion));
  }

  // Ends transfers that have been silent for too long.
  void end_silent(Flying& flying, Resting& resting, CompletionSink& sink, Status& fatal) {
    (void)fatal;
    const double now = steady_clock().now();
    std::vector<CURL*> silent;
    for (const auto& [handle, flight] : flying) {
      const bool begun = flight->last_byte_at > flight->started_at;
      const double limit =
          begun ? options_.idle_timeout_s
                : options_.first_token_timeout_s * (options_.stream ? 1 : kWholeReplyFactor);
      if (now - flight->last_byte_at > limit) {
        silent.push_back(handle);
      }
    }
    for (CURL* handle : silent) {
      auto node = flying.extract(handle);
      std::unique_ptr<Flight> flight = std::move(node.mapped());
      const bool begun = flight->last_byte_at > flight->started_at;
      release(*flight);
      ++flight->counted_attempts;
      retry(std::move(flight), FailureKind::kTransient,
            fail(ErrorCode::kUnavailable,
                 begun ? fmt::format("the stream fell silent for {} s", options_.idle_timeout_s)
                       : fmt::format("no token came within {} s", options_.first_token_timeout_s)),
            resting, sink);
    }
  }

  static int poll_ms(const Resting& resting) {
    double wait = 0.2;
    const double now = steady_clock().now();
    for (const auto& flight : resting) {
      wait = std::min(wait, std::max(0.0, flight->due_at - now));
    }
    return std::max(1, static_cast<int>(wait * 1000));
  }

  void event(const OrderedJson& json) const {
    if (options_.on_event) {
      options_.on_event(dump_json(json));
    }
  }

  BackendOptions options_;
  std::string model_;
  std::string base_url_;
  RetryPolicy policy_;
  std::int64_t concurrency_ = kDefaultConcurrency;
  std::set<std::string> omit_;
  Capabilities capabilities_;
  CURLM* multi_ = nullptr;
};

}  // namespace

std::string normalize_base_url(std::string url) {
  while (!url.empty() && url.back() == '/') {
    url.pop_back();
  }
  constexpr std::string_view kCompletions = "/chat/completions";
  if (url.ends_with(kCompletions)) {
    url.erase(url.size() - kCompletions.size());
  }
  const std::size_t host = url.find("://") + 3;
  if (url.find('/', host) == std::string::npos) {
    url += "/v1";
  }
  return url;
}

Result<std::unique_ptr<Backend>> open_openai_backend(const BackendOptions& options) {
  auto backend = std::make_unique<OpenAiBackend>();
  R1_RETURN_IF_ERROR(backend->open(options));
  return std::unique_ptr<Backend>(std::move(backend));
}

}  // namespace r1eval
