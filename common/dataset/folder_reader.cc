#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <system_error>
#include <utility>

#include "common/base/status_macros.h"
#include "common/dataset/json.h"
#include "common/dataset/reader.h"

namespace ltml::dataset {
namespace {

bool IsHidden(const std::filesystem::path& path) { return path.filename().string()[0] == '.'; }

bool IsImageName(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

absl::Status Unreadable(const std::filesystem::path& folder, const std::error_code& error) {
  return absl::InternalError(fmt::format("cannot list the folder '{}': {}; check its permissions",
                                         folder.string(), error.message()));
}

// One folder a class; images may lie in folders below it.
class FolderReader : public Reader {
 public:
  explicit FolderReader(std::filesystem::path folder) : folder_(std::move(folder)) {}

  absl::StatusOr<Listing> Read(Faults& faults) const override {
    Listing listing;
    listing.root = folder_;
    int64_t ignored = 0;
    LTML_ASSIGN_OR_RETURN(listing.class_names, ClassFolders(faults, ignored));
    for (const std::string& name : listing.class_names) {
      LTML_RETURN_IF_ERROR(ReadClass(name, listing, ignored));
    }
    std::sort(listing.records.begin(), listing.records.end(),
              [](const Record& a, const Record& b) { return a.name < b.name; });
    if (listing.records.empty() && faults.empty()) {
      faults.Add(0, "the folder has no images; expected CLASS/FILE.jpg or CLASS/FILE.png");
    }
    if (ignored > 0) {
      listing.warnings.push_back(
          fmt::format("'{}': {} files that are not CLASS/FILE.jpg, .jpeg or .png were left out",
                      folder_.string(), ignored));
    }
    return listing;
  }

 private:
  absl::StatusOr<std::vector<std::string>> ClassFolders(Faults& faults, int64_t& ignored) const {
    std::vector<std::string> names;
    std::error_code error;
    for (auto it = std::filesystem::directory_iterator(folder_, error);
         !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
      if (IsHidden(it->path())) continue;
      const std::string name = it->path().filename().string();
      std::error_code is_error;
      if (!it->is_directory(is_error)) {
        ++ignored;
      } else if (!IsCleanText(name)) {
        faults.Add(
            0, fmt::format("the folder name {} is not printable UTF-8; rename it", Quoted(name)));
      } else {
        names.push_back(name);
      }
    }
    if (error) return Unreadable(folder_, error);
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::Status ReadClass(const std::string& name, Listing& listing, int64_t& ignored) const {
    std::error_code error;
    for (auto it = std::filesystem::recursive_directory_iterator(folder_ / name, error);
         !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
      std::error_code is_error;
      if (it->is_directory(is_error) || IsHidden(it->path())) continue;
      if (!IsImageName(it->path())) {
        ++ignored;
        continue;
      }
      Record record;
      record.name = it->path().lexically_relative(folder_).string();
      record.file = it->path();
      record.labels = {name};
      listing.records.push_back(std::move(record));
    }
    return error ? Unreadable(folder_ / name, error) : absl::OkStatus();
  }

  std::filesystem::path folder_;
};

}  // namespace

std::unique_ptr<Reader> MakeFolderReader(std::filesystem::path folder) {
  return std::make_unique<FolderReader>(std::move(folder));
}

}  // namespace ltml::dataset
