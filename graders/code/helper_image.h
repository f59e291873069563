// The sandbox's helper program, as the build put it into this library.
#pragma once

#include <string_view>

namespace r1eval {

std::string_view sandbox_helper_image();

}  // namespace r1eval
