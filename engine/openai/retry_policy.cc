#include "engine/openai/retry_policy.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>
#include <string>

#include "base/rng.h"

namespace r1eval {

double retry_wait(const RetryPolicy& policy, std::int64_t n_attempts, double retry_after_s,
                  std::uint64_t key) {
  if (retry_after_s >= 0) {
    return std::min(retry_after_s, policy.longest_retry_after_s);
  }
  const double wait =
      policy.first_wait_s *
      std::pow(2.0, static_cast<double>(std::min<std::int64_t>(n_attempts - 1, 20)));
  const double jitter = 0.5 + 0.5 * uniform_at(key, static_cast<std::uint64_t>(n_attempts));
  return std::min(wait, policy.longest_wait_s) * jitter;
}

double parse_retry_after(std::string_view value, std::int64_t now_unix) {
  while (!value.empty() && value.front() == ' ') {
    value.remove_prefix(1);
  }
  double seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error == std::errc() && end != value.data() && seconds >= 0) {
    return seconds;
  }
  const std::time_t date = curl_getdate(std::string(value).c_str(), nullptr);
  return date < 0 ? -1 : std::max<double>(0, static_cast<double>(date - now_unix));
}

}  // namespace r1eval
