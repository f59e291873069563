#include "graders/math/units.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

namespace r1eval {
namespace {

struct UnitName {
  std::string_view name;
  std::string_view unit;
};

// Symbols are looked up as written, then names in lower case and singular.
constexpr std::array<UnitName, 66> kSymbols = {{
    {"mm", "mm"},    {"cm", "cm"},    {"dm", "dm"},     {"m", "m"},      {"km", "km"},
    {"nm", "nm"},    {"μm", "μm"},    {"µm", "μm"},     {"um", "μm"},    {"in", "in"},
    {"ft", "ft"},    {"yd", "yd"},    {"mi", "mi"},     {"mg", "mg"},    {"g", "g"},
    {"kg", "kg"},    {"lb", "lb"},    {"lbs", "lb"},    {"oz", "oz"},    {"s", "s"},
    {"ms", "ms"},    {"μs", "μs"},    {"min", "min"},   {"mins", "min"}, {"h", "h"},
    {"hr", "h"},     {"hrs", "h"},    {"sec", "s"},     {"secs", "s"},   {"L", "L"},
    {"l", "L"},      {"mL", "mL"},    {"ml", "mL"},     {"cc", "cm^3"},  {"N", "N"},
    {"kN", "kN"},    {"J", "J"},      {"kJ", "kJ"},     {"W", "W"},      {"kW", "kW"},
    {"MW", "MW"},    {"Pa", "Pa"},    {"kPa", "kPa"},   {"Hz", "Hz"},    {"kHz", "kHz"},
    {"V", "V"},      {"A", "A"},      {"K", "K"},       {"C", "C"},      {"T", "T"},
    {"mol", "mol"},  {"eV", "eV"},    {"kcal", "kcal"}, {"cal", "cal"},  {"mph", "mi/h"},
    {"kmh", "km/h"}, {"kph", "km/h"}, {"kWh", "kWh"},   {"rpm", "rpm"},  {"rad", "rad"},
    {"sq", "sq"},    {"Ω", "Ω"},      {"°C", "°C"},     {"°F", "°F"},    {"USD", "$"},
    {"EUR", "€"},
}};

constexpr std::array<UnitName, 60> kNames = {{
    {"millimeter", "mm"}, {"millimetre", "mm"}, {"centimeter", "cm"}, {"centimetre", "cm"},
    {"decimeter", "dm"},  {"meter", "m"},       {"metre", "m"},       {"kilometer", "km"},
    {"kilometre", "km"},  {"inch", "in"},       {"inche", "in"},      {"foot", "ft"},
    {"feet", "ft"},       {"yard", "yd"},       {"mile", "mi"},       {"milligram", "mg"},
    {"gram", "g"},        {"kilogram", "kg"},   {"pound", "lb"},      {"ounce", "oz"},
    {"ton", "ton"},       {"second", "s"},      {"minute", "min"},    {"hour", "h"},
    {"day", "day"},       {"week", "week"},     {"month", "month"},   {"year", "year"},
    {"liter", "L"},       {"litre", "L"},       {"milliliter", "mL"}, {"millilitre", "mL"},
    {"gallon", "gal"},    {"gal", "gal"},       {"cup", "cup"},       {"quart", "quart"},
    {"pint", "pint"},     {"newton", "N"},      {"joule", "J"},       {"kilojoule", "kJ"},
    {"watt", "W"},        {"kilowatt", "kW"},   {"pascal", "Pa"},     {"hertz", "Hz"},
    {"volt", "V"},        {"ampere", "A"},      {"kelvin", "K"},      {"mole", "mol"},
    {"calorie", "cal"},   {"radian", "rad"},    {"dollar", "$"},      {"cent", "cent"},
    {"euro", "€"},        {"yen", "yen"},       {"rupee", "rupee"},   {"acre", "acre"},
    {"degree", "degree"}, {"am", "am"},         {"pm", "pm"},         {"ohm", "Ω"},
}};

bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || static_cast<unsigned char>(c) >= 0x80;
}

std::string lower(std::string_view word) {
  std::string out(word);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(c < 0x80 ? std::tolower(c) : c); });
  return out;
}

template <typename Table>
std::string_view find_in(const Table& table, std::string_view word) {
  for (const UnitName& one : table) {
    if (one.name == word) {
      return one.unit;
    }
  }
  return {};
}

std::string singular(std::string word) {
  if (word.size() > 3 && word.back() == 's' && word[word.size() - 2] != 's') {
    word.pop_back();
  }
  return word;
}

std::string_view unit_of(std::string_view word) {
  if (const std::string_view unit = find_in(kSymbols, word); !unit.empty()) {
    return unit;
  }
  const std::string low = lower(word);
  if (const std::string_view unit = find_in(kNames, low); !unit.empty()) {
    return unit;
  }
  if (const std::string_view unit = find_in(kNames, singular(low)); !unit.empty()) {
    return unit;
  }
  // Text is compared in lower case, so that symbols come here in lower case too.
  for (const UnitName& one : kSymbols) {
    if (one.name.size() > 1 && lower(one.name) == low) {
      return one.unit;
    }
  }
  for (const UnitName& one : kSymbols) {
    if (lower(one.name) == low) {
      return one.unit;
    }
  }
  return {};
}

