#include "worker/model/autocast.h"

#include <ATen/autocast_mode.h>

namespace ltml::model {

Autocast::Autocast(at::DeviceType device) : device_(device) {
  at::autocast::increment_nesting();
  at::autocast::set_autocast_dtype(device_, at::kBFloat16);
  at::autocast::set_autocast_enabled(device_, true);
}

// The weights that were converted meanwhile would be stale after the next update.
Autocast::~Autocast() {
  at::autocast::set_autocast_enabled(device_, false);
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
}

}  // namespace ltml::model
