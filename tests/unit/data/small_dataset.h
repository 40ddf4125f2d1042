#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/base/files.h"
#include "common/dataset/dataset.h"
#include "common/dataset/import.h"
#include "common/image/image.h"
#include "fmt/format.h"
#include "gtest/gtest.h"

namespace ltml::data {

// A data set of `images` small JPEGs in a folder of its own.  Image i carries class i mod 3, every
// fifth one class 3 too; sizes and colours differ.
class SmallDataset {
 public:
  // Sides are multiplied by `enlarge`.
  explicit SmallDataset(int images, int enlarge = 1) : enlarge_(enlarge) {
    auto folder = base::PrivateFolder::Create("ltml-data");
    EXPECT_TRUE(folder.ok()) << folder.status();
    folder_ = *std::move(folder);
    std::string list;
    for (int i = 0; i < images; ++i) {
      WriteImage(i);
      list += fmt::format("{{\"image\": \"{}.jpg\", \"labels\": [\"c{}\"{}]}}\n", i, i % 3,
                          i % 5 == 0 ? ", \"c3\"" : "");
    }
    EXPECT_TRUE(base::WriteFileAtomically(folder_.path() / "list.jsonl", list).ok());
    dataset::ImportOptions options;
    options.source = folder_.path() / "list.jsonl";
    options.destination = set_folder();
    const auto imported = dataset::Import(options);
    EXPECT_TRUE(imported.ok()) << imported.status();
  }

  std::filesystem::path set_folder() const { return folder_.path() / "set"; }

  std::shared_ptr<const dataset::Dataset> Open() const {
    auto opened = dataset::Dataset::Open(set_folder());
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? *opened : nullptr;
  }

  // Overwrites the first bytes of an image inside its shard.
  void Damage(int image) const {
    const auto set = Open();
    const auto bytes = set->bytes(image);
    const std::string start(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    for (const auto& shard : set->info().shards()) {
      const auto file = set_folder() / shard.file();
      std::string content = *base::ReadFile(file);
      const size_t at = content.find(start);
      if (at == std::string::npos) continue;
      content.replace(at, 4, "lost");
      EXPECT_TRUE(base::WriteFileAtomically(file, content).ok());
      return;
    }
    ADD_FAILURE() << "image " << image << " is in no shard";
  }

 private:
  void WriteImage(int i) {
    image::Image image{enlarge_ * (20 + i % 7), enlarge_ * (16 + i % 5), {}};
    for (int p = 0; p < image.width * image.height; ++p) {
      for (int c = 0; c < 3; ++c) {
        image.rgb.push_back(static_cast<uint8_t>(40 * c + 11 * i + 5 * (p % image.width)));
      }
    }
    const auto file = image::EncodeJpeg(image, 95);
    EXPECT_TRUE(file.ok()) << file.status();
    const std::string_view text(reinterpret_cast<const char*>(file->data()), file->size());
    EXPECT_TRUE(base::WriteFileAtomically(folder_.path() / fmt::format("{}.jpg", i), text).ok());
  }

  int enlarge_;
  base::PrivateFolder folder_;
};

}  // namespace ltml::data
