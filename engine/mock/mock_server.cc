#include "engine/mock/mock_server.h"

#include <fmt/format.h>

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include "base/json.h"
#include "base/rng.h"

namespace r1eval {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::awaitable;
using asio::use_awaitable;
using asio::ip::tcp;
using Error_code = boost::system::error_code;
using Request = http::request<http::string_body>;

enum class Fault { kNone, kInternalError, kRateLimited, kCut, kEmpty, kSlow, kStall };

class MockServerImpl : public MockServer {
 public:
  MockServerImpl(MockScript script, const MockServerOptions& options)
      : script_(std::move(script)), options_(options), acceptor_(context_) {}

  ~MockServerImpl() override { stop(); }

  Status listen() {
    Error_code error;
    const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), options_.port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) {
      acceptor_.set_option(asio::socket_base::reuse_address(true), error);
      acceptor_.bind(endpoint, error);
    }
    if (!error) {
      acceptor_.listen(asio::socket_base::max_listen_connections, error);
    }
    if (error) {
      return fail(ErrorCode::kUnavailable,
                  fmt::format("listen on port {}: {}", options_.port, error.message()));
    }
    port_ = acceptor_.local_endpoint().port();
    asio::co_spawn(context_, accept_loop(), asio::detached);
    thread_ = std::thread([this] { context_.run(); });
    return ok_status();
  }

  std::uint16_t port() const override { return port_; }

  void stop() override {
    context_.stop();
    if (thread_.joinable()) {
      thread_.join();
    }
  }

  std::string stats_json() const override {
    OrderedJson json;
    json["requests"] = n_requests_.load();
    json["answered"] = n_answered_.load();
    json["http_500"] = n_500_.load();
    json["http_429"] = n_429_.load();
    json["cut"] = n_cut_.load();
    json["empty"] = n_empty_.load();
    json["stalled"] = n_stalled_.load();
    json["in_flight"] = n_active_.load();
    json["most_in_flight"] = n_most_active_.load();
    return dump_json(json);
  }

 private:
  awaitable<void> accept_loop() {
    for (;;) {
      Error_code error;
      tcp::socket socket =
          co_await acceptor_.async_accept(asio::redirect_error(use_awaitable, error));
      if (error) {
        co_return;
      }
      asio::co_spawn(context_, serve(beast::tcp_stream(std::move(socket))), asio::detached);
    }
  }

  awaitable<void> serve(beast::tcp_stream stream) {
    beast::flat_buffer buffer;
    for (;;) {
      Error_code error;
      http::request_parser<http::string_body> parser;
      parser.body_limit(std::uint64_t{16} << 20);
      co_await http::async_read(stream, buffer, parser, asio::redirect_error(use_awaitable, error));
      if (error) {
        co_return;
      }
      const Request request = parser.release();
      const bool go_on = co_await answer(stream, request);
      if (!go_on) {
        stream.socket().shutdown(tcp::socket::shutdown_both, error);
        co_return;
      }
    }
  }

  awaitable<bool> send(beast::tcp_stream& stream, const Request& request, http::status status,
                       std::string body, const std::map<std::string, std::string>& headers = {}) {
    http::response<http::string_body> response(status, request.version());
    response.set(http::field::content_type, "application/json");
    for (const auto& [name, value] : headers) {
      response.set(name, value);
    }
    response.keep_alive(request.keep_alive());
    response.body() = std::move(body);
    response.prepare_payload();
    Error_code error;
    co_await http::async_write(stream, response, asio::redirect_error(use_awaitable, error));
    co_return !error && request.keep_alive();
  }

  awaitable<void> wait(double seconds) {
    asio::steady_timer timer(context_);
    timer.expires_after(std::chrono::microseconds(static_cast<std::int64_t>(seconds * 1e6)));
    Error_code error;
    co_await timer.async_wait(asio::redirect_error(use_awaitable, error));
  }

  awaitable<bool> answer(beast::tcp_stream& stream, const Request& request) {
    const std::string target(request.target());
    if (target == "/v1/models" || target == "/models") {
      OrderedJson model = {
          {"id", options_.model}, {"object", "model"}, {"max_model_len", options_.max_model_len}};
      OrderedJson json = {{"object", "list"}, {"data", OrderedJson::array({model})}};
      co_return co_await send(stream, request, http::status::ok, dump_json(json));
    }
    if (target == "/stats") {
      co_return co_await send(stream, request, http::status::ok, stats_json());
    }
    if (target != "/v1/chat/completions" || request.method() != http::verb::post) {
      co_return co_await send(stream, request, http::status::not_found, error_json("no such path"));
    }
    ++n_requests_;
    while (options_.queue > 0 && n_active_.load() >= options_.queue) {
      co_await wait(0.001);
    }
    const std::int64_t active = ++n_active_;
    if (active > n_most_active_.load()) {
      n_most_active_.store(active);
    }
    const bool go_on = co_await complete(stream, request);
    --n_active_;
    co_return go_on;
  }

  static std::string error_json(std::string_view message) {
    return dump_json(OrderedJson{{"error", {{"message", std::string(message)}}}});
  }

  Fault draw_fault() {
    const double u = uniform_at(options_.seed, n_drawn_++);
    const MockFaults& f = options_.faults;
    double mass = 0;
    const std::pair<double, Fault> shares[] = {{f.internal_error, Fault::kInternalError},
                                               {f.rate_limited, Fault::kRateLimited},
                                               {f.cut, Fault::kCut},
                                               {f.empty, Fault::kEmpty},
                                               {f.slow, Fault::kSlow},
                                               {f.stall, Fault::kStall}};
    for (const auto& [share, fault] : shares) {
      mass += share;
      if (u < mass) {
        return fault;
      }
    }
    return Fault::kNone;
  }

  awaitable<bool> complete(beast::tcp_stream& stream, const Request& request) {
    const Result<Json> json = parse_json(request.body());
    const Json* list = json ? find_member(*json, "messages") : nullptr;
    if (list == nullptr || !list->is_array()) {
      co_return co_await send(stream, request, http::status::bad_request,
                              error_json("'messages' is missing"));
    }
    std::vector<ChatMessage> messages;
    for (const Json& message : *list) {
      messages.push_back({string_or(message, "role"), string_or(message, "content")});
    }
    const std::int64_t max_tokens = int_or(*json, "max_tokens", 0);
    if (max_tokens > options_.max_model_len) {
      co_return co_await send(
          stream, request, http::status::bad_request,
          error_json(
              fmt::format("This model's maximum context length is {} tokens, max_tokens is {}",
                          options_.max_model_len, max_tokens)));
    }
    const Fault fault = draw_fault();
    co_await wait(options_.latency_s * (fault == Fault::kSlow ? 10 : 1));
    if (fault == Fault::kInternalError) {
      ++n_500_;
      co_return co_await send(stream, request, http::status::internal_server_error,
                              error_json("scripted failure"));
    }
    if (fault == Fault::kRateLimited) {
      ++n_429_;
      std::map<std::string, std::string> headers;
      if (options_.faults.retry_after_s >= 0) {
        headers["Retry-After"] = format_double(options_.faults.retry_after_s);
      }
      co_return co_await send(stream, request, http::status::too_many_requests,
                              error_json("slow down"), headers);
    }
    const std::int64_t seed_value = int_or(*json, "seed", 0);
    Completion completion =
        script_.answer(messages, static_cast<std::uint64_t>(seed_value), max_tokens);
    if (options_.tokens > 0) {
      completion.content.clear();
      for (std::int64_t i = 0; i < options_.tokens; ++i) {
        completion.content += "word ";
      }
      completion.usage.completion = options_.tokens;
    }
    if (fault == Fault::kEmpty) {
      ++n_empty_;
      completion.content.clear();
      completion.reasoning.clear();
      completion.usage.completion = 0;
    }
    if (bool_or(*json, "stream", false)) {
      co_return co_await stream_reply(stream, request, completion, fault);
    }
    co_return co_await whole_reply(stream, request, completion, fault);
  }

  OrderedJson usage_json(const Completion& completion) const {
    return {{"prompt_tokens", completion.usage.prompt},
            {"completion_tokens", completion.usage.completion},
            {"total_tokens", completion.usage.prompt + completion.usage.completion}};
  }

  awaitable<bool> whole_reply(beast::tcp_stream& stream, const Request& request,
                              const Completion& completion, Fault fault) {
    OrderedJson message = {{"role", "assistant"}, {"content", completion.content}};
    if (completion.has_reasoning_field) {
      message["reasoning_content"] = completion.reasoning;
    }
    OrderedJson choice = {
        {"index", 0}, {"message", message}, {"finish_reason", completion.finish_reason}};
    OrderedJson body = {{"id", "mock"},
                        {"object", "chat.completion"},
                        {"model", options_.model},
                        {"choices", OrderedJson::array({choice})},
                        {"usage", usage_json(completion)}};
    const std::string text = dump_json(body);
    if (fault == Fault::kCut || fault == Fault::kStall) {
      // The length is promised, half of it comes.
      const std::string head = fmt::format(
          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
          text.size(), text.substr(0, text.size() / 2));
      Error_code error;
      co_await asio::async_write(stream, asio::buffer(head),
                                 asio::redirect_error(use_awaitable, error));
      co_await end_badly(fault);
      co_return false;
    }
    ++n_answered_;
    co_return co_await send(stream, request, http::status::ok, text);
  }

  awaitable<void> end_badly(Fault fault) {
    if (fault == Fault::kStall) {
      ++n_stalled_;
      co_await wait(3600);
    } else {
      ++n_cut_;
    }
  }

  awaitable<bool> stream_reply(beast::tcp_stream& stream, const Request& request,
                               const Completion& completion, Fault fault) {
    Error_code error;
    const std::string head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    co_await asio::async_write(stream, asio::buffer(head),
                               asio::redirect_error(use_awaitable, error));
    std::vector<std::string> events;
    const auto add = [&](OrderedJson delta, const char* finish) {
      OrderedJson choice = {{"index", 0}, {"delta", std::move(delta)}};
      choice["finish_reason"] = finish == nullptr ? OrderedJson() : OrderedJson(finish);
      const OrderedJson event = {{"id", "mock"},
                                 {"object", "chat.completion.chunk"},
                                 {"model", options_.model},
                                 {"choices", OrderedJson::array({choice})}};
      events.push_back("data: " + dump_json(event) + "\n\n");
    };
    add({{"role", "assistant"}, {"content", ""}}, nullptr);
    const auto pieces = [&](const std::string& text, const char* field) {
      for (std::size_t at = 0; at < text.size();) {
        std::size_t n = std::min<std::size_t>(24, text.size() - at);
        while (at + n < text.size() && (static_cast<unsigned char>(text[at + n]) & 0xC0) == 0x80) {
          ++n;  // never in the middle of a character
        }
        add({{field, text.substr(at, n)}}, nullptr);
        at += n;
      }
    };
    if (completion.has_reasoning_field) {
      pieces(completion.reasoning, "reasoning_content");
    }
    pieces(completion.content, "content");
    add(OrderedJson::object(), completion.finish_reason.c_str());
    const OrderedJson usage = {{"id", "mock"},
                               {"object", "chat.completion.chunk"},
                               {"model", options_.model},
                               {"choices", OrderedJson::array()},
                               {"usage", usage_json(completion)}};
    events.push_back("data: " + dump_json(usage) + "\n\n");
    events.push_back("data: [DONE]\n\n");
    const bool fails = fault == Fault::kCut || fault == Fault::kStall;
    const std::size_t n_sent = fails ? events.size() / 2 : events.size();
    for (std::size_t i = 0; i < n_sent && !error; ++i) {
      const std::string chunk = fmt::format("{:x}\r\n{}\r\n", events[i].size(), events[i]);
      co_await asio::async_write(stream, asio::buffer(chunk),
                                 asio::redirect_error(use_awaitable, error));
    }
    if (fails) {
      co_await end_badly(fault);
      co_return false;
    }
    const std::string end = "0\r\n\r\n";
    co_await asio::async_write(stream, asio::buffer(end),
                               asio::redirect_error(use_awaitable, error));
    ++n_answered_;
    co_return !error && request.keep_alive();
  }

  const MockScript script_;
  const MockServerOptions options_;
  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::thread thread_;
  std::uint64_t n_drawn_ = 0;  // the event loop's thread alone
  // Counted on the event loop's thread, read by stats_json() from any.
  std::atomic<std::int64_t> n_requests_{0};
  std::atomic<std::int64_t> n_answered_{0};
  std::atomic<std::int64_t> n_500_{0};
  std::atomic<std::int64_t> n_429_{0};
  std::atomic<std::int64_t> n_cut_{0};
  std::atomic<std::int64_t> n_empty_{0};
  std::atomic<std::int64_t> n_stalled_{0};
  std::atomic<std::int64_t> n_active_{0};
  std::atomic<std::int64_t> n_most_active_{0};
};

}  // namespace

