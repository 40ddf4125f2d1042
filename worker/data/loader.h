#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <memory_resource>

#include "absl/status/statusor.h"
#include "common/dataset/dataset.h"
#include "worker/data/to_tensor.h"
#include "worker/train/batch_source.h"

namespace ltml::data {

struct LoaderOptions {
  uint64_t seed = 1;
  int64_t global_batch = 32;  // images of each stream and step, over all ranks
  int rank = 0;
  int world_size = 1;
  int image_size = 224;
  bool use_uniform = true;
  bool use_rebalanced = true;
  int64_t first_step = 0;  // where the run begins or goes on
  int64_t steps = 0;       // of the whole run: batches [first_step, steps) are made
  int threads = 1;
  bool apply_orientation = true;
  std::array<double, 2> crop_scale = {0.08, 1.0};
  std::array<double, 2> crop_ratio = {3.0 / 4.0, 4.0 / 3.0};
  double flip = 0.5;
  double jitter = 0.4;
  Layout layout = Layout::kPlanes;           // of an image's values
  int queue_batches = 3;                     // batches in memory, the one in use included
  int64_t cache_bytes = int64_t{256} << 20;  // for decoded images, of this rank
  // Where pixels and labels of batches lie; must outlive the source.
  std::pmr::memory_resource* memory = std::pmr::get_default_resource();
};

// This rank's slice of every global step, decoded, augmented (augment.h) and normalised ahead of
// the trainer by `threads` threads.  A batch is a pure function of (data set, seed, global_batch,
// rank, world_size, step, augmentation and layout): not of threads, queue, cache or first_step. The
// rows of all ranks, concatenated per stream in rank order, are the same for any world size.
// An image drawn by both streams in one step is decoded once.  Only what a crop needs of a JPEG is
// decoded, at the scale that image::ScaleFor tells for crop and image_size (docs/method.md), unless
// the picture is small and kept.
// InvalidArgument for options out of range or a data set without an image to draw.  An undecodable
// image is reported by Next of the step that needs it; damage below what a step needs goes
// unnoticed
// (`ltml data check` finds it).  Next is for one thread.
absl::StatusOr<std::unique_ptr<train::BatchSource>> MakeLoader(
    std::shared_ptr<const dataset::Dataset> dataset, const LoaderOptions& options);

struct EvaluationOptions {
  int64_t batch = 32;
  int image_size = 224;
  bool apply_orientation = true;
  int threads = 1;
  int rank = 0;  // batches are made ahead in steps of world_size, as this rank asks for them
  int world_size = 1;
  Layout layout = Layout::kPlanes;
  int queue_batches = 3;
  std::pmr::memory_resource* memory = std::pmr::get_default_resource();  // as LoaderOptions
};

// All images of a data set in order, each with its short side resized to round(image_size * 256 /
// 224), cut to the centre image_size x image_size, normalised; always decoded at full size.  Load
// is for one thread; the pointer it returns stays valid until the next call.
absl::StatusOr<std::unique_ptr<train::EvaluationSource>> MakeEvaluationSource(
    std::shared_ptr<const dataset::Dataset> dataset, const EvaluationOptions& options);

}  // namespace ltml::data
