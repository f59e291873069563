// Reader of openai/evals' event logs. Field names are the format's.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "harness/foreign_fields.h"

namespace r1eval::foreign {
namespace {

struct Events {
  std::vector<Json> sampling;
  std::vector<Json> match;
};

}  // namespace

Result<ForeignRun> read_openai_evals(const std::string& path, const ReadOptions& options) {
  ForeignRun run;
  run.losses = {"openai/evals records neither finish reasons nor (mostly) tokens"};
  for (const std::string& file :
       files_under(path, [](const std::string& name) { return name.ends_with(".jsonl"); })) {
    std::string task = options.task;
    std::vector<std::string> order;
    std::map<std::string, Events> by_sample;
    const Status read = for_each_object(file, run, [&](const Json& row) {
      if (const Json* spec = find_member(row, "spec")) {
        task = task.empty() ? first_of(*spec, {"base_eval", "eval_name"}) : task;
        const std::vector<std::string> models = texts_of(find_member(*spec, "completion_fns"));
        run.model = models.empty() ? text_at(*spec, "model_name") : models.front();
        run.date = text_at(*spec, "created_at");
        return;
      }
      const std::string id = text_at(row, "sample_id");
      const std::string type = text_at(row, "type");
      const Json* data = find_member(row, "data");
      if (id.empty() || data == nullptr || (type != "sampling" && type != "match")) {
        return;  // reports, metrics and errors
      }
      const auto [entry, is_new] = by_sample.try_emplace(id);
      if (is_new) {
        order.push_back(id);
      }
      (type == "sampling" ? entry->second.sampling : entry->second.match).push_back(*data);
    });
    R1_RETURN_IF_ERROR(read);
    for (const std::string& id : order) {
      const Events& events = by_sample[id];
      const bool paired = events.match.size() == events.sampling.size();
      const std::size_t from =
          !paired && events.match.size() == 1 ? events.sampling.size() - 1 : 0;  // the last turn
      for (std::size_t i = events.sampling.empty() ? 0 : from;
           i < std::max<std::size_t>(events.sampling.size(), events.sampling.empty() ? 1 : 0);
           ++i) {
        const Json* match = paired                     ? &events.match[i]
                            : events.match.size() == 1 ? &events.match[0]
                                                       : nullptr;
        ForeignSample s;
        s.task = task.empty() ? "openai_evals" : task;
        s.item = id;
        const Json* sampled = nullptr;
        if (!events.sampling.empty()) {
          const Json& data = events.sampling[i];
          read_messages(find_member(data, "prompt"), s);
          sampled = find_member(data, "sampled");
          if (const Json* usage = find_member(data, "usage")) {
            read_usage(*usage, s);
          }
        }
        if (match != nullptr) {
          const std::vector<std::string> expected = one_or_more(find_member(*match, "expected"));
          s.gold = expected.empty() ? "" : expected.front();
          s.score = score_of(find_member(*match, "correct"));
          sampled = sampled == nullptr ? find_member(*match, "sampled") : sampled;
        }
        const std::vector<std::string> answers = one_or_more(sampled);
        s.failed = answers.empty();
        s.response = answers.empty() ? "" : answers.front();
        run.samples.push_back(std::move(s));
      }
    }
  }
  return run;
}

}  // namespace r1eval::foreign
