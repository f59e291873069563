#include "graders/math/function_names.h"

#include <algorithm>
#include <array>
#include <utility>

namespace r1eval {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

// Sorted by the word.
constexpr std::array<Pair, 90> kWords = {{
    {"Arg", "arg"},         {"GCD", "gcd"},        {"HCF", "gcd"},        {"Im", "Im"},
    {"LCM", "lcm"},         {"Log", "log"},        {"Re", "Re"},          {"Tr", "tr"},
    {"abs", "abs"},         {"acos", "arccos"},    {"acosh", "arcosh"},   {"acot", "arccot"},
    {"acoth", "arcoth"},    {"acsc", "arccsc"},    {"acsch", "arcsch"},   {"arccos", "arccos"},
    {"arccosec", "arccsc"}, {"arccosh", "arcosh"}, {"arccot", "arccot"},  {"arccoth", "arcoth"},
    {"arccsc", "arccsc"},   {"arccsch", "arcsch"}, {"arcctg", "arccot"},  {"arcosh", "arcosh"},
    {"arcoth", "arcoth"},   {"arcsch", "arcsch"},  {"arcsec", "arcsec"},  {"arcsech", "arsech"},
    {"arcsin", "arcsin"},   {"arcsinh", "arsinh"}, {"arctan", "arctan"},  {"arctanh", "artanh"},
    {"arctg", "arctan"},    {"arg", "arg"},        {"argcosh", "arcosh"}, {"argsinh", "arsinh"},
    {"argtanh", "artanh"},  {"arsech", "arsech"},  {"arsinh", "arsinh"},  {"artanh", "artanh"},
    {"asec", "arcsec"},     {"asech", "arsech"},   {"asin", "arcsin"},    {"asinh", "arsinh"},
    {"atan", "arctan"},     {"atanh", "artanh"},   {"cbrt", "cbrt"},      {"ceil", "ceil"},
    {"ceiling", "ceil"},    {"ch", "cosh"},        {"cis", "cis"},        {"cos", "cos"},
    {"cosec", "csc"},       {"cosech", "csch"},    {"cosh", "cosh"},      {"cot", "cot"},
    {"cotan", "cot"},       {"cotg", "cot"},       {"coth", "coth"},      {"csc", "csc"},
    {"csch", "csch"},       {"ctan", "cot"},       {"ctg", "cot"},        {"cth", "coth"},
    {"deg", "deg"},         {"det", "det"},        {"exp", "exp"},        {"floor", "floor"},
    {"gcd", "gcd"},         {"gcf", "gcd"},        {"hcf", "gcd"},        {"lcm", "lcm"},
    {"lg", "lg"},           {"ln", "ln"},          {"log", "log"},        {"max", "max"},
    {"min", "min"},         {"sec", "sec"},        {"sech", "sech"},      {"sgn", "sgn"},
    {"sh", "sinh"},         {"sign", "sgn"},       {"sin", "sin"},        {"sinh", "sinh"},
    {"tan", "tan"},         {"tanh", "tanh"},      {"tg", "tan"},         {"th", "tanh"},
    {"tr", "tr"},           {"trace", "tr"},
}};

constexpr std::array<Pair, 12> kInverses = {{{"sin", "arcsin"},
                                             {"cos", "arccos"},
                                             {"tan", "arctan"},
                                             {"cot", "arccot"},
                                             {"sec", "arcsec"},
                                             {"csc", "arccsc"},
                                             {"sinh", "arsinh"},
                                             {"cosh", "arcosh"},
                                             {"tanh", "artanh"},
                                             {"coth", "arcoth"},
                                             {"sech", "arsech"},
                                             {"csch", "arcsch"}}};

}  // namespace

std::string_view function_named(std::string_view word) {
  const auto it = std::lower_bound(kWords.begin(), kWords.end(), word,
                                   [](const Pair& a, std::string_view b) { return a.first < b; });
  return it != kWords.end() && it->first == word ? it->second : std::string_view();
}

std::string_view inverse_function(std::string_view name) {
  for (const auto& [function, inverse] : kInverses) {
    if (function == name) {
      return inverse;
    }
  }
  return {};
}

bool is_plain_function(std::string_view word) {
  static constexpr std::array<std::string_view, 13> kOnlyCommands = {
      "Arg", "Im", "Log", "Re", "Tr", "ch", "cth", "deg", "sh", "sign", "th", "tr", "trace"};
  return !function_named(word).empty() &&
         std::find(kOnlyCommands.begin(), kOnlyCommands.end(), word) == kOnlyCommands.end();
}

}  // namespace r1eval
