// JPEG photographs to normalised float tensors of 224 x 224 pixels, on one thread, as the loader
// makes them of pictures that are not kept: photos_figures FOLDER [planes | interleaved].
// peers/photos.py does the same.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/files.h"
#include "common/image/decoder.h"
#include "tests/benchmark/process.h"
#include "worker/data/augment.h"
#include "worker/data/render.h"

namespace ltml {
namespace {

constexpr int kSize = 224;

std::vector<std::string> FilesOf(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> files;
  for (const auto& path : paths) files.push_back(base::ReadFile(path).value());
  return files;
}

class Maker {
 public:
  explicit Maker(data::Layout layout) : renderer_(kSize, layout), values_(3 * kSize * kSize) {}

  absl::Status Make(const std::string& file, int64_t position) {
    const auto size = decoder_.Open(std::as_bytes(std::span(file)));
    if (!size.ok()) return size.status();
    data::PositionRandom random(1, 0, position);
    const data::Augmentation augmentation =
        data::DrawAugmentation({}, size->width, size->height, random);
    const int scale = size->scales ? image::ScaleFor(augmentation.crop, kSize) : 1;
    const auto part = decoder_.Read(augmentation.crop, scale);
    if (!part.ok()) return part.status();
    return renderer_.Training(*part, scale, augmentation, values_);
  }

 private:
  image::Decoder decoder_;
  data::Renderer renderer_;
  std::vector<float> values_;
};

int Main(const std::string& folder, data::Layout layout) {
  const std::vector<std::string> files = FilesOf(folder);
  Maker maker(layout);
  int64_t position = 0;
  absl::Status status;
  const auto make = [&] {
    status.Update(maker.Make(files[static_cast<size_t>(position) % files.size()], position));
    ++position;
  };
  benchmark::Rate(0.5, make);
  const double rate = benchmark::Rate(4, make);
  fmt::print("{{\"images_per_second\": {}}}\n", rate);
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace ltml

int main(int argc, char** argv) {
  const std::string_view layout = argc == 3 ? argv[2] : "planes";
  if (argc < 2 || argc > 3 || (layout != "planes" && layout != "interleaved")) {
    std::fputs("usage: photos_figures FOLDER [planes | interleaved]\n", stderr);
    return 2;
  }
  return ltml::Main(
      argv[1], layout == "planes" ? ltml::data::Layout::kPlanes : ltml::data::Layout::kInterleaved);
}
