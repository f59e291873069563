#include "base/download.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"

namespace r1eval {
namespace {

struct Transfer {
  std::FILE* file = nullptr;
  std::string etag;
  std::int64_t offset = 0;  // bytes that were there before this attempt
  std::int64_t total = -1;
  int write_errno = 0;
  const DownloadRequest* request = nullptr;
  CURL* handle = nullptr;
  bool checked_status = false;
  double said_at = 0;
};

std::string header_value(std::string_view line) {
  std::string value(line.substr(line.find(':') + 1));
  while (!value.empty() && (value.back() == '\r' || value.back() == '\n' || value.back() == ' ')) {
    value.pop_back();
  }
  value.erase(0, value.find_first_not_of(' '));
  return value;
}

bool header_is(std::string_view line, std::string_view name) {
  return line.size() > name.size() && line[name.size()] == ':' &&
         std::equal(name.begin(), name.end(), line.begin(), [](char a, char b) {
           return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
         });
}

std::size_t on_header(char* data, std::size_t size, std::size_t n, void* user) {
  auto* const transfer = static_cast<Transfer*>(user);
  const std::string_view line(data, size * n);
  if (header_is(line, "etag")) {
    transfer->etag = header_value(line);
  }
  return size * n;
}

std::size_t on_body(char* data, std::size_t size, std::size_t n, void* user) {
  auto* const transfer = static_cast<Transfer*>(user);
  if (!transfer->checked_status) {
    transfer->checked_status = true;
    long status = 0;
    curl_easy_getinfo(transfer->handle, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200 && transfer->offset > 0) {
      // The server sends the whole file again: what was there is of another version.
      std::rewind(transfer->file);
      if (::ftruncate(::fileno(transfer->file), 0) != 0) {
        transfer->write_errno = errno;
        return 0;
      }
      transfer->offset = 0;
    } else if (status >= 400) {
      return size * n;  // an error page is no part of the file
    }
  }
  long status = 0;
  curl_easy_getinfo(transfer->handle, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 400) {
    return size * n;
  }
  if (std::fwrite(data, size, n, transfer->file) != n) {
    transfer->write_errno = errno;
    return 0;
  }
  return size * n;
}

int on_progress(void* user, curl_off_t total, curl_off_t now, curl_off_t, curl_off_t) {
  auto* const transfer = static_cast<Transfer*>(user);
  const double time = steady_clock().now();
  if (transfer->request->on_progress && now > 0 && time - transfer->said_at > 0.3) {
    transfer->said_at = time;
    transfer->request->on_progress(transfer->offset + now,
                                   total > 0 ? transfer->offset + total : -1);
  }
  return 0;
}

struct Attempt {
  CURLcode code = CURLE_OK;
  long status = 0;
  double retry_after = -1;
  std::string message;
};

Attempt attempt_once(const DownloadRequest& request, const std::string& part,
                     const std::string& etag_path, Status& disk) {
  Attempt attempt;
  Transfer transfer;
  transfer.request = &request;
  transfer.offset = path_exists(part) ? file_size(part).value_or(0) : 0;
  const std::string old_etag = transfer.offset > 0 ? read_file(etag_path).value_or("") : "";
  transfer.file = std::fopen(part.c_str(), transfer.offset > 0 ? "r+b" : "wb");
  if (transfer.file == nullptr) {
    disk = errno_error(errno, "open", part);
    return attempt;
  }
  std::fseek(transfer.file, 0, SEEK_END);
  CURL* const handle = curl_easy_init();
  transfer.handle = handle;
  curl_slist* headers = nullptr;
  for (const std::string& header : request.headers) {
    headers = curl_slist_append(headers, header.c_str());
  }
  if (transfer.offset > 0) {
    curl_easy_setopt(handle, CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(transfer.offset));
    if (!old_etag.empty() && !old_etag.starts_with("W/")) {
      headers = curl_slist_append(headers, ("If-Range: " + old_etag).c_str());
    }
  }
  char error_text[CURL_ERROR_SIZE] = {};
  curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(handle, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, 20L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, 60L);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "r1eval");
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error_text);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  attempt.code = curl_easy_perform(handle);
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &attempt.status);
  curl_off_t retry_after = 0;
  curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &retry_after);
  attempt.retry_after = retry_after > 0 ? static_cast<double>(retry_after) : -1;
  attempt.message = error_text[0] != '\0' ? error_text : curl_easy_strerror(attempt.code);
  curl_slist_free_all(headers);
  curl_easy_cleanup(handle);
  if (std::fflush(transfer.file) != 0 && transfer.write_errno == 0) {
    transfer.write_errno = errno;
  }
  std::fclose(transfer.file);
  if (transfer.write_errno != 0) {
    disk = errno_error(transfer.write_errno, "write", part);
    return attempt;
  }
  if (!transfer.etag.empty() && attempt.status < 400) {
    if (const Status kept = write_file_atomic(etag_path, transfer.etag); !kept) {
      disk = kept;
    }
  }
  return attempt;
}

