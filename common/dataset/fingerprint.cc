#include "common/dataset/fingerprint.h"

namespace ltml::dataset {

Fingerprint::Fingerprint(const std::vector<std::string>& class_names) {
  sha_.Update(uint64_t{class_names.size()});
  for (const std::string& name : class_names) AddText(name);
}

void Fingerprint::AddImage(std::span<const uint32_t> classes, std::string_view name,
                           std::span<const std::byte> bytes) {
  ++images_;
  sha_.Update(uint64_t{classes.size()});
  for (const uint32_t id : classes) sha_.Update(uint64_t{id});
  AddText(name);
  sha_.Update(uint64_t{bytes.size()}).Update(bytes);
}

std::string Fingerprint::Finish() { return sha_.Update(images_).HexDigest(); }

void Fingerprint::AddText(std::string_view text) {
  sha_.Update(uint64_t{text.size()}).Update(text);
}

}  // namespace ltml::dataset
