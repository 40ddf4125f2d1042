#include "common/base/version.h"

namespace ltml::base {

std::string Version() { return LTML_VERSION; }

}  // namespace ltml::base
