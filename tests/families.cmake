# The engine against PyTorch and ONNX Runtime on every residual family. The networks, 1.7 GB, are made in the build folder;
# their graphs and answers are kept.
function(family_test name models expected)
  resnetd_test(${name} SOURCES golden/family_test.cc LIBS resnetd::engine absl::strings ${ARGN})
  target_compile_definitions(${name} PRIVATE FAMILY_MODELS="${models}" FAMILY_EXPECTED="${expected}")
  set_tests_properties(${name} PROPERTIES FIXTURES_REQUIRED ${name}_models ENVIRONMENT GOMP_SPINCOUNT=1000)
endfunction()

set(families ${CMAKE_CURRENT_BINARY_DIR}/families)
family_test(family_test ${families} ${CMAKE_CURRENT_SOURCE_DIR}/golden/families TIMEOUT 900)
add_test(NAME family_models
         COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/golden/family_models.py --out ${families})
set_tests_properties(family_models PROPERTIES TIMEOUT 900 FIXTURES_SETUP family_test_models)
# Once more on the oldest instruction set we serve.
add_test(NAME family_test_avx2 COMMAND family_test)
set_tests_properties(family_test_avx2 PROPERTIES FIXTURES_REQUIRED family_test_models TIMEOUT 900
                     ENVIRONMENT "ONEDNN_MAX_CPU_ISA=AVX2;GOMP_SPINCOUNT=1000")

# At their real depths and 224 pixels. PyTorch comes from PyPI and exports them here.
set(full_families ${CMAKE_CURRENT_BINARY_DIR}/full_families)
family_test(full_family_test ${full_families} ${full_families} TIMEOUT 3600 LABELS slow)
add_test(NAME full_family_models COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/golden/make_full_families.sh ${full_families})
set_tests_properties(full_family_models PROPERTIES TIMEOUT 3600 LABELS slow FIXTURES_SETUP full_family_test_models
                     FIXTURES_REQUIRED models_venv)
