#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/dataset/import_records.h"

namespace ltml::dataset {

// A picture as it will be stored, or why not.
struct PreparedImage {
  std::string fault;           // empty: none
  bool may_be_skipped = true;  // of a fault: the picture is missing or damaged, the list is not
  std::string bytes;
  std::string_view extension;  // "jpg" or "png", by content
};

struct PrepareOptions {
  std::filesystem::path root;  // canonical; no picture may lie outside, through a link either
  int resize_short_side = 0;   // 0: as it is
};

// Reads, decodes and perhaps shrinks each candidate's picture, on several threads; results in the
// order of the candidates and independent of the threads.
std::vector<PreparedImage> PrepareImages(std::span<const Candidate> candidates,
                                         const PrepareOptions& options);

}  // namespace ltml::dataset
