#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "coordinator/jobs/memory_store.h"
#include "coordinator/jobs/transition.h"
#include "coordinator/service/job_manager.h"

namespace ltml::service {

// Attempts that do what a test says.
class FakeRunner : public AttemptRunner {
 public:
  struct Attempt {
    std::string job;
    int64_t epoch = 0;
    bool adopted = false;
    bool stopped = false;
    bool over = false;
    AttemptEvents events;
  };

  std::unique_ptr<RunningAttempt> Start(const v1::Job& job, const v1::AttemptRecord& record,
                                        const std::string& /*token*/,
                                        AttemptEvents events) override {
    return Add(job, record, false, std::move(events));
  }
  std::unique_ptr<RunningAttempt> Adopt(const v1::Job& job, const v1::AttemptRecord& record,
                                        AttemptEvents events) override {
    return Add(job, record, true, std::move(events));
  }

  // Attempts handed over so far, in order.
  std::vector<std::shared_ptr<Attempt>> all() {
    const absl::MutexLock lock(&mutex_);
    return attempts_;
  }
  // "detach" and "end" of attempts, in the order in which they happened.
  std::vector<std::string> endings() {
    const absl::MutexLock lock(&mutex_);
    return endings_;
  }
  bool IsStopped(const Attempt& attempt) {
    const absl::MutexLock lock(&mutex_);
    return attempt.stopped;
  }

 private:
  class Running : public RunningAttempt {
   public:
    Running(FakeRunner& runner, std::shared_ptr<Attempt> attempt)
        : runner_(runner), attempt_(std::move(attempt)) {}
    ~Running() override { Note("end"); }
    void Detach() override { Note("detach"); }
    void Stop(const std::string& /*reason*/) override {
      const absl::MutexLock lock(&runner_.mutex_);
      attempt_->stopped = true;
    }

   private:
    void Note(const char* what) {
      const absl::MutexLock lock(&runner_.mutex_);
      runner_.endings_.emplace_back(what);
    }

    FakeRunner& runner_;
    std::shared_ptr<Attempt> attempt_;
  };

  std::unique_ptr<RunningAttempt> Add(const v1::Job& job, const v1::AttemptRecord& record,
                                      bool adopted, AttemptEvents events) {
    auto attempt = std::make_shared<Attempt>();
    attempt->job = job.name();
    attempt->epoch = record.attempt().epoch();
    attempt->adopted = adopted;
    attempt->events = std::move(events);
    const absl::MutexLock lock(&mutex_);
    attempts_.push_back(attempt);
    return std::make_unique<Running>(*this, attempt);
  }

  absl::Mutex mutex_;
  std::vector<std::shared_ptr<Attempt>> attempts_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> endings_ ABSL_GUARDED_BY(mutex_);
};

class ServiceTest : public testing::Test {
 protected:
  static constexpr std::chrono::seconds kDeadline{30};

  void SetUp() override { Restart(); }

  // A new server on the same store, with a runner that has seen nothing.
  void Restart() {
    manager_.reset();
    runner_ = std::make_unique<FakeRunner>();
    JobManagerOptions options;
    options.config = Config();
    options.store = &store_;
    options.runner = runner_.get();
    options.inspect = [](const v1::JobSpec&, std::vector<v1::FieldViolation>*) {
      return absl::StatusOr<DataFacts>(DataFacts{.classes = 20});
    };
    options.prepare_run = [this](const v1::Job&) {
      const absl::MutexLock lock(&mutex_);
      return prepared_;
    };
    options.utc_now = [this] {
      const absl::MutexLock lock(&mutex_);
      return std::chrono::system_clock::now() + ahead_;
    };
    auto manager = JobManager::Start(std::move(options));
    ASSERT_TRUE(manager.ok()) << manager.status();
    manager_ = *std::move(manager);
    manager_->Open();
  }

  virtual v1::ServerConfig Config() {
    v1::ServerConfig config;
    config.mutable_paths()->set_runs("/runs");
    config.mutable_limits()->set_jobs_per_user(100000);
    config.mutable_launch()->mutable_cooldown()->set_seconds(60);
    for (const char* name : {"a", "b"}) {
      auto& host = *config.add_hosts();
      host.set_name(name);
      host.set_slots(4);
      host.set_device(v1::Resources::DEVICE_CPU);
    }
    return config;
  }

