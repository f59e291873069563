// A local HTTP/1.1 server for tests: fixed bytes a path, with ETag and Range, and scripted
// failures. Header-only; one thread, one connection at a time; listens on a free port of 127.0.0.1.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace r1eval {

class HttpServer {
 public:
  struct Route {
    std::string body;
    int fail_first = 0;  // so many requests get `fail_status`
    int fail_status = 500;
    std::size_t cut_after = 0;  // > 0: the first reply breaks off after so many bytes
    std::string etag = "\"v1\"";
  };

  HttpServer() {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(socket_, 16);
    socklen_t size = sizeof address;
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }

  ~HttpServer() {
    stopping_ = true;
    ::shutdown(socket_, SHUT_RDWR);
    ::close(socket_);
    thread_.join();
  }

  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  void serve(const std::string& path, std::string body) { route(path, Route{std::move(body)}); }

  void route(const std::string& path, Route route) {
    const std::lock_guard lock(mutex_);
    routes_[path] = std::move(route);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  // Heads of the requests so far.
  std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void run() {
    while (!stopping_) {
      const int client = ::accept(socket_, nullptr, nullptr);
      if (client < 0) {
        return;
      }
      std::string head;
      char buffer[4096];
      while (head.find("\r\n\r\n") == std::string::npos) {
        const ssize_t n = ::recv(client, buffer, sizeof buffer, 0);
        if (n <= 0) {
          break;
        }
        head.append(buffer, static_cast<std::size_t>(n));
      }
      answer(client, head);
      ::close(client);
    }
  }

  void answer(int client, const std::string& head) {
    const std::size_t begin = head.find(' ') + 1;
    const std::string path = head.substr(begin, head.find(' ', begin) - begin);
    Route route;
    bool known = false;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(head);
      const auto found = routes_.find(path);
      known = found != routes_.end();
      if (known) {
        route = found->second;
        if (found->second.fail_first > 0) {
          --found->second.fail_first;
        } else {
          found->second.cut_after = 0;
        }
      }
    }
    if (!known || route.fail_first > 0) {
      send_all(client, "HTTP/1.1 " + std::to_string(known ? route.fail_status : 404) +
                           " no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      return;
    }
    std::size_t from = 0;
    const std::size_t range = head.find("Range: bytes=");
    const std::size_t condition = head.find("If-Range: ");
    const bool holds = condition == std::string::npos ||
                       head.compare(condition + 10, route.etag.size(), route.etag) == 0;
    if (range != std::string::npos && holds) {
      from = static_cast<std::size_t>(std::strtoull(head.c_str() + range + 13, nullptr, 10));
    }
    std::string reply = from > 0 ? "HTTP/1.1 206 Partial\r\n" : "HTTP/1.1 200 OK\r\n";
    if (from > 0) {
      reply += "Content-Range: bytes " + std::to_string(from) + "-" +
               std::to_string(route.body.size() - 1) + "/" + std::to_string(route.body.size()) +
               "\r\n";
    }
    const std::string body = route.body.substr(from);
    reply += "ETag: " + route.etag + "\r\nContent-Length: " + std::to_string(body.size()) +
             "\r\nConnection: close\r\n\r\n" +
             (route.cut_after > 0 ? body.substr(0, route.cut_after) : body);
    send_all(client, reply);
  }

  static void send_all(int client, const std::string& text) {
    std::size_t at = 0;
    while (at < text.size()) {
      const ssize_t n = ::send(client, text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (n <= 0) {
        return;
      }
      at += static_cast<std::size_t>(n);
    }
  }

  int socket_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;  // guards routes_ and requests_
  std::map<std::string, Route> routes_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace r1eval
