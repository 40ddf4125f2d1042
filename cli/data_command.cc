#include "cli/data_command.h"

#include <fmt/format.h>
#include <google/protobuf/struct.pb.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "cli/context.h"
#include "cli/interrupt.h"
#include "cli/progress_line.h"
#include "cli/table.h"
#include "common/base/status_macros.h"
#include "common/dataset/import.h"
#include "common/dataset/reader.h"
#include "common/metrics/average_precision.h"

namespace ltml::cli {
namespace {

constexpr size_t kShownWarnings = 20;
constexpr int kBarWidth = 40;

// Faults of what the user's files hold end with exit code 1, those of the command line with 2.
absl::Status OfData(const absl::Status& status) {
  return absl::IsInvalidArgument(status) ? DataFault(status) : status;
}

absl::StatusOr<std::shared_ptr<const dataset::Dataset>> OpenDataset(const std::string& folder) {
  auto opened = dataset::Dataset::Open(folder);
  if (!opened.ok()) return OfData(opened.status());
  return opened;
}

int64_t Labels(const v1::DatasetInfo& info) {
  int64_t labels = 0;
  for (const v1::ClassInfo& item : info.classes()) labels += item.images();
  return labels;
}

void PrintWarnings(const std::vector<std::string>& warnings) {
  const size_t shown = std::min(warnings.size(), kShownWarnings);
  for (size_t i = 0; i < shown; ++i) fmt::print(stderr, "ltml: warning: {}\n", warnings[i]);
  if (shown < warnings.size()) {
    fmt::print(stderr, "ltml: warning: and {} more\n", warnings.size() - shown);
  }
}

absl::Status RunImport(dataset::ImportOptions options, const Context& context) {
  LTML_RETURN_IF_ERROR(dataset::CheckFormat(options.format));
  absl::StatusOr<dataset::ImportResult> result;
  {
    const InterruptCounter interrupts("ltml: stopping the import\n");
    ProgressLine progress(context, "importing", "images");
    options.stop = [&] { return interrupts.count()->load() > 0; };
    options.progress = [&](int64_t done, int64_t total) { progress.Update(done, total); };
    result = dataset::Import(options);
  }
  if (!result.ok()) return OfData(result.status());
  PrintWarnings(result->warnings);
  if (context.json()) return PrintJson(result->info);
  fmt::print("{}: {} images, {} classes, {} labels\n", options.destination.string(),
             GroupedNumber(result->info.images()), result->info.classes_size(),
             GroupedNumber(Labels(result->info)));
  return absl::OkStatus();
}

void AddImport(CLI::App& data, Context& context) {
  struct Arguments {
    dataset::ImportOptions options;
    std::string source, destination, images, classes, on_bad_image = "fail";
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = AddCommand(
      data, "import", "Makes a data set folder from a list of images or from class folders",
      "ltml data import examples/clipart/train.jsonl data/clipart/train "
      "--images /usr/share/openclipart/png --resize 96");
  command->add_option("SRC", arguments->source, "A .jsonl list, or a folder with a folder a class")
      ->required();
  command->add_option("DEST", arguments->destination, "The data set folder to make")->required();
  command->add_option("--format", arguments->options.format,
                      "auto, jsonl or folder; auto looks at SRC");
  command->add_option("--images", arguments->images,
                      "Where relative image paths start; without it the list's folder");
  command->add_option("--classes", arguments->classes,
                      "The class table: a name a line, a JSON list, or an imported data set; "
                      "without it all names sorted");
  command
      ->add_option("--resize", arguments->options.resize_short_side,
                   "Store JPEGs of this side: pictures are laid whole on a white square")
      ->check(CLI::Range(1, 65500));
  command
      ->add_option("--on-bad-image", arguments->on_bad_image,
                   "fail, or skip with a warning: missing and undecodable images")
      ->check(CLI::IsMember({"fail", "skip"}));
  command->callback([arguments, &context] {
    dataset::ImportOptions& options = arguments->options;
    options.source = arguments->source;
    options.destination = arguments->destination;
    options.images = arguments->images;
    options.classes = arguments->classes;
    options.skip_bad_images = arguments->on_bad_image == "skip";
    context.Fail(RunImport(options, context));
  });
}

absl::Status RunInfo(const std::string& folder, const Context& context) {
  LTML_ASSIGN_OR_RETURN(const auto opened, OpenDataset(folder));
  if (context.json()) return PrintJson(opened->info());
  fmt::print("{}", DatasetText(*opened, context.colour));
  return absl::OkStatus();
}

void AddInfo(CLI::App& data, Context& context) {
  auto folder = std::make_shared<std::string>();
  CLI::App* command = AddCommand(data, "info", "Shows counts, imbalance and classes of a data set",
                                 "ltml data info data/clipart/train");
  command->add_option("DATASET", *folder, "A folder made by `ltml data import`")->required();
  command->callback([folder, &context] { context.Fail(RunInfo(*folder, context)); });
}

absl::Status PrintFindings(const dataset::CheckResult& found, const dataset::Dataset& checked,
                           const Context& context) {
  if (context.json()) {
    google::protobuf::Struct message;
    auto& fields = *message.mutable_fields();
    const auto add = [&](const char* name, const std::vector<std::string>& lines) {
      auto* list = fields[name].mutable_list_value();
      for (const std::string& line : lines) list->add_values()->set_string_value(line);
    };
    add("bad_images", found.bad_images);
    add("suspicious", found.suspicious);
    return PrintJson(message);
  }
  for (const std::string& line : found.bad_images) fmt::print("bad: {}\n", line);
  for (const std::string& line : found.suspicious) fmt::print("suspicious: {}\n", line);
  fmt::print("{}: {} images checked, {} bad, {} suspicious\n", checked.folder().string(),
             GroupedNumber(checked.images()), found.bad_images.size(), found.suspicious.size());
  return absl::OkStatus();
}

absl::Status RunCheck(const std::string& folder, Context& context) {
  LTML_ASSIGN_OR_RETURN(const auto opened, OpenDataset(folder));
  absl::StatusOr<dataset::CheckResult> found;
  {
    ProgressLine progress(context, "checking", "images");
    found =
        dataset::Check(*opened, [&](int64_t done, int64_t total) { progress.Update(done, total); });
  }
  if (!found.ok()) return found.status();
  if (!found->bad_images.empty() || !found->suspicious.empty()) context.exit_code = 1;
  return PrintFindings(*found, *opened, context);
}

void AddCheck(CLI::App& data, Context& context) {
  auto folder = std::make_shared<std::string>();
  CLI::App* command =
      AddCommand(data, "check",
                 "Decodes every image; lists bad ones and suspicious labels; exit code 1 if any",
                 "ltml data check data/clipart/train");
  command->add_option("DATASET", *folder, "A folder made by `ltml data import`")->required();
  command->callback([folder, &context] { context.Fail(RunCheck(*folder, context)); });
}

std::string Imbalance(const std::vector<int64_t>& counts) {
  int64_t largest = 0, smallest = 0;
  for (const int64_t count : counts) {
    if (count == 0) continue;
    largest = std::max(largest, count);
    smallest = smallest == 0 ? count : std::min(smallest, count);
  }
  if (smallest == 0) return "none: no image has a label";
  return fmt::format("{:.1f} (largest class {}, smallest {})",
                     static_cast<double>(largest) / static_cast<double>(smallest),
                     GroupedNumber(largest), GroupedNumber(smallest));
}

std::string Groups(const std::vector<int64_t>& counts) {
  int head = 0, medium = 0, tail = 0;
  for (const int64_t count : counts) {
    const metrics::Group group = metrics::GroupOf(count);
    ++(group == metrics::Group::kHead ? head : group == metrics::Group::kMedium ? medium : tail);
  }
  return fmt::format("{} head (100 images and more), {} medium (20 to 99), {} tail (under 20)",
                     head, medium, tail);
}

int64_t Unlabelled(const dataset::Dataset& dataset) {
  int64_t count = 0;
  for (int64_t i = 0; i < dataset.images(); ++i) count += dataset.labels(i).empty() ? 1 : 0;
  return count;
}

std::string ClassTable(const dataset::Dataset& dataset, bool colour) {
  const auto& counts = dataset.class_counts();
  std::vector<int> order(counts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return counts[a] > counts[b]; });
  const auto largest = static_cast<double>(counts[order.front()]);
  Table table({{"class"}, {"images", Table::Align::kRight}, {"group"}, {""}});
  for (const int k : order) {
    table.AddRow({dataset.class_names()[k], GroupedNumber(counts[k]),
                  std::string(metrics::GroupName(metrics::GroupOf(counts[k]))),
                  Bar(static_cast<double>(counts[k]), largest, kBarWidth)});
  }
  return table.Render(colour);
}

}  // namespace

std::string DatasetText(const dataset::Dataset& dataset, bool colour) {
  const auto line = [](const char* name, const std::string& value) {
    return fmt::format("{:<17}{}\n", name, value);
  };
  const auto& counts = dataset.class_counts();
  const double labels = std::accumulate(counts.begin(), counts.end(), 0.0);
  std::string text = line("data set", dataset.folder().string());
  text += line("images", GroupedNumber(dataset.images()));
  text += line("without a label", GroupedNumber(Unlabelled(dataset)));
  text += line("labels an image",
               fmt::format("{:.2f}", labels / static_cast<double>(dataset.images())));
  text += line("classes", fmt::format("{}: {}", dataset.classes(), Groups(counts)));
  text += line("imbalance ratio", Imbalance(counts));
  text += line("fingerprint", dataset.fingerprint());
  return text + "\n" + ClassTable(dataset, colour);
}

void AddDataCommand(CLI::App& program, Context& context) {
  CLI::App* data = AddCommand(program, "data", "Makes, shows and checks data sets",
                              "ltml data info data/clipart/train");
  data->require_subcommand(1);
  AddImport(*data, context);
  AddInfo(*data, context);
  AddCheck(*data, context);
}

}  // namespace ltml::cli