  static v1::JobSpec Spec(int ranks = 1) {
    v1::JobSpec spec;
    spec.set_name("clipart");
    spec.mutable_data()->set_train("/data/train");
    spec.mutable_model()->set_image_size(224);
    spec.mutable_model()->set_width(64);
    spec.mutable_streams()->set_global_batch(32);
    spec.mutable_loss()->set_statistics_window(20);
    spec.mutable_optimizer()->add_betas(0.9);
    spec.mutable_optimizer()->add_betas(0.999);
    spec.mutable_augmentation()->add_crop_scale(0.08);
    spec.mutable_augmentation()->add_crop_scale(1.0);
    spec.mutable_augmentation()->add_crop_ratio(0.75);
    spec.mutable_augmentation()->add_crop_ratio(1.33);
    spec.mutable_schedule()->set_steps(1000);
    spec.mutable_resources()->set_ranks(ranks);
    spec.mutable_resources()->set_threads_per_rank(1);
    spec.mutable_resources()->set_device(v1::Resources::DEVICE_CPU);
    spec.mutable_queue()->set_cluster_restarts(3);
    return spec;
  }

  using Answer = absl::StatusOr<v1::Job>;
  template <typename Call>
  Answer Wait(Call call) {
    auto promise = std::make_shared<std::promise<Answer>>();
    auto future = promise->get_future();
    call([promise](Answer answer) { promise->set_value(std::move(answer)); });
    if (future.wait_for(kDeadline) != std::future_status::ready) std::abort();
    return future.get();
  }
  Answer Submit(const v1::JobSpec& spec, const std::string& id = "") {
    v1::SubmitRequest request;
    *request.mutable_spec() = spec;
    request.set_request_id(id);
    return Wait([&](auto done) { manager_->Submit(request, ada_, done); });
  }
  Answer Cancel(const std::string& job) {
    return Wait([&](auto done) { manager_->Cancel(job, ada_, done); });
  }
  Answer Pause(const std::string& job) {
    return Wait([&](auto done) { manager_->Pause(job, ada_, done); });
  }
  Answer Resume(const std::string& job) {
    return Wait([&](auto done) { manager_->Resume(job, ada_, done); });
  }

  template <typename Condition>
  static bool Eventually(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }
  bool Reaches(const std::string& job, v1::JobState state) {
    return Eventually([&] { return manager_->Get(job)->state() == state; });
  }
  // The newest attempt of a job, once the runner has it.
  std::shared_ptr<FakeRunner::Attempt> AttemptOf(const std::string& job, int64_t epoch = 1) {
    std::shared_ptr<FakeRunner::Attempt> found;
    EXPECT_TRUE(Eventually([&] {
      for (const auto& attempt : runner_->all()) {
        if (attempt->job == job && attempt->epoch == epoch) found = attempt;
      }
      return found != nullptr;
    }));
    return found;
  }
  static jobs::RunOutcome Ended(jobs::RunOutcome::Kind kind, int64_t step = 1000) {
    jobs::RunOutcome outcome;
    outcome.kind = kind;
    outcome.step = step;
    return outcome;
  }
  static jobs::RunOutcome Failed(v1::FailureCause cause, const std::string& host = "") {
    auto outcome = Ended(jobs::RunOutcome::Kind::kFailed, 7);
    outcome.failure.set_cause(cause);
    outcome.failure.set_host(host);
    return outcome;
  }
  void Advance(std::chrono::seconds time) {
    const absl::MutexLock lock(&mutex_);
    ahead_ += time;
  }
  void Prepared(const absl::Status& status) {
    const absl::MutexLock lock(&mutex_);
    prepared_ = status;
  }
  // "SUBMIT PLACE ..."
  std::string History(const std::string& job) {
    std::string text;
    for (const auto events = store_.Events(job, 0, 10000); const auto& event : *events) {
      if (event.has_state_change()) text += jobs::TriggerName(event.state_change().trigger()) + " ";
    }
    return text;
  }

  static constexpr auto kSucceeded = jobs::RunOutcome::Kind::kSucceeded;
  static constexpr auto kStopped = jobs::RunOutcome::Kind::kStopped;
  static constexpr auto kNotStarted = jobs::RunOutcome::Kind::kNotStarted;
  Actor ada_{.user = "ada"};
  absl::Mutex mutex_;
  std::chrono::seconds ahead_ ABSL_GUARDED_BY(mutex_){0};
  absl::Status prepared_ ABSL_GUARDED_BY(mutex_);
  jobs::MemoryStore store_;
  std::unique_ptr<FakeRunner> runner_;
  std::unique_ptr<JobManager> manager_;
};

}  // namespace ltml::service
