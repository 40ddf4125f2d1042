// Balanced draws from a long-tailed set: draws_figures make FILE IMAGES CLASSES writes class lists,
// as `ltml data import` does once, unless they are there; draws_figures run FILE maps them, starts
// a stream and draws. draws_figures virtual IMAGES CLASSES runs over lists that have addresses but
// no memory. peers/draws.py has the same sets.
#include <sys/mman.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "common/base/files.h"
#include "common/sampling/streams.h"
#include "tests/benchmark/process.h"

namespace ltml {
namespace {

// N_k falls as 1 / (k + 1), at least one; what rounding leaves goes to the first class.
std::vector<int64_t> Offsets(int64_t images, int64_t classes) {
  double harmonic = 0;
  for (int64_t k = 1; k <= classes; ++k) harmonic += 1.0 / static_cast<double>(k);
  std::vector<int64_t> counts(classes);
  for (int64_t k = 0; k < classes; ++k) {
    const double share = static_cast<double>(images) / (harmonic * static_cast<double>(k + 1));
    counts[k] = std::max<int64_t>(1, static_cast<int64_t>(share));
  }
  counts[0] += images - std::accumulate(counts.begin(), counts.end(), int64_t{0});
  std::vector<int64_t> offsets = {0};
  for (const int64_t count : counts) offsets.push_back(offsets.back() + count);
  return offsets;
}

// K, the offsets, and every image once, classes scattered over the whole set.
int Make(const std::string& file, int64_t images, int64_t classes) {
  const std::vector<int64_t> offsets = Offsets(images, classes);
  const uint64_t bytes =
      8 * (2 + static_cast<uint64_t>(classes)) + 4 * static_cast<uint64_t>(images);
  std::error_code missing;
  if (std::filesystem::file_size(file, missing) == bytes) return 0;
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(&classes), sizeof classes);
  out.write(reinterpret_cast<const char*>(offsets.data()),
            static_cast<std::streamsize>(offsets.size() * sizeof(int64_t)));
  const sampling::UniformStream order(1, images);
  std::vector<int64_t> draws(1 << 16);
  for (int64_t done = 0; done < images; done += std::ssize(draws)) {
    draws.resize(std::min<int64_t>(std::ssize(draws), images - done));
    order.ImagesAt(done, draws);
    const std::vector<uint32_t> part(draws.begin(), draws.end());
    out.write(reinterpret_cast<const char*>(part.data()),
              static_cast<std::streamsize>(part.size() * sizeof(uint32_t)));
  }
  return out.flush() ? 0 : 1;
}

int64_t AnonymousBytes() { return benchmark::StatusBytes("RssAnon"); }

// Prints the figures of a stream that `start` makes.
template <typename Start>
int Run(Start&& start) {
  const int64_t before = AnonymousBytes();
  std::vector<int64_t> draws(1 << 12);
  absl::StatusOr<sampling::RebalancedStream> stream = absl::UnknownError("");
  const benchmark::Cost cost = benchmark::Measure([&] {
    stream = start();
    if (stream.ok()) stream->ImagesAt(0, std::span(draws).first(1));
  });
  if (!stream.ok()) return 1;
  int64_t position = 0;
  const double batches = benchmark::Rate(2, [&] {
    stream->ImagesAt(position, draws);
    position += std::ssize(draws);
  });
  const double memory = static_cast<double>(AnonymousBytes() - before) / 1e6;
  fmt::print("{{\"start_seconds\": {}, \"memory_mb\": {}, \"draws_per_second\": {}}}\n",
             cost.seconds, memory, batches * static_cast<double>(draws.size()));
  return 0;
}

int RunFile(const std::string& file) {
  base::MappedFile mapped;
  return Run([&]() -> absl::StatusOr<sampling::RebalancedStream> {
    auto opened = base::MappedFile::Open(file);
    if (!opened.ok()) return opened.status();
    mapped = *std::move(opened);
    const auto* numbers = reinterpret_cast<const int64_t*>(mapped.bytes().data());
    const auto classes = static_cast<size_t>(numbers[0]);
    const std::span<const int64_t> offsets(numbers + 1, classes + 1);
    const auto* images = reinterpret_cast<const uint32_t*>(offsets.data() + offsets.size());
    return sampling::RebalancedStream::Create(
        1, {offsets, {images, static_cast<size_t>(offsets.back())}});
  });
}

int RunVirtual(int64_t images, int64_t classes) {
  const std::vector<int64_t> offsets = Offsets(images, classes);
  const size_t bytes = static_cast<size_t>(images) * sizeof(uint32_t);
  void* lists = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (lists == MAP_FAILED) return 1;
  return Run([&] {
    return sampling::RebalancedStream::Create(
        1, {offsets, {static_cast<const uint32_t*>(lists), static_cast<size_t>(images)}});
  });
}

}  // namespace
}  // namespace ltml

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "make" && argc == 5) {
    return ltml::Make(argv[2], std::atoll(argv[3]), std::atoll(argv[4]));
  }
  if (what == "run" && argc == 3) return ltml::RunFile(argv[2]);
  if (what == "virtual" && argc == 4)
    return ltml::RunVirtual(std::atoll(argv[2]), std::atoll(argv[3]));
  std::fputs("usage: draws_figures make FILE IMAGES CLASSES | run FILE | virtual IMAGES CLASSES\n",
             stderr);
  return 2;
}
