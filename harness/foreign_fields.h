// What the readers of other harnesses' files share: fields read leniently, files found by name.
//
// A missing field is unknown, never a failure; a line that is no JSON is counted and left out.
// Scores are in [0, 1], or -1 where there is none.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "harness/import.h"

namespace r1eval::foreign {

std::string text_of(const Json* value);  // a string as it is, other values as JSON, null as ""
std::string text_at(const Json& object, std::string_view key);

// The first of the fields that is there and not empty.
std::string first_of(const Json& object, std::initializer_list<std::string_view> keys);

std::vector<std::string> texts_of(const Json* list);

// A list of texts, or one text as a list of one.
std::vector<std::string> one_or_more(const Json* value);

// The i-th of a list; nullptr where there is no list or it is shorter.
const Json* element(const Json* list, std::size_t i);

// The value at a path of member names and list positions: "model_response.text.0".
const Json* at_path(const Json& object, std::string_view path);

// "length" for the words that harnesses have for it (max_tokens, model_length, …), else as it is.
std::string finish_of(std::string_view word);

// What was sent: `prompt` is all of it, `question` the last user turn. Roles as in chat requests;
// the text of a turn under "content" or "prompt".
void read_messages(const Json* messages, ForeignSample& sample);

// What the user says beside the format.
struct ReadOptions {
  std::string task;                        // of records that do not name theirs
  std::string model;                       // where a file holds several
  std::map<std::string, std::string> map;  // jsonl: our field -> path of theirs
};

// A score as harnesses write it: a number, a truth value, "C"/"I"/"P"/"N" as inspect does.
double score_of(const Json* value);

void read_usage(const Json& usage, ForeignSample& sample);

// Content of a message: a text, or a list of parts of which some are reasoning.
void read_content(const Json* content, std::string& text, std::string& thinking);

// Errors: kResourceExhausted above 2 GiB, kParse with the path.
Result<Json> read_document(const std::string& path);

// Files under `path` (or `path` itself) whose name fits, in order of name.
std::vector<std::string> files_under(const std::string& path,
                                     const std::function<bool(const std::string&)>& fits);

// Objects of a file of JSON lines, or of a JSON document that is one list of them.
Status for_each_object(const std::string& path, ForeignRun& run,
                       const std::function<void(const Json&)>& take);

// The readers, one a format (import_NAME.cc); `path` exists.
Result<ForeignRun> read_jsonl(const std::string& path, const ReadOptions& options);
Result<ForeignRun> read_lm_eval(const std::string& path, const ReadOptions& options);
Result<ForeignRun> read_inspect(const std::string& path, const ReadOptions& options);
Result<ForeignRun> read_evalscope(const std::string& path, const ReadOptions& options);
Result<ForeignRun> read_lcb(const std::string& path, const ReadOptions& options);
Result<ForeignRun> read_nemo(const std::string& path, const ReadOptions& options);
Result<ForeignRun> read_nemo_skills(const std::string& path, const ReadOptions& options);
Result<ForeignRun> read_simple_evals(const std::string& path, const ReadOptions& options);
Result<ForeignRun> read_openai_evals(const std::string& path, const ReadOptions& options);
Result<ForeignRun> read_helm(const std::string& path, const ReadOptions& options);
Result<ForeignRun> read_opencompass(const std::string& path, const ReadOptions& options);
Result<ForeignRun> read_lighteval(const std::string& path, const ReadOptions& options);
Result<ForeignRun> read_promptfoo(const std::string& path, const ReadOptions& options);
Result<ForeignRun> read_evalplus(const std::string& path, const ReadOptions& options);
Result<ForeignRun> read_bigcode(const std::string& path, const ReadOptions& options);

}  // namespace r1eval::foreign
