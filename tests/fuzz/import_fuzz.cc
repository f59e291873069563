// Records of other harnesses: every reader on any bytes, under a name that it looks for.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "harness/import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  r1eval::set_log_level(r1eval::LogLevel::kError);
  static const std::string folder =
      std::filesystem::temp_directory_path() / ("r1eval-import-fuzz-" + std::to_string(::getpid()));
  const std::vector<std::string> formats = r1eval::import_formats();
  // A name for each shape: documents, lines, archives.
  static const char* const kNames[] = {"samples_t_2024-01-01T00.jsonl",
                                       "log.json",
                                       "log.eval",
                                       "predictions/m/t.jsonl",
                                       "predictions/m/t.json",
                                       "scenario_state.json",
                                       "results.jsonl",
                                       "output-rs0.jsonl",
                                       "x_eval_all.json",
                                       "generations.json",
                                       "x_allresults.json"};
  const std::string& format = formats[data[0] % formats.size()];
  const std::string name = kNames[(data[0] / formats.size()) % std::size(kNames)];
  const std::string path = folder + "/" + name;
  (void)r1eval::make_directories(path.substr(0, path.rfind('/')));
  (void)r1eval::write_file_atomic(
      path, std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1));
  (void)r1eval::read_foreign(format, path, {});
  (void)r1eval::read_foreign(format, folder, {});
  std::error_code error;
  std::filesystem::remove(path, error);
  return 0;
}
