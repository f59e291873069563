// The dataset and model hub: one address, in one data file (base/hub_address.inc), replaced by the
// variable HF_ENDPOINT where a mirror is used.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace r1eval {

// "hub:datasets/x/resolve/main/f" -> the full address; any other URL comes back as it is.
std::string resolve_hub_url(std::string_view url);

// Request headers for an address on the hub: the token of HF_TOKEN, if it is set.
std::vector<std::string> hub_headers(std::string_view url);

}  // namespace r1eval
