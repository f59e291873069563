// Chat templates come from model files: parsing and rendering any text ends, within its bounds.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/json.h"
#include "engine/model/jinja_ast.h"
#include "engine/model/jinja_render.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string source(reinterpret_cast<const char*>(data), size);
  const auto body = r1eval::jinja::parse(source);
  if (!body) {
    return 0;
  }
  r1eval::OrderedJson variables;
  variables["messages"] = {{{"role", "user"}, {"content", "hi </think> x"}},
                           {{"role", "assistant"}, {"content", nullptr}}};
  variables["add_generation_prompt"] = true;
  variables["bos_token"] = "<s>";
  r1eval::jinja::RenderLimits limits;
  limits.steps = 20000;
  limits.output_bytes = 1 << 16;
  (void)r1eval::jinja::render(*body, variables, "26 Jul 2024", limits);
  return 0;
}
