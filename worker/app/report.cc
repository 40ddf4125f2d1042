#include "worker/app/report.h"

#include <fmt/format.h>

#include <iterator>

#include "common/base/files.h"

namespace ltml::worker {
namespace {

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c;
    if (c == '"') quoted += '"';
  }
  return quoted + '"';
}

}  // namespace

v1::MeanAveragePrecision ToProto(const metrics::GroupMeans& means) {
  v1::MeanAveragePrecision proto;
  if (means.total) proto.set_total(*means.total);
  if (means.head) proto.set_head(*means.head);
  if (means.medium) proto.set_medium(*means.medium);
  if (means.tail) proto.set_tail(*means.tail);
  return proto;
}

void FillEvaluation(const metrics::Evaluation& evaluation, const std::vector<std::string>& names,
                    const std::vector<int64_t>& train_counts, v1::Report* report) {
  *report->mutable_mean_average_precision() = ToProto(evaluation.mean);
  *report->mutable_chance() = ToProto(evaluation.chance);
  report->clear_classes();
  for (size_t k = 0; k < names.size(); ++k) {
    v1::ClassReport& row = *report->add_classes();
    row.set_name(names[k]);
    row.set_group(std::string(metrics::GroupName(metrics::GroupOf(train_counts[k]))));
    row.set_train_positives(train_counts[k]);
    row.set_positives(evaluation.positives[k]);
    if (evaluation.average_precision[k]) {
      row.set_average_precision(*evaluation.average_precision[k]);
    }
  }
}

v1::ValidationLine ValidationOf(const metrics::Evaluation& evaluation, int64_t step) {
  v1::ValidationLine line;
  line.set_step(step);
  *line.mutable_mean_average_precision() = ToProto(evaluation.mean);
  for (const std::optional<double>& one : evaluation.average_precision) {
    line.add_average_precision(one.value_or(-1));
  }
  return line;
}

absl::Status WritePredictions(const std::string& file, const std::vector<std::string>& images,
                              const std::vector<std::string>& classes,
                              const std::vector<float>& scores_NK) {
  std::string text = "image";
  for (const std::string& name : classes) text += "," + CsvField(name);
  text += '\n';
  for (size_t i = 0; i < images.size(); ++i) {
    text += CsvField(images[i]);
    for (size_t k = 0; k < classes.size(); ++k) {
      fmt::format_to(std::back_inserter(text), ",{:.9g}", scores_NK[i * classes.size() + k]);
    }
    text += '\n';
  }
  return base::WriteFileAtomically(file, text);
}

}  // namespace ltml::worker
