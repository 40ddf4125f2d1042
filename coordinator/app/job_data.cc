#include "coordinator/app/job_data.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <system_error>
#include <utility>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/dataset/class_table.h"
#include "common/dataset/dataset.h"
#include "common/run/folder.h"
#include "coordinator/security/roots.h"

namespace ltml::coordinator {
namespace {

constexpr size_t kSetsKept = 256;

// Inode, size and time of the file that an import writes last.
std::string StampOf(const std::filesystem::path& folder) {
  struct stat status {};
  if (::stat((folder / "dataset.json").c_str(), &status) != 0) return "";
  return fmt::format("{}/{}/{}.{}", status.st_ino, status.st_size, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec);
}

class Violations {
 public:
  explicit Violations(std::vector<v1::FieldViolation>* all) : all_(all) {}

  bool Add(const char* field, const absl::Status& status) {
    if (status.ok()) return false;
    v1::FieldViolation& violation = all_->emplace_back();
    violation.set_field(field);
    violation.set_description(std::string(status.message()));
    any_ = true;
    return true;
  }
  bool any() const { return any_; }

 private:
  std::vector<v1::FieldViolation>* all_;
  bool any_ = false;
};

absl::Status CheckFile(const std::filesystem::path& file) {
  std::error_code error;
  if (std::filesystem::is_regular_file(file, error)) return absl::OkStatus();
  return absl::NotFoundError(fmt::format("'{}' is not a regular file", file.string()));
}

}  // namespace

absl::StatusOr<JobData::Set> JobData::Read(const std::filesystem::path& folder) {
  LTML_RETURN_IF_ERROR(security::CheckBelow(folder, roots_));
  const std::string stamp = StampOf(folder);
  {
    const absl::MutexLock lock(&mutex_);
    const auto known = sets_.find(folder.string());
    if (known != sets_.end() && !stamp.empty() && known->second.stamp == stamp) {
      return known->second;
    }
  }
  LTML_ASSIGN_OR_RETURN(const auto data, dataset::Dataset::Open(folder));
  Set set{.stamp = stamp, .info = data->info(), .classes = data->class_names()};
  const absl::MutexLock lock(&mutex_);
  if (sets_.size() >= kSetsKept) sets_.clear();
  return sets_[folder.string()] = std::move(set);
}

absl::StatusOr<service::DataFacts> JobData::Inspect(const v1::JobSpec& spec,
                                                    std::vector<v1::FieldViolation>* violations) {
  Violations found(violations);
  const absl::StatusOr<Set> train = Read(spec.data().train());
  found.Add("data.train", train.status());
  for (const auto& [field, folder] : {std::pair("data.validation", spec.data().validation()),
                                      std::pair("data.test", spec.data().test())}) {
    if (folder.empty()) continue;
    const absl::StatusOr<Set> other = Read(folder);
    if (found.Add(field, other.status()) || !train.ok()) continue;
    const std::string difference = dataset::ClassTableDifference(other->classes, train->classes);
    if (difference.empty()) continue;
    found.Add(field, absl::InvalidArgumentError(fmt::format(
                         "'{}' has another class table than data.train: {}; import it again with "
                         "--classes TRAINING_SET",
                         folder, difference)));
  }
  if (const std::string& weights = spec.model().weights(); !weights.empty()) {
    const absl::Status below = security::CheckBelow(weights, roots_);
    found.Add("model.weights", below.ok() ? CheckFile(weights) : below);
  }
  if (found.any()) return absl::InvalidArgumentError("the job's data cannot be used");
  return service::DataFacts{.classes = static_cast<int>(train->classes.size())};
}

absl::Status JobData::PrepareRun(const v1::Job& job) {
  const std::filesystem::path folder = job.run_folder();
  std::error_code error;
  if (std::filesystem::exists(folder / run::kJobFile, error)) return absl::OkStatus();
  LTML_ASSIGN_OR_RETURN(const Set train, Read(job.spec().data().train()));
  LTML_RETURN_IF_ERROR(base::MakeFolder(folder));
  return run::RecordRun(folder, job.spec(), train.info);
}

}  // namespace ltml::coordinator
