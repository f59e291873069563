// Fetching a file over HTTP(S): resumed, checked, written atomically, through the proxies that the
// environment names.
//
// The bytes go to DESTINATION.part; a second call continues where the first stopped (with a Range
// request, and If-Range on the ETag kept in DESTINATION.part.etag). Only when size and SHA-256 are
// right is the file renamed into place. Transient failures (connection, 5xx, 429) are tried again
// with backoff up to `max_attempts`.
// Errors   kNotFound (404), kFailedPrecondition (401, 403: says how to give a token), kUnavailable,
//          kParse (wrong checksum or size: names both values; the partial file is removed),
//          kResourceExhausted (disk).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace r1eval {

struct DownloadRequest {
  std::string url;
  std::string destination;
  std::string sha256;                // lower-case hex; empty: not checked
  std::int64_t bytes = -1;           // -1: not checked
  std::vector<std::string> headers;  // "Authorization: Bearer …"
  int max_attempts = 4;
  double first_wait_s = 1;  // before the second attempt; doubled each time
  // Bytes so far and in all (-1 unknown); called at most a few times a second.
  std::function<void(std::int64_t done, std::int64_t total)> on_progress;
};

Status download(const DownloadRequest& request);

}  // namespace r1eval
