#pragma once

#include <string>
#include <vector>

#include "common/base/text.h"

namespace ltml::cli {

using base::DisplayWidth;
using base::GroupedNumber;

// A table in plain text: columns as wide as their widest cell (in characters, not bytes), two
// spaces apart; a rule below the header.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns);

  // As many cells as there are columns; text of any origin, shown as base::Visible does.
  void AddRow(std::vector<std::string> cells);
  // Ends in a line break; `colour` prints the header bold.
  std::string Render(bool colour = false) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// A bar of value / largest * width characters in eighths, at least one eighth for a value above 0.
std::string Bar(double value, double largest, int width);

}  // namespace ltml::cli
