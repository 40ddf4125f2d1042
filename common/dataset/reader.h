#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/dataset/faults.h"

namespace ltml::dataset {

// One image of a source.
struct Record {
  std::string name;                 // its path as the source gives it
  std::filesystem::path file;       // where it lies on disk
  std::vector<std::string> labels;  // class names, as given
  int64_t line = 0;                 // in the source; 0 when that has no lines
};

// All that a source says.
struct Listing {
  std::vector<Record> records;
  // Classes that the source names apart from its images, such as empty class folders.
  std::vector<std::string> class_names;
  std::vector<std::string> warnings;
  // No image may lie outside this folder.
  std::filesystem::path root;
};

// Reads the list of one source format.  Knows nothing of class tables, decoding or storage, so a
// format is one file.
class Reader {
 public:
  virtual ~Reader() = default;
  // What can be said of one line goes to `faults`, and reading goes on; an error means that the
  // source as a whole cannot be read.
  virtual absl::StatusOr<Listing> Read(Faults& faults) const = 0;
};

struct SourceOptions {
  std::filesystem::path source;
  std::string format = "auto";
  std::filesystem::path images;  // empty: the source's folder
};

// InvalidArgument for an unknown format and for one that this version lacks.
absl::Status CheckFormat(std::string_view format);

// The reader for `options.format`, or for what the source looks like.
absl::StatusOr<std::unique_ptr<Reader>> MakeReader(const SourceOptions& options);

std::unique_ptr<Reader> MakeJsonlReader(std::filesystem::path list, std::filesystem::path images);
std::unique_ptr<Reader> MakeFolderReader(std::filesystem::path folder);

}  // namespace ltml::dataset
