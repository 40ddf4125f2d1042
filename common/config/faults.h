#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace ltml::config {

// What is wrong with one field: "model.width", "got \"wide\", expected an integer".
struct Fault {
  std::string path;
  std::string message;
};

// Collects faults, and where each value came from, so that all of them are told at once, in the
// order of the file, each with its line or its --set.
class Faults {
 public:
  explicit Faults(std::string file);

  void SetLine(const std::string& path, int line);
  void SetOverride(const std::string& path, const std::string& text);
  void Add(std::string path, std::string message);

  // Adds those of `others` whose field has no fault yet: they only follow from that.
  void AddUntouched(const Faults& others);
  // Whether there is a fault of `path`, of something in it or of something around it.
  bool Touch(const std::string& path) const;
  // Fields that have a fault; of an entry "a.b[2]", the field "a.b".
  std::vector<std::string> Paths() const;
  // InvalidArgument with a line a fault: "job.toml:7: model.width: got ..."; OK without faults.
  absl::Status ToStatus() const;

 private:
  struct Origin {
    int line = 0;
    std::string override_text;
  };
  Origin Find(std::string path) const;

  std::string file_;
  std::map<std::string, Origin> origins_;
  std::vector<Fault> faults_;
};

}  // namespace ltml::config
