#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/base/files.h"
#include "common/base/proto_json.h"
#include "common/run/folder.h"
#include "ltml/v1/checkpoint.pb.h"
#include "ltml/v1/dataset.pb.h"
#include "ltml/v1/job_service.pb.h"

namespace ltml::view {

// A run folder that a test fills.
class RunFolderTest : public testing::Test {
 protected:
  RunFolderTest() {
    folder_ = *base::PrivateFolder::Create("view-test");
    run_ = folder_.path() / "clipart-1";
    std::filesystem::create_directories(run_);
  }

  void Write(const std::filesystem::path& file, const google::protobuf::Message& message) {
    std::filesystem::create_directories((run_ / file).parent_path());
    ASSERT_TRUE(base::WriteJsonFile(run_ / file, message).ok());
  }
  void Append(const std::filesystem::path& file, const std::string& text) {
    std::filesystem::create_directories((run_ / file).parent_path());
    std::ofstream(run_ / file, std::ios::app | std::ios::binary) << text;
  }
  void AppendLine(const std::filesystem::path& file, const google::protobuf::Message& message) {
    Append(file, *base::ToJson(message, true) + "\n");
  }

  static v1::StepMetrics Step(int64_t step, double loss) {
    v1::StepMetrics metrics;
    metrics.set_step(step);
    metrics.set_loss(loss);
    return metrics;
  }

  // A job, and three classes with 200, 50 and 5 images.
  void Begin() {
    v1::JobSpec spec;
    spec.set_name("clipart");
    spec.mutable_schedule()->set_steps(100);
    v1::DatasetInfo data;
    data.set_images(240);
    for (const auto& [name, images] : {std::pair("sky", 200), {"cow", 50}, {"cat", 5}}) {
      v1::ClassInfo& one = *data.add_classes();
      one.set_name(name);
      one.set_images(images);
    }
    ASSERT_TRUE(run::RecordRun(run_, spec, data).ok());
  }

  base::PrivateFolder folder_;
  std::filesystem::path run_;
};

}  // namespace ltml::view
