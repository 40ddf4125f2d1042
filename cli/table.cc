#include "cli/table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "common/base/visible.h"

namespace ltml::cli {
namespace {

std::string Pad(const std::string& text, size_t width, Table::Align align) {
  const size_t own = DisplayWidth(text);
  const std::string space(width > own ? width - own : 0, ' ');
  return align == Table::Align::kLeft ? text + space : space + text;
}

std::string WithoutTrailingSpace(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::AddRow(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = base::Visible(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::Render(bool colour) const {
  std::vector<size_t> widths;
  for (size_t c = 0; c < columns_.size(); ++c) {
    size_t width = DisplayWidth(columns_[c].title);
    for (const auto& row : rows_) width = std::max(width, DisplayWidth(row[c]));
    widths.push_back(width);
  }
  std::string header, rule, body;
  for (size_t c = 0; c < columns_.size(); ++c) {
    const std::string gap = c == 0 ? "" : "  ";
    header += gap + Pad(columns_[c].title, widths[c], columns_[c].align);
    rule += gap + std::string(widths[c], '-');
  }
  header = WithoutTrailingSpace(std::move(header));
  if (colour) header = "\x1b[1m" + header + "\x1b[0m";
  for (const auto& row : rows_) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      line += (c == 0 ? "" : "  ") + Pad(row[c], widths[c], columns_[c].align);
    }
    body += WithoutTrailingSpace(std::move(line)) + '\n';
  }
  return header + '\n' + rule + '\n' + body;
}

std::string Bar(double value, double largest, int width) {
  constexpr std::array kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  if (!(value > 0) || !(largest > 0) || width < 1) return "";
  const double share = std::min(1.0, value / largest);
  const auto eighths = static_cast<int>(std::max(1.0, std::round(share * width * 8)));
  std::string bar;
  for (int i = 0; i < eighths / 8; ++i) bar += "█";
  return bar + kEighths[eighths % 8];
}

}  // namespace ltml::cli
