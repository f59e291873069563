// Reader of OpenCompass' records: predictions/MODEL/DATASET.json, with results/MODEL/DATASET.json
// beside it. Field names are the format's.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "base/file.h"
#include "harness/foreign_fields.h"

namespace r1eval::foreign {
namespace {

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 10 &&
         text.find_first_not_of("0123456789") == std::string::npos;
}

// "gsm8k_3" of gsm8k_0, gsm8k_1, …: pieces of one dataset, each counting from 0 again.
std::pair<std::string, std::int64_t> piece_of(const std::string& stem,
                                              const std::map<std::string, std::string>& stems) {
  const std::size_t at = stem.rfind('_');
  if (at != std::string::npos && is_number(stem.substr(at + 1)) &&
      !stems.contains(stem.substr(0, at)) && stems.contains(stem.substr(0, at) + "_0")) {
    return {stem.substr(0, at), std::stoll(stem.substr(at + 1))};
  }
  return {stem, 0};
}

double score_in(const Json& details, const std::string& index) {
  const Json* detail = details.is_array()
                           ? (is_number(index) ? element(&details, std::stoul(index)) : nullptr)
                           : find_member(details, index);
  if (detail == nullptr) {
    return -1;
  }
  const Json* correct = find_member(*detail, "correct");
  correct = correct == nullptr ? find_member(*detail, "is_correct") : correct;
  if (correct != nullptr && correct->is_array()) {
    correct = correct->size() == 1 ? element(correct, 0) : nullptr;
  }
  return score_of(correct);
}

}  // namespace

Result<ForeignRun> read_opencompass(const std::string& path, const ReadOptions& options) {
  ForeignRun run;
  run.losses = {"OpenCompass records neither finish reasons nor tokens nor seeds"};
  std::map<std::string, std::map<std::string, std::string>> folders;  // folder -> stem -> file
  for (const std::string& file :
       files_under(path, [](const std::string& name) { return name.ends_with(".json"); })) {
    const std::filesystem::path at(file);
    if (!is_directory(path) ||
        ("/" + at.parent_path().string() + "/").find("/predictions/") != std::string::npos) {
      folders[at.parent_path().string()][at.stem().string()] = file;
    }
  }
  if (folders.empty()) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{}: no predictions/MODEL/DATASET.json below", path));
  }
  std::vector<std::string> models;
  for (const auto& [folder, stems] : folders) {
    models.push_back(std::filesystem::path(folder).filename().string());
  }
  if (folders.size() > 1 &&
      std::find(models.begin(), models.end(), options.model) == models.end()) {
    std::string names;
    for (const std::string& model : models) {
      names += (names.empty() ? "" : ", ") + model;
    }
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: answers of several models ({}); --model picks one, or give the "
                            "folder of one",
                            path, names));
  }
  for (const auto& [folder, stems] : folders) {
    const std::string model = std::filesystem::path(folder).filename().string();
    if (folders.size() > 1 && model != options.model) {
      continue;
    }
    run.model = model;
    // Pieces in order of their number, each after those before it.
    std::map<std::pair<std::string, std::int64_t>, std::string> ordered;
    for (const auto& [stem, file] : stems) {
      ordered[piece_of(stem, stems)] = file;
    }
    std::map<std::string, std::int64_t> offsets;
    for (const auto& [name, file] : ordered) {
      R1_TRY(const Json rows, read_document(file));
      const std::string& task = name.first;
      std::string results = file;
      if (const std::size_t at = results.rfind("predictions/"); at != std::string::npos) {
        results.replace(at, 11, "results");
      }
      const Result<Json> scored = results == file ? Result<Json>(Json()) : read_document(results);
      const Json* details = scored ? find_member(*scored, "details") : nullptr;
      const std::int64_t offset = offsets[task];
      std::int64_t n = 0;
      const auto take = [&](const std::string& index, const Json& row) {
        ++n;
        const Json* prediction = find_member(row, "prediction");
        if (prediction == nullptr) {
          ++run.n_malformed;
          return;
        }
        ForeignSample s;
        s.task = task;
        s.item = is_number(index) ? std::to_string(offset + std::stoll(index)) : index;
        s.gold = one_or_more(find_member(row, "gold")).empty()
                     ? ""
                     : one_or_more(find_member(row, "gold")).front();
        read_messages(find_member(row, "origin_prompt"), s);
        const std::vector<std::string> answers = one_or_more(prediction);
        s.score = details != nullptr && answers.size() == 1 ? score_in(*details, index) : -1;
        for (const std::string& answer : answers) {
          ForeignSample one = s;
          one.response = answer;
          run.samples.push_back(std::move(one));
        }
      };
      if (rows.is_object()) {
        for (const auto& [index, row] : rows.items()) {
          take(index, row);
        }
      } else if (rows.is_array()) {
        for (std::size_t i = 0; i < rows.size(); ++i) {
          take(std::to_string(i), rows[i]);
        }
      } else {
        return fail(ErrorCode::kParse,
                    fmt::format("{}: expected an object of predictions by index", file));
      }
      offsets[task] += n;
    }
  }
  return run;
}

}  // namespace r1eval::foreign
