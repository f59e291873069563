// Reader of generic JSON lines, as the command line contract has them. Field names are the
// format's.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "harness/foreign_fields.h"

namespace r1eval::foreign {

Result<ForeignRun> read_jsonl(const std::string& path) {
  ForeignRun run;
  std::int64_t number = 0;
  for (const std::string& file :
       files_under(path, [](const std::string& name) { return name.ends_with(".jsonl"); })) {
    const Status read = for_each_object(file, run, [&](const Json& row) {
      ++number;
      ForeignSample s;
      s.task = first_of(row, {"task"});
      s.item = text_at(row, "item");
      const Json* response = find_member(row, "response");
      if (s.task.empty() || s.item.empty() || response == nullptr || !response->is_string()) {
        if (++run.n_malformed <= 5) {
          log_warning(
              fmt::format("{}: record {}: needs task, item and response; left out", file, number));
        }
        return;
      }
      s.response = response->get<std::string>();
      s.sample = int_or(row, "sample", -1);
      s.gold = text_at(row, "gold");
      s.prompt = text_at(row, "prompt");
      s.question = first_of(row, {"question"});
      s.thinking = text_at(row, "thinking");
      s.finish_reason = text_at(row, "finish_reason");
      s.choices = texts_of(find_member(row, "choices"));
      s.subject = text_at(row, "subject");
      s.cluster = text_at(row, "cluster");
      s.seed = static_cast<std::uint64_t>(std::max<std::int64_t>(0, int_or(row, "seed", 0)));
      s.score = score_of(find_member(row, "correct"));
      if (const Json* usage = find_member(row, "usage")) {
        read_usage(*usage, s);
      }
      if (run.model.empty()) {
        run.model = text_at(row, "model");
      }
      run.samples.push_back(std::move(s));
    });
    R1_RETURN_IF_ERROR(read);
  }
  return run;
}

}  // namespace r1eval::foreign