// Words, numbers and signs of a unit: "m/s^2" is m, /, s, ^, 2.
std::vector<std::string> parts_of(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t from = i;
    const char c = text[i];
    if (c == '\\') {
      ++i;
      while (i < text.size() && std::isalpha(static_cast<unsigned char>(text[i])) != 0) {
        ++i;
      }
      if (text.substr(from, i - from) == "\\cdot" || text.substr(from, i - from) == "\\times") {
        parts.emplace_back("*");
      }
    } else if (text.substr(i, 2) == "·") {
      parts.emplace_back("*");
      i += 2;
    } else if (text.substr(i, 3) == "⋅") {
      parts.emplace_back("*");
      i += 3;
    } else if (text.substr(i, 2) == "²" || text.substr(i, 2) == "³") {
      parts.emplace_back("^");
      parts.emplace_back(text.substr(i, 2) == "²" ? "2" : "3");
      i += 2;
    } else if (is_letter(c)) {
      while (i < text.size() && (is_letter(text[i]) || (text[i] == '.' && i + 1 < text.size() &&
                                                        is_letter(text[i + 1]) && i - from == 1))) {
        if (text.substr(i, 2) == "²" || text.substr(i, 2) == "³" || text.substr(i, 2) == "·") {
          break;
        }
        ++i;
      }
      std::string word(text.substr(from, i - from));
      word.erase(std::remove(word.begin(), word.end(), '.'), word.end());  // "p.m"
      parts.push_back(std::move(word));
    } else if (c >= '0' && c <= '9') {
      while (i < text.size() && text[i] >= '0' && text[i] <= '9') {
        ++i;
      }
      parts.emplace_back(text.substr(from, i - from));
    } else {
      if (c == '/' || c == '^' || c == '*' || c == '-') {
        parts.emplace_back(1, c);
      }
      ++i;
    }
  }
  return parts;
}

}  // namespace

UnitText normal_unit(std::string_view words) {
  const std::vector<std::string> parts = parts_of(words.substr(0, 400));
  UnitText unit;
  std::string power;  // of the next unit: "square meters"
  std::string link;
  for (std::size_t k = 0; k < parts.size(); ++k) {
    const std::string& part = parts[k];
    const std::string low = lower(part);
    if (low == "square" || low == "sq") {
      power = "^2";
    } else if (low == "cubic" || low == "cu") {
      power = "^3";
    } else if (part == "/" || low == "per" || low == "an" || low == "a") {
      link = "/";
    } else if (part == "*") {
      link = "*";
    } else if (part == "^") {
      std::string exponent = k + 1 < parts.size() ? parts[k + 1] : "";
      k += exponent == "-" && k + 2 < parts.size() ? 2 : 1;
      unit.text += exponent == "-" ? "^-" + parts[std::min(k, parts.size() - 1)] : "^" + exponent;
    } else if (low == "squared" || low == "cubed") {
      unit.text += low == "squared" ? "^2" : "^3";
    } else {
      const std::string_view known = unit_of(part);
      if (known.empty()) {
        break;
      }
      unit.text += unit.text.empty() ? "" : link.empty() ? "*" : link;
      unit.text += known;
      unit.text += power;
      unit.is_known = true;
      power.clear();
      link.clear();
    }
  }
  if (unit.is_known) {
    return unit;
  }
  unit.text.clear();
  for (const std::string& part : parts) {
    unit.text += (unit.text.empty() ? "" : " ") + singular(lower(part));
  }
  return unit;
}

bool same_unit(std::string_view a, std::string_view b) {
  const UnitText x = normal_unit(a);
  const UnitText y = normal_unit(b);
  if (x.text == y.text) {
    return true;
  }
  if (x.is_known || y.is_known || x.text.empty() || y.text.empty()) {
    return false;
  }
  // "red apples" are apples.
  const std::string& longer = x.text.size() > y.text.size() ? x.text : y.text;
  const std::string& shorter = x.text.size() > y.text.size() ? y.text : x.text;
  return longer.ends_with(" " + shorter) || longer.starts_with(shorter + " ");
}

std::size_t plain_unit_end(std::string_view text, std::size_t from, bool allows_letter) {
  std::size_t i = from;
  std::size_t n_units = 0;
  std::size_t letters = 0;
  const auto skip_spaces = [&] {
    while (i < text.size() && text[i] == ' ') {
      ++i;
    }
  };
  while (true) {
    const std::size_t start = i;
    while (i < text.size() && is_letter(text[i]) && text.substr(i, 2) != "²" &&
           text.substr(i, 2) != "³" && text.substr(i, 2) != "·" && i - start < 16) {
      ++i;
    }
    if (i == start || find_in(kSymbols, text.substr(start, i - start)).empty()) {
      return std::string_view::npos;
    }
    ++n_units;
    letters += i - start;
    if (text.substr(i, 2) == "²" || text.substr(i, 2) == "³") {
      i += 2;
    } else if (i < text.size() && text[i] == '^') {
      ++i;
      const bool braced = i < text.size() && text[i] == '{';
      i += braced ? 1 : 0;
      i += i < text.size() && text[i] == '-' ? 1 : 0;
      if (i >= text.size() || text[i] < '1' || text[i] > '9') {
        return std::string_view::npos;
      }
      ++i;
      if (braced && (i >= text.size() || text[i++] != '}')) {
        return std::string_view::npos;
      }
    }
    const std::size_t end = i;
    skip_spaces();
    if (i < text.size() && (text[i] == '/' || text[i] == '*')) {
      ++i;
      skip_spaces();
      continue;
    }
    if (text.substr(i, 2) == "·" || text.substr(i, 3) == "⋅" || text.substr(i, 5) == "\\cdot") {
      i += text[i] == '\\' ? 5U : text.substr(i, 2) == "·" ? 2U : 3U;
      skip_spaces();
      continue;
    }
    const bool is_last = i >= text.size() || text[i] == ',' || text[i] == ';' || text[i] == '$' ||
                         (text[i] == '.' && i + 1 >= text.size()) || text[i] == '}';
    const bool is_letter_alone = n_units == 1 && letters == 1;
    return is_last && (allows_letter || !is_letter_alone) ? end : std::string_view::npos;
  }
}

}  // namespace r1eval
