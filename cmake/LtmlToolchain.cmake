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
