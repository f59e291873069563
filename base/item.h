// Item: one dataset row, as prompts and graders need it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace r1eval {

struct Item {
  std::string id;  // unique within its task and stable over releases of the data
  std::string
      question;        // the problem text, stripped of surrounding white space where the task says
  std::string target;  // the right answer: LaTeX or text for mathematics, a letter (in the order of
                       // `choices`) for multiple choice, empty for code
  std::vector<std::string>
      choices;  // option texts in the dataset's order; empty if not a choice item
  std::int64_t correct_choice = -1;  // index into `choices`, -1 if not a choice item
  std::string cluster;  // items that share a stimulus share this name; empty: the item alone
  std::string stratum;  // fixed, always complete part of the set (MMLU subject); empty: none
  std::map<std::string, std::string> metadata;  // subject, level, difficulty, …: for breakdowns
  std::string tests;  // code items: the tests as a JSON text, in the fields of the task's dataset

  // Where a row with large tests lies, which are then not in `tests` (tasks/dataset_store.h,
  // read_item_tests); an empty path: `tests` has them.
  std::string row_path;
  std::int64_t row_offset = 0;  // bytes
  std::int64_t row_bytes = 0;
};

}  // namespace r1eval
