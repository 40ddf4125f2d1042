#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/page/html.h"
#include "ltml/v1/job_service.pb.h"

namespace ltml::view {

// In which order the table of all classes stands.
enum class ClassOrder { kRarest, kWeakest, kChange, kName };
// "rarest", "weakest", "change", "name"; nullopt for anything else.
std::optional<ClassOrder> ParseClassOrder(std::string_view name);

struct RunPageOptions {
  ClassOrder order = ClassOrder::kRarest;
  // Where the page is served: headers of the class table link to its other orders, and logs to
  // their whole text.  Empty: a page that is mailed, without links.
  std::string address;
};

// A run as the content of a page: where it stands, the weakest classes, curves, the long tail,
// where the time of ranks goes, all classes, attempts with their causes, ends of logs.  The ids of
// its sections stay the same from one rendering to the next.
page::Html RunPage(const v1::RunView& view, const RunPageOptions& options);

// "running", with a colour that fits.
page::Html StateBadge(const v1::Job& job);
page::Html ProgressBar(const v1::Job& job);

}  // namespace ltml::view
