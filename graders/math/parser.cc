// Whole answers: one value or several with what stands between them, words, introductions.
#include "graders/math/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "graders/math/parser_impl.h"

namespace r1eval::parsing {

bool Parser::at_separator() {
  if (is_op(",") || is_op(";")) {
    ++i_;
    if (joins_answers(i_)) {
      ++i_;
    }
    return true;
  }
  if (i_ + 1 < t_.size() && (is_command("lor") || is_command("vee") || is_command("land") ||
                             is_command("wedge") || joins_answers(i_))) {
    ++i_;
    return true;
  }
  return false;
}

// Words between two answers: "and", "or", also with a comma in the text command.
bool Parser::joins_answers(std::size_t at) const {
  if (at >= t_.size() || (t_[at].kind != TokenKind::kText && t_[at].kind != TokenKind::kWord)) {
    return false;
  }
  std::string word = fold_words(t_[at].text);
  word.erase(0, std::min(word.find_first_not_of(" ,;"), word.size()));
  return word == "and" || word == "or" || (word.empty() && !t_[at].text.empty());
}

// "(k \in Z)" after a complete answer
bool Parser::qualifier_follows() const {
  if (!is_op("(")) {
    return false;
  }
  int depth = 0;
  for (std::size_t k = i_; k < t_.size(); ++k) {
    depth += t_[k].text == "(" ? 1 : t_[k].text == ")" ? -1 : 0;
    if (depth == 0) {
      return false;
    }
    if (depth == 1 && t_[k].kind == TokenKind::kCommand && t_[k].text == "in") {
      return true;
    }
  }
  return false;
}

Parser::Id Parser::answers() {
  std::vector<Id> members;
  std::vector<std::size_t> group_ends;  // where a semicolon stood
  bool only_commas = true;
  bool has_or = false;
  bool is_tight = true;  // no space after the commas
  bool has_and = false;
  while (!done()) {
    Id member = relation();
    if (member == kBad) {
      return kBad;
    }
    if (is_command("over")) {  // "1 \over 2" without its braces
      ++i_;
      const Id below = set_expression();
      member = below == kBad ? kBad : make(Kind::kQuotient, {member, below});
    }
    member = with_unit(member);
    if (member == kBad) {
      return kBad;
    }
    members.push_back(member);
    if (qualifier_follows()) {
      ++i_;
      const Id qualifier = relation();
      if (qualifier == kBad || !accept(")")) {
        return bad("a condition in parentheses is not understood");
      }
      members.push_back(qualifier);
    }
    if (static_cast<std::int64_t>(members.size()) > bounds::kMaxSetMembers) {
      return bad("too many answers in a list");
    }
    if (done()) {
      break;
    }
    only_commas = only_commas && is_op(",");
    has_and = has_and || unit_is_and();
    is_tight = is_tight && i_ + 1 < t_.size() && !t_[i_ + 1].space_before;
    const bool and_between =
        unit_is_and() && e_.at(members.back()).kind == Kind::kRelation && members.size() > 1;
    if (is_op(";") || and_between) {
      group_ends.push_back(members.size());
    }
    const std::size_t before = i_;
    if (!at_separator()) {
      return bad(fmt::format("'{}' is not understood here", t_[i_].text.substr(0, 40)));
    }
    for (std::size_t k = before; k < i_; ++k) {
      has_or =
          has_or || fold_words(t_[k].text) == "or" || t_[k].text == "lor" || t_[k].text == "vee";
    }
  }
  if (members.empty()) {
    return bad("there is nothing to read");
  }
  if (members.size() == 1) {
    return members[0];
  }
  // "p = 5, q = 2; p = 7, q = 2": groups of as many members between semicolons are tuples.
  if (!group_ends.empty() && group_ends[0] > 1) {
    const std::size_t width = group_ends[0];
    bool regular = members.size() == width * (group_ends.size() + 1);
    for (std::size_t k = 0; k < group_ends.size(); ++k) {
      regular = regular && group_ends[k] == width * (k + 1);
    }
    if (regular) {
      std::vector<Id> tuples;
      for (std::size_t k = 0; k < members.size(); k += width) {
        const auto from = members.begin() + static_cast<std::ptrdiff_t>(k);
        tuples.push_back(make(
            Kind::kTuple, std::vector<Id>(from, from + static_cast<std::ptrdiff_t>(width)), "()"));
        if (tuples.back() == kBad) {
          return kBad;
        }
      }
      members = std::move(tuples);
    }
  }
  return make(Kind::kList, std::move(members),
              has_or                     ? "o"
              : has_and                  ? "and"
              : only_commas && !is_tight ? ", "
              : only_commas              ? ","
                                         : ";");
}

// "\text{The answer is } 16", "= 16", "\approx 16": what stands before the value.
void Parser::skip_introduction() {
  if (is_kind(TokenKind::kText) && t_.size() > 1) {
    const std::string word = fold_words(t_[0].text);
    const std::string& raw = t_[0].text;
    const std::size_t last = raw.find_last_not_of(' ');
    const bool has_colon = last != std::string::npos && raw[last] == ':';
    if (has_colon || word.ends_with(" is") || word.ends_with(" are") || word == "is") {
      ++i_;
    }
  }
  while (i_ + 1 < t_.size() && (is_op("=") || is_op(":") || is_command("approx"))) {
    ++i_;
  }
}

Result<Expression> Parser::run() {
  // Trailing full stops end a sentence, not an expression.
  while (!t_.empty() && t_.back().kind == TokenKind::kOperator &&
         (t_.back().text == "." || t_.back().text == "," || t_.back().text == ";" ||
          t_.back().text == "\\\\")) {
    t_.pop_back();
  }
  if (t_.empty()) {
    return fail(ErrorCode::kParse, "there is nothing to read");
  }
  // An answer of nothing but words.
  bool any_word = false;  // other than the "and" between two letters
  bool only_words = true;
  std::string words;
  for (std::size_t k = 0; k < t_.size(); ++k) {
    const Token& token = t_[k];
    const bool is_word = token.kind == TokenKind::kWord || token.kind == TokenKind::kText;
    const bool is_between = k > 0 && k + 1 < t_.size() && joins_answers(k) &&
                            t_[k - 1].kind == TokenKind::kLetter &&
                            t_[k + 1].kind == TokenKind::kLetter;
    any_word = any_word || (is_word && !is_between);
    only_words = only_words && (is_word || token.kind == TokenKind::kLetter);
    words += (token.space_before || is_word ? " " : "") + token.text;
  }
  const bool text_is_value =
      t_.size() == 1 && t_[0].kind == TokenKind::kText &&
      (rational_from_decimal(fold_words(t_[0].text)) || fold_words(t_[0].text).size() == 1);
  if (any_word && only_words && !text_is_value) {
    std::string folded = fold_words(words);
    if (folded.size() > 2 && folded.front() == '(' && folded.back() == ')') {
      folded = folded.substr(1, folded.size() - 2);
    }
    if (folded.size() == 1) {
      // The letter as it was written.
      const std::size_t at =
          words.find_first_of({folded[0], static_cast<char>(std::toupper(folded[0]))});
      e_.root = make(Kind::kSymbol, {}, words.substr(at, 1));
    } else {
      e_.root = make(Kind::kText, {}, folded);
    }
    return std::move(e_);
  }
  if (t_.size() == 1 && t_[0].kind == TokenKind::kText && fold_words(t_[0].text).size() == 1 &&
      !rational_from_decimal(fold_words(t_[0].text))) {
    std::string letter = t_[0].text;
    letter.erase(
        std::remove_if(letter.begin(), letter.end(),
                       [](char c) { return std::isalpha(static_cast<unsigned char>(c)) == 0; }),
        letter.end());
    e_.root = make(Kind::kSymbol, {}, letter);
    return std::move(e_);
  }
  if (auto based = whole_in_base()) {
    return std::move(*based);
  }
  skip_introduction();
  const Id root = answers();
  if (root == kBad) {
    return fail(ErrorCode::kParse, why_.empty() ? "the expression is not understood" : why_);
  }
  e_.root = root;
  e_.exact.clear();  // values found while the tree was still growing
  return std::move(e_);
}

}  // namespace r1eval::parsing

namespace r1eval {

std::string fold_words(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      while (i + 1 < text.size() && std::isalpha(static_cast<unsigned char>(text[i + 1])) != 0) {
        ++i;
      }
      if (i + 1 < text.size() && (text[i + 1] == ' ' || text[i + 1] == ',')) {
        ++i;
      }
      if (!out.empty() && out.back() != ' ') {
        out += ' ';
      }
    } else if (std::isspace(static_cast<unsigned char>(c)) != 0 || c == '~') {
      if (!out.empty() && out.back() != ' ') {
        out += ' ';
      }
    } else if (c == '$' || c == '{' || c == '}' || c == '*' || c == '"' || c == '`') {
      continue;
    } else {
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  while (!out.empty() && (out.back() == ' ' || out.back() == '.' || out.back() == ',' ||
                          out.back() == ';' || out.back() == ':')) {
    out.pop_back();
  }
  return out;
}

Result<Expression> parse_math(std::string_view text, bool has_plain_units,
                              bool signs_end_arguments) {
  R1_TRY(std::vector<Token> tokens, lex_math(text, has_plain_units));
  return parsing::Parser(std::move(tokens), signs_end_arguments).run();
}

}  // namespace r1eval
