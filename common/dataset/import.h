#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ltml/v1/dataset.pb.h"

namespace ltml::dataset {

struct ImportOptions {
  std::filesystem::path source;       // a .jsonl file, or a folder of class folders
  std::filesystem::path destination;  // must not exist or be an empty folder
  std::string format = "auto";        // auto, jsonl, folder
  std::filesystem::path images;   // where relative image paths start; empty: the source's folder
  std::filesystem::path classes;  // class table file or imported data set; empty: names sorted
  int resize_short_side = 0;      // 0 keeps the encoded file as it is
  bool skip_bad_images = false;   // instead of failing; each is listed in the result
  // Called now and then with (images done, images in all).
  std::function<void(int64_t, int64_t)> progress;
  // Asked as often; true makes Import clean up and return Cancelled.
  std::function<bool()> stop;
};

struct ImportResult {
  v1::DatasetInfo info;
  std::vector<std::string> warnings;  // classes without an image, skipped images
};

// Reads the source, checks every image by decoding it, and writes the data set folder: complete or
// absent (temporary name beside the destination, then rename).  InvalidArgument lists the faults of
// the source, each with file, line, what is wrong and the cure (at most 20, then a count).
absl::StatusOr<ImportResult> Import(const ImportOptions& options);

// Faults found by decoding every image again: "name: reason".
struct CheckResult {
  std::vector<std::string> bad_images;
  std::vector<std::string> suspicious;  // images without labels, classes without images, duplicates
};
class Dataset;
absl::StatusOr<CheckResult> Check(const Dataset& dataset,
                                  const std::function<void(int64_t, int64_t)>& progress);

}  // namespace ltml::dataset