Result<MockFaults> parse_faults(const std::string& spec) {
  MockFaults faults;
  std::string_view left = spec;
  while (!left.empty()) {
    const std::size_t comma = left.find(',');
    std::string_view part = left.substr(0, comma);
    left = comma == std::string_view::npos ? "" : left.substr(comma + 1);
    const std::size_t colon = part.find(':');
    const std::string_view name = part.substr(0, colon);
    std::string_view rest = colon == std::string_view::npos ? "" : part.substr(colon + 1);
    double percent = -1;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), percent);
    if (error != std::errc() || end == rest.data() + rest.size() || *end != '%' || percent < 0 ||
        percent > 100) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("--faults '{}': expected NAME:SHARE%, as in 500:5%", part));
    }
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()) + 1);
    const double share = percent / 100;
    if (name == "500") {
      faults.internal_error = share;
    } else if (name == "429") {
      faults.rate_limited = share;
    } else if (name == "cut") {
      faults.cut = share;
    } else if (name == "empty") {
      faults.empty = share;
    } else if (name == "slow") {
      faults.slow = share;
    } else if (name == "stall") {
      faults.stall = share;
    } else {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("--faults '{}': there are 500, 429, cut, empty, slow and stall", part));
    }
    constexpr std::string_view kRetryAfter = ":retry-after=";
    if (rest.starts_with(kRetryAfter)) {
      rest.remove_prefix(kRetryAfter.size());
      const auto parsed =
          std::from_chars(rest.data(), rest.data() + rest.size(), faults.retry_after_s);
      rest = parsed.ec == std::errc() && parsed.ptr == rest.data() + rest.size() ? "" : rest;
    }
    if (!rest.empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("--faults '{}': '{}' is not understood", part, rest));
    }
  }
  return faults;
}

Result<std::unique_ptr<MockServer>> MockServer::start(MockScript script,
                                                      const MockServerOptions& options) {
  auto server = std::make_unique<MockServerImpl>(std::move(script), options);
  R1_RETURN_IF_ERROR(server->listen());
  return std::unique_ptr<MockServer>(std::move(server));
}

}  // namespace r1eval