bool is_transient(const Attempt& attempt) {
  if (attempt.status == 429 || attempt.status >= 500) {
    return true;
  }
  switch (attempt.code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

Error failure(const DownloadRequest& request, const Attempt& attempt) {
  const std::string what = fmt::format("fetch {}", request.url);
  if (attempt.status == 404 || attempt.status == 410) {
    return fail(ErrorCode::kNotFound, fmt::format("{}: the server has no such file (404)", what));
  }
  if (attempt.status == 401 || attempt.status == 403) {
    return fail(
        ErrorCode::kFailedPrecondition,
        fmt::format("{}: the server refuses ({}): it may want a token (HF_TOKEN for the hub), "
                    "or that you accept the terms there",
                    what, attempt.status));
  }
  if (attempt.status >= 400) {
    return fail(ErrorCode::kUnavailable, fmt::format("{}: HTTP {}", what, attempt.status));
  }
  return fail(ErrorCode::kUnavailable,
              fmt::format("{}: {} (is the network there? a proxy is taken from https_proxy)", what,
                          attempt.message));
}

}  // namespace

Status download(const DownloadRequest& request) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  const std::string part = request.destination + ".part";
  const std::string etag_path = part + ".etag";
  double wait = request.first_wait_s;
  for (int n = 1;; ++n) {
    if (request.bytes >= 0 && path_exists(part) && file_size(part).value_or(-1) >= request.bytes) {
      break;  // an earlier call fetched everything and was stopped before the check
    }
    Status disk = ok_status();
    const Attempt attempt = attempt_once(request, part, etag_path, disk);
    R1_RETURN_IF_ERROR(disk);
    if (attempt.code == CURLE_OK && attempt.status < 400) {
      break;
    }
    if (attempt.status == 416) {  // nothing is left to send, or the part is of another file
      if (request.sha256.empty() && request.bytes < 0) {
        ::unlink(part.c_str());
      } else {
        break;
      }
    } else if (!is_transient(attempt) || n >= request.max_attempts) {
      if (file_size(part).value_or(0) == 0) {
        ::unlink(part.c_str());
        ::unlink(etag_path.c_str());
      }
      return failure(request, attempt);
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(
        attempt.retry_after > 0 ? std::min(attempt.retry_after, 60.0) : wait));
    wait *= 2;
  }
  const std::int64_t size = file_size(part).value_or(0);
  std::string problem;
  if (request.bytes >= 0 && size != request.bytes) {
    problem = fmt::format("{} bytes came, expected {}", size, request.bytes);
  } else if (!request.sha256.empty()) {
    R1_TRY(const std::string hash, sha256_file(part));
    if (hash != request.sha256) {
      problem = fmt::format("its SHA-256 is {}, expected {}", hash, request.sha256);
    }
  }
  ::unlink(etag_path.c_str());
  if (!problem.empty()) {
    ::unlink(part.c_str());
    return fail(ErrorCode::kParse,
                fmt::format("fetch {}: {}; the file was removed", request.url, problem));
  }
  if (std::rename(part.c_str(), request.destination.c_str()) != 0) {
    return errno_error(errno, "rename into", request.destination);
  }
  return ok_status();
}

}  // namespace r1eval
