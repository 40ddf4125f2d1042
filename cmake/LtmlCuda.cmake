# The GPU part: ltml-worker-cuda and the tests of tests/gpu.  Programs for the processor never link it.
option(LTML_CUDA "build ltml-worker-cuda and the GPU tests (CUDA toolkit 13 with NCCL)" OFF)
if(NOT LTML_CUDA)
  return()
endif()

set(LTML_CUDA_ROOT /usr/local/cuda CACHE PATH "the CUDA toolkit 13 with NCCL")
# The processor's part of the wheel has no CUDA libraries.  `scripts/peers` installs all of it, with the
# libraries of NVIDIA that a GPU needs; .deps/cuda has what is enough to build.
file(GLOB ltml_torch_peers LIST_DIRECTORIES true
  ${CMAKE_SOURCE_DIR}/.deps/peers/lib/python3*/site-packages/torch)
set(ltml_torch_candidates
  ${LTML_TORCH_ROOT} ${ltml_torch_peers} ${CMAKE_SOURCE_DIR}/.deps/cuda/torch)
list(TRANSFORM ltml_torch_candidates APPEND /lib OUTPUT_VARIABLE ltml_torch_libraries)
# NCCL and the run-time library may also come from NVIDIA's wheels, beside Torch.
list(TRANSFORM ltml_torch_candidates APPEND /../nvidia/cu13 OUTPUT_VARIABLE ltml_cuda_wheels)
list(TRANSFORM ltml_torch_candidates APPEND /../nvidia/nccl OUTPUT_VARIABLE ltml_nccl_wheels)

function(ltml_require_cuda variable file cure)
  if(NOT ${variable})
    message(FATAL_ERROR "LTML_CUDA is on, but ${file} was found neither in ${LTML_CUDA_ROOT} nor "
      "beside Torch: ${cure}")
  endif()
endfunction()
set(ltml_toolkit_cure
  "install the CUDA toolkit 13 with NCCL, or name its folder with -DLTML_CUDA_ROOT=FOLDER")
find_path(LTML_CUDART_INCLUDE cuda_runtime.h NO_DEFAULT_PATH
  HINTS ${LTML_CUDA_ROOT} ${ltml_cuda_wheels} PATH_SUFFIXES include)
find_path(LTML_NCCL_INCLUDE nccl.h NO_DEFAULT_PATH
  HINTS ${LTML_CUDA_ROOT} ${ltml_nccl_wheels} PATH_SUFFIXES include)
find_library(LTML_CUDART NAMES cudart libcudart.so.13 NO_DEFAULT_PATH
  HINTS ${LTML_CUDA_ROOT} ${ltml_cuda_wheels} PATH_SUFFIXES lib64 lib)
find_library(LTML_NCCL NAMES nccl libnccl.so.2 NO_DEFAULT_PATH
  HINTS ${LTML_CUDA_ROOT} ${ltml_nccl_wheels} PATH_SUFFIXES lib64 lib)
# Looked for again each time: the peers may have come since.
unset(LTML_TORCH_CUDA CACHE)
unset(LTML_C10_CUDA CACHE)
find_library(LTML_TORCH_CUDA torch_cuda NO_DEFAULT_PATH HINTS ${ltml_torch_libraries})
find_library(LTML_C10_CUDA c10_cuda NO_DEFAULT_PATH HINTS ${ltml_torch_libraries})
ltml_require_cuda(LTML_CUDART_INCLUDE cuda_runtime.h "${ltml_toolkit_cure}")
ltml_require_cuda(LTML_NCCL_INCLUDE nccl.h "${ltml_toolkit_cure}")
ltml_require_cuda(LTML_CUDART libcudart.so "${ltml_toolkit_cure}")
ltml_require_cuda(LTML_NCCL libnccl.so "${ltml_toolkit_cure}")
ltml_require_cuda(LTML_TORCH_CUDA libtorch_cuda.so "run scripts/setup --cuda")
ltml_require_cuda(LTML_C10_CUDA libc10_cuda.so "run scripts/setup --cuda")

file(STRINGS ${LTML_CUDART_INCLUDE}/cuda_runtime_api.h ltml_cuda_version
  REGEX "^#define CUDART_VERSION +13[0-9]+")
if(NOT ltml_cuda_version)
  message(FATAL_ERROR "the CUDA headers in ${LTML_CUDART_INCLUDE} are not of version 13, which "
    "LibTorch was built with: ${ltml_toolkit_cure}")
endif()

# NCCL alone, without Torch.
add_library(ltml_nccl INTERFACE)
target_include_directories(ltml_nccl SYSTEM INTERFACE ${LTML_CUDART_INCLUDE} ${LTML_NCCL_INCLUDE})
target_link_libraries(ltml_nccl INTERFACE ${LTML_NCCL} ${LTML_CUDART})
# The toolkit lacks some libraries that libtorch_cuda.so names; the wheels of NVIDIA have them.
target_link_options(ltml_nccl INTERFACE -Wl,--allow-shlib-undefined)

# Torch's CUDA part.  Nothing calls it by name: it adds its operators when it is loaded.
cmake_path(GET LTML_TORCH_CUDA PARENT_PATH ltml_torch_cuda_folder)
add_library(torch_cuda INTERFACE)
target_include_directories(torch_cuda SYSTEM INTERFACE ${LTML_CUDART_INCLUDE})
target_link_libraries(torch_cuda INTERFACE torch_wheel
  -Wl,--push-state,--no-as-needed,${LTML_TORCH_CUDA},${LTML_C10_CUDA},--pop-state ltml_nccl)
target_link_options(torch_cuda INTERFACE -Wl,-rpath,${ltml_torch_cuda_folder})
