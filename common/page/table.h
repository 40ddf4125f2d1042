#pragma once

#include <string>
#include <vector>

#include "common/page/html.h"

namespace ltml::page {

// A table with a caption and column headers, which scrolls sideways where it is too wide.  The
// first cell of a row names it.
class Table {
 public:
  struct Column {
    Html title;
    bool number = false;  // aligned to the right
  };
  Table(std::string id, std::string caption, std::vector<Column> columns);

  void AddRow(const std::vector<Html>& cells);
  bool empty() const { return rows_.empty(); }
  Html Render() const;

 private:
  const std::string id_, caption_;
  const std::vector<Column> columns_;
  Html rows_;
};

}  // namespace ltml::page
