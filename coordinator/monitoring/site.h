#pragma once

#include <functional>
#include <string>

#include "coordinator/monitoring/gate.h"
#include "coordinator/monitoring/http.h"
#include "coordinator/monitoring/scrape.h"
#include "coordinator/monitoring/views.h"
#include "coordinator/service/job_manager.h"

namespace ltml::monitoring {

struct SiteOptions {
  // All must outlive it.
  service::JobManager* manager = nullptr;
  Views* views = nullptr;
  Scrape* scrape = nullptr;
  const Gate* gate = nullptr;
  std::function<bool()> ready;  // takes jobs
};

// What is served, by path:
//
//   /                      jobs that hold slots or wait for them, hosts, all jobs
//   /jobs/ID               a job; ?classes=rarest|weakest|change|name orders its classes
//   /jobs/ID/logs/RANK     what is kept of a log of the newest attempt, as text; -1: mpirun's
//   /live.js               renews pages in place; without it they reload
//   /metrics               for Prometheus
//   /healthz, /readyz      200 while the server answers, and while it takes jobs; open to all
//
// Thread-safe.
class Site {
 public:
  explicit Site(SiteOptions options) : options_(std::move(options)) {}
  HttpResponse Answer(const HttpRequest& request) const;

 private:
  HttpResponse Guarded(const HttpRequest& request) const;
  HttpResponse Home(const HttpRequest& request) const;
  HttpResponse Job(const std::string& id, const HttpRequest& request) const;
  HttpResponse Log(const std::string& id, const std::string& rank) const;

  const SiteOptions options_;
};

}  // namespace ltml::monitoring
