#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/base/files.h"
#include "common/config/job_file.h"

namespace ltml::config {

// A job file of its own folder; gone with it.
class JobText {
 public:
  explicit JobText(const std::string& text)
      : folder_(*base::PrivateFolder::Create("ltml-config")), file_(folder_.path() / "job.toml") {
    written_ = base::WriteFileAtomically(file_, text).ok();
  }

  bool written() const { return written_; }
  const std::filesystem::path& folder() const { return folder_.path(); }

  absl::StatusOr<v1::JobSpec> Read(const std::vector<std::string>& overrides = {}) const {
    return ReadJobFile(file_, overrides);
  }

  // The message of a refused job, with the bare file name; "ok" for a good one.
  std::string Fault(const std::vector<std::string>& overrides = {}) const {
    const auto job = Read(overrides);
    if (job.ok()) return "ok";
    std::string text(job.status().message());
    const std::string prefix = folder().string() + "/";
    for (size_t at; (at = text.find(prefix)) != std::string::npos;) text.erase(at, prefix.size());
    return text;
  }

 private:
  base::PrivateFolder folder_;
  std::filesystem::path file_;
  bool written_ = false;
};

inline constexpr char kSmallJob[] = "data.train = \"train\"\nschedule.steps = 100\n";

}  // namespace ltml::config
