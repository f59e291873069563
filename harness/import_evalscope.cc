// Reader of evalscope's records. Field names are the format's.
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <utility>

#include "harness/foreign_fields.h"

namespace r1eval::foreign {

Result<ForeignRun> read_evalscope(const std::string& path, const ReadOptions& /*options*/) {
  ForeignRun run;
  run.losses = {"evalscope's reviews hold no seeds"};

  struct Review {
    double score = -1;
    std::string target;
    std::string group;             // the item, where repeats have an index each
    std::int64_t generation = -1;  // which of its repeats
  };

  std::map<std::string, Review> reviews;  // by "dataset\nindex\nn-th of that index"
  std::map<std::string, int> times;
  const auto dataset_of = [](const std::string& file) {
    return std::filesystem::path(file).stem().string();
  };
  const auto is_below = [](const std::string& file, const std::string& folder) {
    return ("/" + file).find("/" + folder + "/") != std::string::npos;
  };
  const std::vector<std::string> files =
      files_under(path, [](const std::string& name) { return name.ends_with(".jsonl"); });
  for (const std::string& file : files) {
    if (!is_below(file, "reviews")) {
      continue;
    }
    const Status read = for_each_object(file, run, [&](const Json& row) {
      const std::string key = dataset_of(file) + "\n" + text_at(row, "index");
      Review review;
      const std::vector<std::string> targets = one_or_more(find_member(row, "target"));
      review.target = targets.empty() ? "" : targets.front();
      if (const Json* sample = find_member(row, "sample_score")) {
        review.group = text_at(*sample, "group_id");
        review.generation = int_or(*sample, "generation_index", -1);
        const Json* score = find_member(*sample, "score");
        const Json* value = score == nullptr ? nullptr : find_member(*score, "value");
        if (value != nullptr && value->is_object() && !value->empty()) {
          const std::string main = score == nullptr ? "" : text_at(*score, "main_score_name");
          const bool is_verdict = !main.starts_with("Rouge") && !main.starts_with("bleu");
          // Of several numbers (BLEU, ROUGE, …) only one that says right or wrong.
          for (const std::string_view name :
               {is_verdict ? std::string_view(main) : std::string_view(), std::string_view("acc"),
                std::string_view("accuracy"), std::string_view("exact_match"),
                std::string_view("pass")}) {
            if (const Json* named = name.empty() ? nullptr : find_member(*value, name);
                named != nullptr && review.score < 0) {
              review.score = score_of(named);
            }
          }
          if (review.score < 0 && value->size() == 1) {
            review.score = score_of(&*value->begin());
          }
        }
      }
      reviews[fmt::format("{}\n{}", key, times[key]++)] = review;
    });
    R1_RETURN_IF_ERROR(read);
  }
  times.clear();
  bool any = false;
  for (const std::string& file : files) {
    if (!is_below(file, "predictions")) {
      continue;
    }
    any = true;
    const Status read = for_each_object(file, run, [&](const Json& row) {
      ForeignSample s;
      s.task = dataset_of(file);
      s.item = text_at(row, "index");
      const std::string key = s.task + "\n" + s.item;
      s.sample = times[key]++;
      const Json* output = find_member(row, "model_output");
      const Json* choices = output == nullptr ? nullptr : find_member(*output, "choices");
      if (run.model.empty()) {
        run.model = text_at(row, "model");
      }
      // Before version 1 the choices stood in the row itself.
      const Json* first = element(choices == nullptr ? find_member(row, "choices") : choices, 0);
      if (first == nullptr) {
        s.failed = true;
      } else {
        const Json& choice = *first;
        if (const Json* message = find_member(choice, "message")) {
          read_content(find_member(*message, "content"), s.response, s.thinking);
        }
        const std::string stop = first_of(choice, {"stop_reason", "finish_reason"});
        s.finish_reason = finish_of(stop);
        if (output != nullptr) {
          if (const Json* usage = find_member(*output, "usage")) {
            read_usage(*usage, s);
          }
          s.seconds = double_or(*output, "time", -1);
        }
      }
      read_messages(find_member(row, "messages"), s);
      if (const Json* metadata = find_member(row, "metadata")) {
        s.subject = first_of(*metadata, {"subject", "category", "subset_name"});
      }
      const auto review = reviews.find(fmt::format("{}\n{}", key, s.sample));
      if (review != reviews.end()) {
        s.gold = review->second.target;
        s.score = review->second.score;
        if (!review->second.group.empty() && review->second.generation >= 0) {
          s.item = review->second.group;
          s.sample = review->second.generation;
        }
      }
      run.samples.push_back(std::move(s));
    });
    R1_RETURN_IF_ERROR(read);
  }
  if (!any) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{}: no predictions/MODEL/DATASET.jsonl below", path));
  }
  return run;
}

}  // namespace r1eval::foreign
