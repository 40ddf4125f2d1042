#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/base/text.h"
#include "common/page/chart.h"
#include "common/page/table.h"
#include "common/view/findings.h"
#include "common/view/sections.h"

namespace ltml::view {
namespace {

using page::Element;
using page::Html;
using page::Ink;

constexpr size_t kWeakest = 5;

Ink InkOf(const v1::ClassView& one) {
  return one.group() == "head" ? Ink::kHead : one.group() == "medium" ? Ink::kMedium : Ink::kTail;
}

// What bars of a table are measured by.
struct Largest {
  int64_t train = 0, uniform = 0, rebalanced = 0;
};

Largest LargestOf(const v1::RunView& view) {
  Largest largest;
  for (const v1::ClassView& one : view.classes()) {
    largest.train = std::max(largest.train, one.train_positives());
    largest.uniform = std::max(largest.uniform, one.uniform_positives());
    largest.rebalanced = std::max(largest.rebalanced, one.rebalanced_positives());
  }
  return largest;
}

Html Count(int64_t value, int64_t largest, Ink ink) {
  return Html::Text(base::GroupedNumber(value)) +
         page::CellBar(static_cast<double>(value), static_cast<double>(largest), ink);
}

Html Delivered(bool known, int64_t value, int64_t largest, Ink ink) {
  return known ? Count(value, largest, ink) : Html::Text("-");
}

Html Trend(const v1::ClassView& one) {
  std::vector<double> values;
  for (const double value : one.average_precision()) {
    if (value >= 0) values.push_back(value);
  }
  return page::CellLine(values);
}

std::string ScaleShift(bool known, double mu, double sigma) {
  return known ? fmt::format("{:+.2f}, ×{:.2f}", mu, sigma) : "-";
}

std::vector<Html> Cells(const v1::ClassView& one, const Largest& largest) {
  return {
      page::Name(one.name()),
      Html::Text(one.group()),
      Count(one.train_positives(), largest.train, InkOf(one)),
      Delivered(one.has_uniform_positives(), one.uniform_positives(), largest.uniform,
                Ink::kUniform),
      Delivered(one.has_rebalanced_positives(), one.rebalanced_positives(), largest.rebalanced,
                Ink::kRebalanced),
      Html::Text(PercentText(Precision(one))),
      ChangeOf(PrecisionChange(one)),
      Trend(one),
      Html::Text(ScaleShift(one.has_uniform_mu(), one.uniform_mu(), one.uniform_sigma())),
      Html::Text(ScaleShift(one.has_rebalanced_mu(), one.rebalanced_mu(), one.rebalanced_sigma()))};
}

struct OrderName {
  ClassOrder order;
  std::string_view name;
};
constexpr OrderName kOrders[] = {{ClassOrder::kRarest, "rarest"},
                                 {ClassOrder::kWeakest, "weakest"},
                                 {ClassOrder::kChange, "change"},
                                 {ClassOrder::kName, "name"}};

Html Title(const char* text, ClassOrder order, const RunPageOptions* options) {
  if (options == nullptr || options->address.empty() || options->order == order) {
    return Html::Text(text);
  }
  const auto name = std::ranges::find(kOrders, order, &OrderName::order)->name;
  return page::Link(fmt::format("{}?classes={}#classes", options->address, name), Html::Text(text));
}

// With `options` the headers link to other orders.
std::vector<page::Table::Column> Columns(const RunPageOptions* options) {
  return {{Title("Class", ClassOrder::kName, options)},
          {Html::Text("Group")},
          {Title("Training images", ClassOrder::kRarest, options), true},
          {Html::Text("Shown, uniform"), true},
          {Html::Text("Shown, re-balanced"), true},
          {Title("AP %", ClassOrder::kWeakest, options), true},
          {Title("Change", ClassOrder::kChange, options), true},
          {Html::Text("Course")},
          {Html::Text("Compensation, uniform"), true},
          {Html::Text("Compensation, re-balanced"), true}};
}

std::vector<const v1::ClassView*> Sorted(const v1::RunView& view, ClassOrder order) {
  if (order == ClassOrder::kWeakest) {
    auto classes = Weakest(view, view.classes_size());
    for (const v1::ClassView& one : view.classes()) {
      if (!Precision(one)) classes.push_back(&one);
    }
    return classes;
  }
  std::vector<const v1::ClassView*> classes;
  for (const v1::ClassView& one : view.classes()) classes.push_back(&one);
  std::ranges::stable_sort(classes, [order](const v1::ClassView* a, const v1::ClassView* b) {
    if (order == ClassOrder::kName) return a->name() < b->name();
    if (order == ClassOrder::kChange) {
      return PrecisionChange(*a).value_or(2) < PrecisionChange(*b).value_or(2);
    }
    return a->train_positives() < b->train_positives();
  });
  return classes;
}

}  // namespace

std::optional<ClassOrder> ParseClassOrder(std::string_view name) {
  const auto known = std::ranges::find(kOrders, name, &OrderName::name);
  return known == std::end(kOrders) ? std::nullopt : std::optional(known->order);
}

std::string PercentText(std::optional<double> share) {
  return share ? fmt::format("{:.1f}", 100 * *share) : "-";
}

// An arrow says what the colour says.
Html ChangeOf(std::optional<double> change) {
  if (!change) return Html();
  const double points = 100 * *change;
  const bool up = points >= 0.05, down = points <= -0.05;
  const char* arrow = up ? "▲ " : down ? "▼ " : "";
  const char* css = up ? "good" : down ? "bad" : "muted";
  return Element("span", {{"class", css}}, fmt::format("{}{:+.1f}", arrow, points));
}

Html WeakestSection(const v1::RunView& view) {
  const auto weakest = Weakest(view, kWeakest);
  if (weakest.empty()) return Html();
  page::Table table("weakest-table",
                    fmt::format("The {} weakest classes at step {}", weakest.size(),
                                *view.validation_steps().rbegin()),
                    Columns(nullptr));
  const Largest largest = LargestOf(view);
  for (const v1::ClassView* one : weakest) table.AddRow(Cells(*one, largest));
  return Element("section", {{"id", "weakest"}},
                 Element("h2", {}, "Weakest classes") + table.Render());
}

Html LongTailSection(const v1::RunView& view) {
  if (view.classes().empty()) return Html();
  auto classes = Sorted(view, ClassOrder::kRarest);
  std::ranges::reverse(classes);
  page::ColumnChart chart;
  chart.text = {
      .id = "long-tail",
      .title = "Classes from the most to the least frequent",
      .summary = fmt::format(
          "{} classes, the most frequent with {} training images, the rarest with {}. "
          "The table of all classes has the numbers.",
          classes.size(), classes.front()->train_positives(), classes.back()->train_positives())};
  chart.height_title = "Training images";
  chart.dot_title = "Average precision at the newest validation";
  chart.x_title = "classes, rarest on the right";
  for (const v1::ClassView* one : classes) {
    chart.columns.push_back({.name = one->name(),
                             .ink = InkOf(*one),
                             .height = static_cast<double>(one->train_positives()),
                             .dot = Precision(*one)});
  }
  const Html legend = page::InkLegend({{"head, from 100 images", Ink::kHead},
                                       {"medium", Ink::kMedium},
                                       {"tail, below 20", Ink::kTail}});
  return Element("section", {{"id", "tail"}},
                 Element("h2", {}, "The long tail") + legend + page::Draw(chart));
}

Html ClassesSection(const v1::RunView& view, const RunPageOptions& options) {
  if (view.classes().empty()) return Html();
  page::Table table("classes-table", fmt::format("All {} classes", view.classes_size()),
                    Columns(&options));
  const Largest largest = LargestOf(view);
  for (const v1::ClassView* one : Sorted(view, options.order)) table.AddRow(Cells(*one, largest));
  const Html note = Element(
      "p", {{"class", "muted"}},
      "Shown: positives that the stream has delivered so far. AP: average precision at the newest "
      "validation, and its change since the one before in percentage points. Compensation: shift "
      "and "
      "scale of the logits of the class's positives in the loss.");
  return Element("section", {{"id", "classes"}},
                 Element("h2", {}, "All classes") + note + table.Render());
}

}  // namespace ltml::view
