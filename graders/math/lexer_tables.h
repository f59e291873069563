// What the tokenizer knows by name: characters, commands, delimiters, words.
#pragma once

#include <array>
#include <string_view>

#include "graders/math/lexer.h"

namespace r1eval::lexing {

struct Mapping {
  std::string_view bytes;
  std::string_view replacement;  // lexed in its place
};

inline constexpr std::array<Mapping, 130> kUnicode = {{
    {"Ɛ", "\\epsilon "},
    {"ε", "\\epsilon "},
    {"ϵ", "\\epsilon "},
    {"ζ", "\\zeta "},
    {"η", "\\eta "},
    {"κ", "\\kappa "},
    {"ν", "\\nu "},
    {"ξ", "\\xi "},
    {"τ", "\\tau "},
    {"χ", "\\chi "},
    {"ψ", "\\psi "},
    {"ϕ", "\\phi "},
    {"Γ", "\\Gamma "},
    {"Δ", "\\Delta "},
    {"Θ", "\\Theta "},
    {"Λ", "\\Lambda "},
    {"Σ", "\\Sigma "},
    {"Φ", "\\Phi "},
    {"Ψ", "\\Psi "},
    {"Ω", "\\Omega "},
    {"ℂ", "\\mathbb{C}"},
    {"∉", "\\notin "},
    {"∣", "\\mid "},
    {"∀", "\\forall "},
    {"∠", "\\angle "},
    {"…", "\\ldots "},
    {"−", "-"},
    {"–", "-"},
    {"—", "-"},
    {"×", "*"},
    {"·", "*"},
    {"⋅", "*"},
    {"÷", "/"},
    {"√", "\\sqrt "},
    {"π", "\\pi "},
    {"∞", "\\infty "},
    {"≤", "\\le "},
    {"≥", "\\ge "},
    {"≠", "\\ne "},
    {"∪", "\\cup "},
    {"∩", "\\cap "},
    {"∈", "\\in "},
    {"∅", "\\emptyset "},
    {"∖", "\\setminus "},
    {"→", "\\to "},
    {"≡", "\\equiv "},
    {"∫", "\\int "},
    {"∑", "\\sum "},
    {"∏", "\\prod "},
    {"∂", "\\partial "},
    {"°", "\\degree "},
    {"½", "\\frac{1}{2}"},
    {"⅓", "\\frac{1}{3}"},
    {"⅔", "\\frac{2}{3}"},
    {"¼", "\\frac{1}{4}"},
    {"¾", "\\frac{3}{4}"},
    {"⅕", "\\frac{1}{5}"},
    {"⅛", "\\frac{1}{8}"},
    {"⅙", "\\frac{1}{6}"},
    {"±", "\\pm "},
    {"∓", "\\mp "},
    {"≈", "\\approx "},
    {"θ", "\\theta "},
    {"α", "\\alpha "},
    {"β", "\\beta "},
    {"γ", "\\gamma "},
    {"δ", "\\delta "},
    {"λ", "\\lambda "},
    {"μ", "\\mu "},
    {"φ", "\\varphi "},
    {"ω", "\\omega "},
    {"σ", "\\sigma "},
    {"ρ", "\\rho "},
    {"ℝ", "\\mathbb{R}"},
    {"ℤ", "\\mathbb{Z}"},
    {"ℕ", "\\mathbb{N}"},
    {"ℚ", "\\mathbb{Q}"},
    {"€", " "},
    {"£", " "},
    {"¥", " "},
    {"。", "."},
    {"⌊", "\\lfloor "},
    {"⌋", "\\rfloor "},
    {"⟨", "\\langle "},
    {"⟩", "\\rangle "},
    {"△", "-"},
    {"▲", "-"},
    {"‐", "-"},
    {"‑", "-"},
    {"‒", "-"},
    {"―", "-"},
    {"⁄", "/"},
    {"∕", "/"},
    {"∙", "*"},
    {"•", "*"},
    {"∗", "*"},
    {"⩽", "\\le "},
    {"≦", "\\le "},
    {"⩾", "\\ge "},
    {"≧", "\\ge "},
    {"∛", "\\cbrt "},
    {"∜", "\\sqrt[4]"},
    {"∶", ":"},
    {"º", "\\degree "},
    {"˚", "\\degree "},
    {"⌈", "\\lceil "},
    {"⌉", "\\rceil "},
    {"≅", "\\cong "},
    {"⅐", "\\frac{1}{7}"},
    {"⅑", "\\frac{1}{9}"},
    {"⅒", "\\frac{1}{10}"},
    {"⅖", "\\frac{2}{5}"},
    {"⅗", "\\frac{3}{5}"},
    {"⅘", "\\frac{4}{5}"},
    {"⅚", "\\frac{5}{6}"},
    {"⅜", "\\frac{3}{8}"},
    {"⅝", "\\frac{5}{8}"},
    {"⅞", "\\frac{7}{8}"},
    {"∆", "\\Delta "},
    {"₹", " "},
    {"₽", " "},
    {"₩", " "},
    {"￥", " "},
    {"‘", "'"},
    {"’", "'"},
    {"“", "\""},
    {"”", "\""},
    {"、", ","},
    {"；", ";"},
    {"∘", "\\degree "},
}};

inline constexpr std::array<std::string_view, 54> kDropped = {
    "mleft",      "mright",   "bigm",      "Bigm",         "left",         "right",
    "big",        "Big",      "bigl",      "bigr",         "Bigl",         "Bigr",
    "bigg",       "biggl",    "biggr",     "Bigg",         "displaystyle", "textstyle",
    "limits",     "nolimits", "quad",      "qquad",        "phantom",      "hspace",
    "rm",         "bf",       "it",        "scriptstyle",  "mathord",      "middle",
    "hfill",      "nonumber", "thinspace", "enspace",      "medspace",     "boldsymbol",
    "ensuremath", "strut",    "large",     "Large",        "LARGE",        "huge",
    "Huge",       "small",    "tiny",      "footnotesize", "normalsize",   "color",
    "textcolor",  "vspace",   "tag",       "label",        "negthinspace", "allowbreak"};

// Of those, the ones whose argument goes with them.
inline constexpr std::array<std::string_view, 7> kDroppedWithArgument = {
    "hspace", "phantom", "color", "textcolor", "vspace", "tag", "label"};

// Commands whose argument stands for itself.
inline constexpr std::array<std::string_view, 13> kTransparent = {
    "mathrm", "mathbf", "operatorname",  "mathit", "boxed",     "fbox",  "mathsf",
    "bm",     "mathop", "displaylimits", "mathtt", "underline", "answer"};
inline constexpr std::array<std::string_view, 12> kTextCommands = {
    "text", "textbf", "mbox",   "textnormal", "textit", "textrm",
    "hbox", "texttt", "textsf", "textup",     "emph",   "textsc"};

// Letter runs of plain text that are names of constants, symbols or constructions; functions are in
// function_names.h.
inline constexpr std::array<std::string_view, 25> kPlainNames = {
    "sqrt",  "pi",    "infty",  "infinity", "oo",    "inf",  "theta", "alpha", "beta",
    "gamma", "delta", "lambda", "omega",    "phi",   "psi",  "sigma", "rho",   "tau",
    "mu",    "eps",   "lfloor", "rfloor",   "binom", "frac", "choose"};

// Words that part several answers, name units or numbers: never a product of letters.
inline constexpr std::array<std::string_view, 62> kWords = {
    "and",   "or",  "cm",  "mm",   "km",   "kg",   "mg",  "ft",   "in",   "yd",   "mi",
    "lb",    "oz",  "ml",  "pm",   "am",   "pct",  "hr",  "hrs",  "min",  "mins", "sec",
    "secs",  "deg", "rad", "day",  "yes",  "no",   "odd", "even", "of",   "cup",  "men",
    "mph",   "rpm", "per", "sq",   "the",  "if",   "not", "dog",  "cat",  "red",  "mod",
    "kmh",   "gal", "usd", "eur",  "Yes",  "No",   "Odd", "Even", "None", "True", "False",
    "North", "Hz",  "dm",  "inch", "foot", "feet", "all"};

// Delimiters by name, and the token each one is. They are also found glued to what follows
// ("\\lvertx"), as converters of documents leave them.
struct Delimiter {
  std::string_view name;
  TokenKind kind;
  std::string_view token;
};

inline constexpr std::array<Delimiter, 19> kDelimiters = {
    {{"lbrace", TokenKind::kOperator, "\\{"},
     {"rbrace", TokenKind::kOperator, "\\}"},
     {"lbrack", TokenKind::kOperator, "["},
     {"rbrack", TokenKind::kOperator, "]"},
     {"lgroup", TokenKind::kOperator, "("},
     {"rgroup", TokenKind::kOperator, ")"},
     {"lparen", TokenKind::kOperator, "("},
     {"rparen", TokenKind::kOperator, ")"},
     {"ulcorner", TokenKind::kCommand, "lceil"},
     {"urcorner", TokenKind::kCommand, "rceil"},
     {"llcorner", TokenKind::kCommand, "lfloor"},
     {"lrcorner", TokenKind::kCommand, "rfloor"},
     {"lvert", TokenKind::kCommand, "lvert"},
     {"vert", TokenKind::kCommand, "vert"},
     {"rvert", TokenKind::kCommand, "rvert"},
     {"lfloor", TokenKind::kCommand, "lfloor"},
     {"rfloor", TokenKind::kCommand, "rfloor"},
     {"lceil", TokenKind::kCommand, "lceil"},
     {"rceil", TokenKind::kCommand, "rceil"}}};

}  // namespace r1eval::lexing
