# Language, warnings, linker, compiler cache and sanitizers: the same for every target of ours.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# -O2 without NDEBUG: assertions stay on in what users run.
set(CMAKE_CXX_FLAGS_RELEASE "-O2")

find_program(LTML_CCACHE ccache)
if(LTML_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Precompiled headers need both settings, or every file of theirs misses the cache.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${LTML_CCACHE})
endif()
find_program(LTML_MOLD mold)
if(LTML_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

if(LTML_PART STREQUAL training)
  # Carried libraries find each other by the program's search path, as RPATH but not RUNPATH allows.
  add_link_options(-Wl,--disable-new-dtags)
endif()

add_library(ltml_warnings INTERFACE)
target_compile_options(ltml_warnings INTERFACE
  -Wall -Wextra -Werror -Wnon-virtual-dtor -Woverloaded-virtual -Wunused-result)

set(LTML_SANITIZE "" CACHE STRING "sanitizers of every target, as in -fsanitize=")
if(LTML_SANITIZE)
  add_compile_options(-fsanitize=${LTML_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${LTML_SANITIZE})
endif()
if(LTML_SANITIZE STREQUAL "thread")
  # Programs of threads that use no gRPC, LibTorch and OpenMP, which are not compiled for it either;
  # nccl_fake_test is there with LTML_CUDA alone.
  set(ltml_thread_tests base_test collective_test coordinator_test jobs_test launch_test metrics_test
    monitoring_test nccl_fake_test process_test sampling_test service_test store_test streams_test
    tensorboard_test unit_data)
  add_custom_target(thread_tests)
  add_library(ltml_tsan STATIC ${CMAKE_CURRENT_LIST_DIR}/tsan_abseil.cc)
  target_link_libraries(ltml_warnings INTERFACE ltml_tsan)
  foreach(name
      _ZN4absl7debian35Mutex4LockEv
      _ZN4absl7debian35Mutex6UnlockEv
      _ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE
      _ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE
      _ZN4absl7debian35MutexD1Ev
      _ZN4absl7debian312Notification6NotifyEv
      _ZNK4absl7debian312Notification19WaitForNotificationEv
      _ZNK4absl7debian312Notification30WaitForNotificationWithTimeoutENS0_8DurationE)
    add_link_options(-Wl,--wrap=${name})
  endforeach()
endif()
