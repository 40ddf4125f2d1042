# Foreign libraries.  All from Debian, but LibTorch, which is a wheel unpacked by scripts/setup.
find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(simdjson REQUIRED)
find_package(GTest REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
if(NOT LTML_PART STREQUAL training)
  find_package(Protobuf REQUIRED)
  find_package(PkgConfig REQUIRED)
  find_package(LibArchive REQUIRED)
  find_package(JPEG REQUIRED)
  find_package(CLI11 REQUIRED)
  find_package(SQLiteCpp REQUIRED)
  pkg_check_modules(SPNG REQUIRED IMPORTED_TARGET spng)
  pkg_check_modules(GRPC REQUIRED IMPORTED_TARGET grpc++)
  # Its flags define NOMINMAX, which would not match the precompiled Torch header.
  set_property(TARGET PkgConfig::GRPC PROPERTY INTERFACE_COMPILE_OPTIONS)
  pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)
  pkg_check_modules(PROMETHEUS REQUIRED IMPORTED_TARGET prometheus-cpp-core)
  pkg_check_modules(TOMLPLUSPLUS REQUIRED IMPORTED_TARGET tomlplusplus)
  find_package(MPI REQUIRED COMPONENTS C)
  find_program(LTML_PROTOC protoc REQUIRED)
  find_program(LTML_GRPC_PLUGIN grpc_cpp_plugin REQUIRED)
endif()

# The wheel brings protobuf and fmt headers of its own, so its folders must come after Debian's:
# -idirafter does that, -I and -isystem do not.  A Debian LibTorch would then win: refuse it.
if(EXISTS /usr/include/ATen)
  message(FATAL_ERROR "Debian's libtorch-dev is installed and hides the pinned LibTorch: "
    "remove the package libtorch-dev")
endif()
set(LTML_TORCH_ROOT ${CMAKE_SOURCE_DIR}/.deps/python/torch CACHE PATH "the unpacked torch wheel")
if(NOT EXISTS ${LTML_TORCH_ROOT}/lib/libtorch_cpu.so)
  message(FATAL_ERROR "no LibTorch in ${LTML_TORCH_ROOT}: run scripts/setup first")
endif()
add_library(torch_wheel INTERFACE)
target_compile_options(torch_wheel INTERFACE
  "SHELL:-idirafter ${LTML_TORCH_ROOT}/include"
  "SHELL:-idirafter ${LTML_TORCH_ROOT}/include/torch/csrc/api/include")
target_link_libraries(torch_wheel INTERFACE
  ${LTML_TORCH_ROOT}/lib/libtorch_cpu.so ${LTML_TORCH_ROOT}/lib/libc10.so)
target_link_options(torch_wheel INTERFACE
  -Wl,-rpath,${LTML_TORCH_ROOT}/lib
  -Wl,--allow-shlib-undefined)
