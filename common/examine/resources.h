#pragma once

#include <filesystem>
#include <string>

#include "ltml/v1/examination.pb.h"

namespace ltml::examine {

// Can `folder` be written, and are `least` gigabytes free?
v1::Finding CheckSpace(const std::string& subject, const std::filesystem::path& folder,
                       double least);
v1::Finding CheckSharedMemory();
v1::Finding CheckTemporaryFolder();
v1::Finding CheckDisk(const std::string& subject, const std::filesystem::path& folder);

// Can it be listed?
v1::Finding CheckReadable(const std::string& subject, const std::filesystem::path& folder);

// Has `folder` the file that another machine has just written there?  One that is late is waited
// for, 3 s.
v1::Finding CheckShared(const std::filesystem::path& folder, const std::filesystem::path& file,
                        const std::string& content);

v1::Finding CheckOpenFiles();
v1::Finding CheckProcessor();

}  // namespace ltml::examine
