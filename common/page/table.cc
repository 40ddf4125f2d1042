#include "common/page/table.h"

#include <utility>

namespace ltml::page {
namespace {

Attribute Alignment(const Table::Column& column) {
  return {column.number ? "class" : "", "number"};
}

}  // namespace

Table::Table(std::string id, std::string caption, std::vector<Column> columns)
    : id_(std::move(id)), caption_(std::move(caption)), columns_(std::move(columns)) {}

void Table::AddRow(const std::vector<Html>& cells) {
  Html row;
  for (size_t i = 0; i < columns_.size(); ++i) {
    const Html content = i < cells.size() ? cells[i] : Html();
    row += i == 0 ? Element("th", {{"scope", "row"}, Alignment(columns_[i])}, content)
                  : Element("td", {Alignment(columns_[i])}, content);
  }
  rows_ += Element("tr", {}, row);
}

// The box that scrolls can be reached by keyboard, and says what it is.
Html Table::Render() const {
  Html titles;
  for (const Column& column : columns_) {
    titles += Element("th", {{"scope", "col"}, Alignment(column)}, column.title);
  }
  const Html table =
      Element("table", {{"id", id_}},
              Element("caption", {}, caption_) + Element("thead", {}, Element("tr", {}, titles)) +
                  Element("tbody", {}, rows_));
  return Element(
      "div", {{"class", "scroll"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", caption_}},
      table);
}

}  // namespace ltml::page
