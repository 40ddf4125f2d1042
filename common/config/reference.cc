#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "common/config/comments.h"
#include "common/config/job_file.h"
#include "common/config/rules.h"
#include "common/config/server_config.h"

namespace ltml::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

constexpr char kIntroduction[] = R"(# Job file

This page is made by `ltml schema --reference` from `proto/ltml/v1/job.proto`; `ltml schema` prints
the same as a JSON Schema.

A job file is TOML. An unknown key, a wrong type or a value out of range is an error with its line,
and all faults are reported at once. Relative paths start at the job file's folder. Durations are
written as "500ms", "30s", "1.5m" or "2h". `ltml train JOB.toml --set schedule.steps=100` replaces a
value for one run; a bare word needs no quotes there.

```toml
name = "clipart"

[data]
train = "data/train"
validation = "data/val"

[schedule]
steps = 480
```

Settings that only hold together: streams.global_batch is at least resources.ranks, and every rank's
part of a step leaves batch norm more than one value in the last map; loss.statistics_window x
streams.global_batch is below 2,097,152; schedule.warmup_steps is at most schedule.steps;
schedule.milestones, augmentation.crop_scale and augmentation.crop_ratio ascend; the two
optimizer.betas are below 1; evaluation.every_steps needs data.validation.
)";

constexpr char kServerIntroduction[] =
    R"(# Configuration of the server and its clients

This page is made by `ltml schema --server-reference` from `proto/ltml/v1/server_config.proto`.

Both files are TOML; an unknown key, a wrong type or a value out of range is an error with its line,
and all faults are reported at once. Relative paths start at the file's folder. `ltmld init DIR` writes
them with all that a pool of one machine needs.

# ltmld.toml

Read by `ltmld run DIR` when it starts. Settings that only hold together: without TLS (`insecure`)
`listen` is a Unix socket or loopback; `listen` on all interfaces needs `advertise`; names of hosts and
of users are unique.
)";

std::string TypeText(const FieldDescriptor& field) {
  const auto word = [&]() -> std::string {
    switch (KindOf(field)) {
      case Kind::kPath:
        return "path";
      case Kind::kInteger:
        return "integer";
      case Kind::kNumber:
        return "number";
      case Kind::kBoolean:
        return "boolean";
      case Kind::kDuration:
        return "duration";
      default:
        return "string";
    }
  };
  return field.is_repeated() ? "array of " + word() + "s" : word();
}

std::string ValuesText(const FieldDescriptor& field) {
  if (KindOf(field) == Kind::kChoice) {
    std::vector<std::string> texts;
    for (const std::string& text : ChoicesOf(*field.enum_type())) {
      texts.push_back(fmt::format("`\"{}\"`", text));
    }
    return fmt::format("{}", fmt::join(texts, ", "));
  }
  return RangeText(field);
}

// A vertical bar would end the cell.
std::string Cell(const std::string& text) {
  std::string cell;
  for (const char c : text) cell += c == '|' ? std::string("\\|") : std::string(1, c);
  return cell;
}

std::string Row(const FieldDescriptor& field) {
  const std::string absent =
      RuleOf(field).required() ? "required" : fmt::format("`{}`", RuleOf(field).default_value());
  return fmt::format("| `{}` | {} | {} | {} | {} |\n", field.name(), TypeText(field), absent,
                     Cell(ValuesText(field)), Cell(CommentOf(field)));
}

std::string Rows(const Descriptor& message) {
  std::string rows =
      "| key | type | default | values | meaning |\n| --- | --- | --- | --- | --- |\n";
  for (int i = 0; i < message.field_count(); ++i) {
    if (KindOf(*message.field(i)) != Kind::kTable) rows += Row(*message.field(i));
  }
  return rows;
}

std::string Section(const FieldDescriptor& table) {
  const Descriptor& message = *table.message_type();
  std::string comment = CommentOf(table);
  if (comment.empty()) comment = CommentOf(message);
  std::string text =
      fmt::format("\n## {}\n\n",
                  fmt::format(fmt::runtime(table.is_repeated() ? "[[{}]]" : "[{}]"), table.name()));
  if (!comment.empty()) text += comment + "\n\n";
  return text + Rows(message);
}

// A section for the keys at the top of the file, one for each of its tables.
std::string Sections(const Descriptor& message) {
  std::string text = "\n## Top of the file\n\n" + Rows(message);
  for (int i = 0; i < message.field_count(); ++i) {
    if (KindOf(*message.field(i)) == Kind::kTable) text += Section(*message.field(i));
  }
  return text;
}

}  // namespace

std::string JobReference() { return kIntroduction + Sections(*v1::JobSpec::descriptor()); }

std::string ServerReference() {
  return kServerIntroduction + Sections(*v1::ServerConfig::descriptor()) +
         "\n# client.toml\n\nHow `ltml` reaches the server; found by `--config`, `LTML_CONFIG`, or "
         "as "
         "`ltml/client.toml` in the user's\nconfiguration folder.\n" +
         Sections(*v1::ClientConfig::descriptor());
}

}  // namespace ltml::config
