#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>

namespace ltml::config {

// The comment above a field or message in its .proto file, as one paragraph;
// empty when it has none.  Thread-safe.
std::string CommentOf(const google::protobuf::FieldDescriptor& field);
std::string CommentOf(const google::protobuf::Descriptor& message);

// The file descriptor set of proto/ltml/v1, comments included, as protoc wrote it.
std::string_view DescriptorBytes();

}  // namespace ltml::config
