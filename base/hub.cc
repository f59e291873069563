#include "base/hub.h"

#include "base/file.h"
#include "base/log.h"

namespace r1eval {
namespace {

constexpr std::string_view kScheme = "hub:";

std::string hub_base() {
  std::string base = environment("HF_ENDPOINT");
  if (base.empty()) {
    base =
#include "base/hub_address.inc"
        ;
  }
  if (base.back() != '/') {
    base += '/';
  }
  return base;
}

}  // namespace

std::string resolve_hub_url(std::string_view url) {
  return url.starts_with(kScheme) ? hub_base() + std::string(url.substr(kScheme.size()))
                                  : std::string(url);
}

std::vector<std::string> hub_headers(std::string_view url) {
  const std::string token = environment("HF_TOKEN");
  if (token.empty() || !resolve_hub_url(url).starts_with(hub_base())) {
    return {};
  }
  register_secret(token);
  return {"Authorization: Bearer " + token};
}

}  // namespace r1eval
