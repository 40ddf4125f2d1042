#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/dataset/class_table.h"
#include "common/dataset/faults.h"
#include "common/dataset/reader.h"

namespace ltml::dataset {

// A record whose path may be read, with its labels as numbers.
struct Candidate {
  const Record* record = nullptr;
  std::vector<uint32_t> classes;  // ascending
};

// What can be said of the records without touching their files: paths that are empty, absolute,
// outside the root or used twice; labels that are empty, unknown or used twice in a row.  Returns
// the records whose pictures can be looked at, also those with wrong labels, so that faults of
// pictures are found in the same run.  They point into `listing`.
std::vector<Candidate> CheckRecords(const Listing& listing, const ClassTable& table,
                                    Faults& faults);

}  // namespace ltml::dataset
