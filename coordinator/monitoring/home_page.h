#pragma once

#include <string>
#include <vector>

#include "common/page/html.h"
#include "coordinator/service/live_job.h"

namespace ltml::monitoring {

struct HomeView {
  service::Observation seen;
  std::vector<v1::Job> jobs;  // a page of the list, as List tells it
  bool first_page = true;
  std::string next_page;  // its token; empty: there is none
};

// The content of the first page: what runs, with rate and time left; hosts; all jobs.  Pure.
page::Html HomePage(const HomeView& view);

}  // namespace ltml::monitoring
