#include "graders/code/sandbox.h"

namespace r1eval {

std::string_view code_profile_name(CodeProfile profile) {
  constexpr std::string_view kNames[] = {"lcb", "lcb-official", "strict"};
  return kNames[static_cast<std::size_t>(profile)];
}

std::optional<CodeProfile> code_profile_from(std::string_view name) {
  for (const CodeProfile profile :
       {CodeProfile::kLcb, CodeProfile::kLcbOfficial, CodeProfile::kStrict}) {
    if (code_profile_name(profile) == name) {
      return profile;
    }
  }
  return std::nullopt;
}

}  // namespace r1eval
