#include "harness/prices.h"

#include <algorithm>

#include "base/file.h"
#include "results/embedded.h"

namespace r1eval {

Result<Prices> find_prices(const std::string& model, const PriceFlags& flags) {
  Prices prices;
  std::string text;
  if (!flags.file.empty()) {
    R1_TRY(text, read_file(flags.file));
  } else {
    for (const auto& [file, bytes] : embedded_result_files()) {
      text = file == "data/prices.json" ? std::string(bytes) : text;
    }
  }
  Result<Json> json = parse_json(text);
  if (!json) {
    return json.error().with_context("--prices " + flags.file);
  }
  const std::string name = model.substr(0, model.find('@'));
  const Json* models = find_member(*json, "models");
  if (const Json* entry = models == nullptr ? nullptr : find_member(*models, name)) {
    prices.input = double_or(*entry, "input", -1);
    prices.cached = double_or(*entry, "cached_input", prices.input);
    prices.output = double_or(*entry, "output", -1);
    prices.source = string_or(*entry, "source", string_or(*json, "date"));
  }
  if (flags.input >= 0 || flags.output >= 0) {
    prices.input = flags.input >= 0 ? flags.input : prices.input;
    prices.output = flags.output >= 0 ? flags.output : prices.output;
    prices.cached = flags.cached >= 0 ? flags.cached : prices.input;
    prices.source = "flags";
  }
  return prices;
}

double cost_of(const Prices& prices, const Usage& usage) {
  if (prices.input < 0 || prices.output < 0 || usage.prompt < 0 || usage.completion < 0) {
    return -1;
  }
  const auto prompt = static_cast<double>(usage.prompt);
  const double cached = std::clamp(static_cast<double>(usage.cached), 0.0, prompt);
  const double cached_price = prices.cached >= 0 ? prices.cached : prices.input;
  return ((prompt - cached) * prices.input + cached * cached_price +
          static_cast<double>(usage.completion) * prices.output) /
         1e6;
}

OrderedJson prices_to_json(const Prices& prices) {
  if (prices.input < 0 || prices.output < 0) {
    return {};
  }
  return {{"units", "US dollars per million tokens"},
          {"input", prices.input},
          {"cached_input", prices.cached},
          {"output", prices.output},
          {"source", prices.source}};
}

Prices prices_of_manifest(const Json& manifest) {
  if (const Json* kept = find_member(manifest, "prices")) {
    return {double_or(*kept, "input", -1), double_or(*kept, "cached_input", -1),
            double_or(*kept, "output", -1), string_or(*kept, "source")};
  }
  const Json* config = find_member(manifest, "config");
  const Result<Prices> prices =
      find_prices(config == nullptr ? "" : string_or(*config, "model"), {});
  return prices ? *prices : Prices();
}

}  // namespace r1eval
