# One library a folder, one test program a folder.

# ltml_library(NAME SOURCES ... [DEPENDS ...] [PRIVATE_DEPENDS ...] [TORCH])
#   PRIVATE_DEPENDS: libraries that no header of ours shows.
#   TORCH: includes and links LibTorch and shares the one precompiled Torch header.
function(ltml_library name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;DEPENDS;PRIVATE_DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_DEPENDS}
    PRIVATE ${ARG_PRIVATE_DEPENDS} ltml_warnings)
  if(ARG_TORCH)
    ltml_use_torch(${name})
  endif()
endfunction()

# ltml_program(NAME SOURCES ... [DEPENDS ...] [TORCH]): a program in build/bin.
function(ltml_program name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} ltml_warnings)
  if(ARG_TORCH)
    ltml_use_torch(${name})
  endif()
endfunction()

# ltml_test(NAME SOURCES ... [DEPENDS ...] [LABEL unit] [TORCH]): a GoogleTest program, run whole.
# It finds golden values and test data below the macro LTML_SOURCE_DIR.
function(ltml_test name)
  cmake_parse_arguments(ARG "TORCH" "LABEL;TIMEOUT" "SOURCES;DEPENDS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_compile_definitions(${name} PRIVATE
    LTML_SOURCE_DIR="${CMAKE_SOURCE_DIR}" LTML_BINARY_DIR="${CMAKE_BINARY_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} ltml_warnings GTest::gmock_main)
  if(ARG_TORCH)
    ltml_use_torch(${name})
  endif()
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "OMP_NUM_THREADS=1")
  if(name IN_LIST ltml_thread_tests)
    set_property(TEST ${name} APPEND PROPERTY LABELS threads)
    add_dependencies(thread_tests ${name})
  endif()
  if(NOT ARG_LABEL STREQUAL unit)
    # Processes with deadlines: they get the machine to themselves.
    set_tests_properties(${name} PROPERTIES RUN_SERIAL TRUE)
  endif()
endfunction()

# ltml_test_simd(NAME FILTER VALUE...): tests of a program once more with LTML_SIMD=VALUE
# (common/base/cpu.h).
function(ltml_test_simd name filter)
  foreach(simd ${ARGN})
    add_test(NAME ${name}_${simd} COMMAND ${name} --gtest_filter=${filter}
      WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(${name}_${simd} PROPERTIES LABELS unit TIMEOUT 120
      ENVIRONMENT "OMP_NUM_THREADS=1;LTML_SIMD=${simd}")
  endforeach()
endfunction()

function(ltml_use_torch name)
  if(NOT TARGET torch_precompiled)
    file(WRITE ${CMAKE_BINARY_DIR}/torch_precompiled.cc "")
    add_library(torch_precompiled OBJECT ${CMAKE_BINARY_DIR}/torch_precompiled.cc)
    target_link_libraries(torch_precompiled PUBLIC torch_wheel PRIVATE ltml_warnings)
    target_precompile_headers(torch_precompiled PRIVATE ${CMAKE_SOURCE_DIR}/cmake/torch_precompiled.h)
  endif()
  target_link_libraries(${name} PRIVATE torch_wheel)
  # The precompiled header is made with -fPIC, which serves programs as well as -fPIE.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  target_precompile_headers(${name} REUSE_FROM torch_precompiled)
endfunction()
