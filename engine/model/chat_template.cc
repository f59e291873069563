#include "engine/model/chat_template.h"

#include <utility>

#include "engine/model/jinja_ast.h"
#include "engine/model/jinja_render.h"

namespace r1eval {

const char* const kChatMlTemplate =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ "
    "'<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{% endif %}";

struct ChatTemplate::Parsed {
  jinja::Body body;
};

ChatTemplate::ChatTemplate() = default;
ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

Result<ChatTemplate> ChatTemplate::parse(std::string source, std::string bos_text,
                                         std::string eos_text) {
  Result<jinja::Body> body = jinja::parse(source);
  if (!body) {
    return body.error().with_context("chat template");
  }
  ChatTemplate out;
  out.source_ = std::move(source);
  out.bos_text_ = std::move(bos_text);
  out.eos_text_ = std::move(eos_text);
  auto parsed = std::make_shared<Parsed>();
  parsed->body = std::move(body).value();
  out.parsed_ = std::move(parsed);
  return out;
}

Result<std::string> ChatTemplate::render(const std::vector<ChatMessage>& messages,
                                         bool add_generation_prompt, const Json& kwargs) const {
  Json list = Json::array();
  for (const ChatMessage& message : messages) {
    list.push_back({{"role", message.role}, {"content", message.content}});
  }
  return render_json(list, add_generation_prompt, kwargs);
}

Result<std::string> ChatTemplate::render_json(const Json& messages, bool add_generation_prompt,
                                              const Json& kwargs) const {
  OrderedJson variables = OrderedJson::object();
  variables["messages"] = OrderedJson(messages);
  variables["add_generation_prompt"] = add_generation_prompt;
  variables["bos_token"] = bos_text_;
  variables["eos_token"] = eos_text_;
  if (kwargs.is_object()) {
    for (const auto& [key, value] : kwargs.items()) {
      variables[key] = OrderedJson(value);
    }
  }
  return jinja::render(parsed_->body, variables, today_);
}

}  // namespace r1eval
