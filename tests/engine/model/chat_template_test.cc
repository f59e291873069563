#include "engine/model/chat_template.h"

#include <gtest/gtest.h>

#include <string>

#include "base/file.h"
#include "tests/support/shared_data.h"

namespace r1eval {
namespace {

std::string render(const std::string& source, const Json& kwargs = Json::object()) {
  const auto parsed = ChatTemplate::parse(source, "<s>", "</s>");
  if (!parsed) {
    return "PARSE " + parsed.error().message;
  }
  const auto text = parsed->render({{"user", "hi"}, {"assistant", "ho"}}, true, kwargs);
  return text ? *text : "ERROR " + text.error().message;
}

TEST(ChatTemplateTest, TrimsBlocksAndKeepsPrintedLines) {
  EXPECT_EQ(render("a\n  {% if true %}\nb\n  {% endif %}\nc"), "a\nb\nc");
  EXPECT_EQ(render("{{ 'x' }}\ny"), "x\ny");
  EXPECT_EQ(render("a  {{- 'x' -}}  b"), "axb");
}

TEST(ChatTemplateTest, LoopsKnowWhereTheyAre) {
  EXPECT_EQ(render("{% for m in messages %}{{ loop.index }}{{ m.role }}"
                   "{% if not loop.last %},{% endif %}{% endfor %}"),
            "1user,2assistant");
  EXPECT_EQ(render("{% for m in messages if m.role == 'x' %}{% else %}none{% endfor %}"), "none");
}

TEST(ChatTemplateTest, NamespacesOutliveALoopAndPlainNamesDoNot) {
  EXPECT_EQ(render("{% set ns = namespace(n=0) %}{% set n = 0 %}{% for m in messages %}"
                   "{% set ns.n = ns.n + 1 %}{% set n = 5 %}{% endfor %}{{ ns.n }}{{ n }}"),
            "20");
}

TEST(ChatTemplateTest, UndefinedPrintsNothingButHasNoMembers) {
  EXPECT_EQ(render("[{{ nothing }}]"), "[]");
  EXPECT_EQ(render("{{ nothing.x }}").substr(0, 5), "ERROR");
  EXPECT_EQ(render("{{ messages[7].x is defined }}").substr(0, 5), "ERROR");
}

TEST(ChatTemplateTest, MethodsFiltersAndSlicesWorkAsInPython) {
  EXPECT_EQ(render("{{ 'a</think>b'.split('</think>')[-1] }}"), "b");
  EXPECT_EQ(render("{{ messages[::-1][0].role }}"), "assistant");
  EXPECT_EQ(render("{{ ' x '|trim }}{{ [1,2]|join('-') }}{{ 'abc'[1:] }}"), "x1-2bc");
  EXPECT_EQ(render("{{ {'a': [1, 'é\"', true, none]}|tojson }}"),
            "{\"a\": [1, \"\xC3\xA9\\\"\", true, null]}");
  EXPECT_EQ(render("{{ -7 // 2 }} {{ -7 % 2 }} {{ 7 / 2 }}"), "-4 1 3.5");
}

TEST(ChatTemplateTest, KeywordArgumentsAreVariables) {
  const std::string source =
      "{{ 'think' if enable_thinking is defined and enable_thinking else 'no' }}";
  EXPECT_EQ(render(source, Json{{"enable_thinking", true}}), "think");
  EXPECT_EQ(render(source), "no");
}

TEST(ChatTemplateTest, ATemplateThatRaisesGivesItsWords) {
  EXPECT_NE(render("{{ raise_exception('only users') }}").find("only users"), std::string::npos);
}

TEST(ChatTemplateTest, SyntaxErrorsNameTheLine) {
  EXPECT_NE(render("a\nb{% if %}").find("line 2"), std::string::npos);
  EXPECT_NE(render("{% include 'x' %}").find("include"), std::string::npos);
}

TEST(ChatTemplateTest, HostileTemplatesAreStopped) {
  EXPECT_EQ(render(std::string(100000, '(')).substr(0, 5) != "PARSE", true);  // plain text
  EXPECT_EQ(render("{{ " + std::string(100000, '(')).substr(0, 5), "PARSE");
  EXPECT_EQ(render("{{ " + std::string(100000, '-') + "1 }}").substr(0, 5), "PARSE");
  EXPECT_EQ(
      render("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}")
          .substr(0, 5),
      "ERROR");
  EXPECT_EQ(render("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}").substr(0, 5), "ERROR");
  EXPECT_EQ(render("{{ 'x' * 999999999999 }}").substr(0, 5), "ERROR");
}

TEST(ChatTemplateTest, RendersThePublishedTemplatesAsTheirReference) {
  R1_REQUIRE_SHARED(templates_path, "conformance/tokenizers/templates/templates.json");
  R1_REQUIRE_SHARED(vectors_path, "conformance/tokenizers/templates/vectors.jsonl");
  const auto templates_text = read_file(templates_path);
  ASSERT_TRUE(templates_text.has_value());
  const auto templates = parse_json(*templates_text);
  ASSERT_TRUE(templates.has_value());
  long n = 0;
  const Status status =
      for_each_line(vectors_path, [&](std::string_view line, std::int64_t) -> Status {
        R1_TRY(const Json row, parse_json(line));
        const Json& source = (*templates)[string_or(row, "template")];
        auto parsed = ChatTemplate::parse(string_or(source, "template"),
                                          string_or(row, "bos_token"), string_or(row, "eos_token"));
        EXPECT_TRUE(parsed.has_value()) << parsed.error().message;
        if (parsed) {
          parsed->set_today("26 Jul 2024");
          const auto text =
              parsed->render_json(row["messages"], bool_or(row, "add_generation_prompt", false));
          if (row.contains("error")) {
            EXPECT_FALSE(text.has_value()) << string_or(row, "id");
          } else {
            EXPECT_TRUE(text.has_value()) << string_or(row, "id") << text.error().message;
            EXPECT_EQ(text.value_or(""), string_or(row, "expected")) << string_or(row, "id");
          }
        }
        ++n;
        return ok_status();
      });
  ASSERT_TRUE(status.has_value()) << status.error().message;
  report_cases("chat templates", n);
}

}  // namespace
}  // namespace r1eval
