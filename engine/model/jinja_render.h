// Renders a parsed template. Values are those of Python as far as templates can tell them apart.
//
// Bounds   steps, output bytes and call depth are limited: templates come from model files.
// Threads  pure; a template can be rendered by many threads at once.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "engine/model/jinja_ast.h"

namespace r1eval::jinja {

struct RenderLimits {
  std::int64_t steps = 2'000'000;
  std::size_t output_bytes = std::size_t{64} << 20;
};

// `variables`: an object of what the template may name. `today` is what strftime_now gives for
// "%d %b %Y" (other formats give today's date in that format where it is empty).
// Errors: kInvalidArgument (raise_exception, with its text; or what went wrong with line),
// kResourceExhausted (limits).
Result<std::string> render(const Body& body, const OrderedJson& variables, const std::string& today,
                           const RenderLimits& limits = {});

}  // namespace r1eval::jinja
