# Declares our targets: one function for a library, one for a program, one for a test.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  # pch_defines,time_macros: lets ccache work with precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()

add_library(resnetd_flags INTERFACE)
# Clang warns of what libstdc++ 12 itself calls in std::stable_sort(), and does not know all of g++'s pragmas.
target_compile_options(resnetd_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror
                       "$<$<CXX_COMPILER_ID:Clang>:-Wthread-safety;-Wno-deprecated-declarations;-Wno-unknown-pragmas>")
target_include_directories(resnetd_flags INTERFACE ${CMAKE_SOURCE_DIR})
if(RESNETD_SANITIZE)
  add_compile_options(-fsanitize=${RESNETD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${RESNETD_SANITIZE})
  # The sanitizers' code confuses g++'s search for variables without a value, in the standard library's headers too.
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endif()

# resnetd_library(NAME SOURCES a.cc b.cc [PUBLIC lib...] [PRIVATE lib...])
# A static library resnetd_NAME with the alias resnetd::NAME. What its headers include goes into PUBLIC, all else into
# PRIVATE, so that a box cannot reach what it was not given.
function(resnetd_library name)
  cmake_parse_arguments(A "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(resnetd_${name} STATIC ${A_SOURCES})
  add_library(resnetd::${name} ALIAS resnetd_${name})
  target_link_libraries(resnetd_${name} PUBLIC ${A_PUBLIC} PRIVATE resnetd_flags ${A_PRIVATE})
  target_include_directories(resnetd_${name} PUBLIC ${CMAKE_SOURCE_DIR})
endfunction()

# resnetd_program(NAME SOURCES a.cc LIBS lib...)
function(resnetd_program name)
  cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE resnetd_flags ${A_LIBS})
endfunction()

# resnetd_test(NAME SOURCES a_test.cc LIBS lib... [ARGS arg...] [LABELS label...] [TIMEOUT seconds])
# A GoogleTest program that is one ctest.
function(resnetd_test name)
  cmake_parse_arguments(A "" "TIMEOUT" "SOURCES;LIBS;ARGS;LABELS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE resnetd_flags GTest::gmock GTest::gtest_main ${A_LIBS})
  add_test(NAME ${name} COMMAND ${name} ${A_ARGS})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${A_TIMEOUT} LABELS "${A_LABELS}")
  if("clients_bytes" IN_LIST A_LABELS)
    add_dependencies(clients_bytes ${name})
  endif()
endfunction()
