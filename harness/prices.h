// What tokens cost: dollars per million, by model, from a dated table that flags and a file of the
// same form override. A run's manifest keeps the prices it was made at.
#pragma once

#include <string>

#include "base/generation.h"
#include "base/json.h"
#include "base/result.h"

namespace r1eval {

struct Prices {
  double input = -1;   // -1: unknown
  double cached = -1;  // of prompt tokens that a prefix cache served
  double output = -1;  // thinking included
  std::string source;
};

struct PriceFlags {
  std::string file;
  double input = -1;
  double cached = -1;
  double output = -1;
};

// `model` may be NAME@URL. No price known is no error. Errors: the file's.
Result<Prices> find_prices(const std::string& model, const PriceFlags& flags);

// Dollars, or -1 where a price or a count is not known. Unknown cached counts are none.
double cost_of(const Prices& prices, const Usage& usage);

OrderedJson prices_to_json(const Prices& prices);
// The manifest's own, else the table's of today for its model.
Prices prices_of_manifest(const Json& manifest);

}  // namespace r1eval
