#include "common/config/comments.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/descriptor.pb.h>

#include <vector>

#include "absl/strings/str_split.h"

namespace ltml::config {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptorSet;

// Lives as long as the program, so that descriptors stay valid at exit.
const DescriptorPool& CommentedPool() {
  static const DescriptorPool& pool = []() -> const DescriptorPool& {
    static DescriptorPool built;
    FileDescriptorSet files;
    const std::string_view bytes = DescriptorBytes();
    files.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
    for (const auto& file : files.file()) built.BuildFile(file);
    return built;
  }();
  return pool;
}

template <typename Descriptor>
std::string LeadingComment(const Descriptor* descriptor) {
  google::protobuf::SourceLocation location;
  if (descriptor == nullptr || !descriptor->GetSourceLocation(&location)) return "";
  const std::vector<std::string> words =
      absl::StrSplit(location.leading_comments, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  return fmt::format("{}", fmt::join(words, " "));
}

}  // namespace

std::string CommentOf(const google::protobuf::FieldDescriptor& field) {
  return LeadingComment(CommentedPool().FindFieldByName(field.full_name()));
}

std::string CommentOf(const google::protobuf::Descriptor& message) {
  return LeadingComment(CommentedPool().FindMessageTypeByName(message.full_name()));
}

}  // namespace ltml::config
