# r1_library, r1_test, r1_bench, r1_fuzzer: the only ways targets are made here.

function(r1_compile_options target)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wshadow;-Wconversion;-Werror>)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # gcc 12 sees overlapping copies in "text" + string at -O3 where there are none (gcc bug 105651).
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
  endif()
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
endfunction()

# r1_library(NAME SOURCES a.cc … HEADERS a.h … DEPS r1eval::base fmt::fmt …)
# A folder's library. Include paths are relative to the repository root ("base/result.h"); each
# header is compiled alone by the target all_verify_interface_header_sets.
function(r1_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(r1eval_${name} STATIC ${ARG_SOURCES})
  add_library(r1eval::${name} ALIAS r1eval_${name})
  target_sources(r1eval_${name} PUBLIC
    FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${ARG_HEADERS})
  set_target_properties(r1eval_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  target_link_libraries(r1eval_${name} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
  r1_compile_options(r1eval_${name})
endfunction()

# r1_test(NAME SOURCES x_test.cc … DEPS r1eval::graders … [LABELS unit])
function(r1_test name)
  if(NOT R1EVAL_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE
    R1EVAL_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data"
    R1EVAL_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  r1_compile_options(${name})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
endfunction()

# r1_bench(NAME SOURCES x_bench.cc DEPS …): a Google Benchmark program.
function(r1_bench name)
  if(NOT R1EVAL_BENCHMARKS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} benchmark::benchmark benchmark::benchmark_main)
  r1_compile_options(${name})
endfunction()

# r1_fuzzer(NAME SOURCES x_fuzz.cc DEPS …): a libFuzzer program, only in the fuzz preset (clang).
function(r1_fuzzer name)
  if(NOT R1EVAL_FUZZERS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  r1_compile_options(${name})
endfunction()
