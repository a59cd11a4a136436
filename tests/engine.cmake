# Tests of engine
add_subdirectory(reference)
add_subdirectory(fuzz)

resnetd_test(echo_test SOURCES unit/echo_test.cc LIBS resnetd::echo)
resnetd_test(graph_test SOURCES unit/graph_test.cc LIBS resnetd::graph)
resnetd_test(reference_test SOURCES unit/reference_test.cc LIBS resnetd::reference)
resnetd_test(residual_units_test SOURCES unit/residual_units_test.cc LIBS resnetd::graph resnetd::reference absl::strings)
resnetd_test(planner_test SOURCES unit/planner_test.cc LIBS resnetd::memory absl::strings)
resnetd_test(onnx_test SOURCES unit/onnx_test.cc unit/onnx_constants_test.cc unit/onnx_elementwise_test.cc unit/onnx_layers_test.cc
                               unit/onnx_outputs_test.cc
                               unit/onnx_shapes_test.cc unit/onnx_reject_test.cc unit/onnx_reject_nodes_test.cc unit/onnx_reject_moves_test.cc
                               unit/wire_limits_test.cc
                               unit/external_data_test.cc unit/onnx_hostile_test.cc unit/onnx_parse_test.cc
             LIBS resnetd::onnx absl::cleanup ONNX::onnx_proto)
resnetd_test(onnx_memory_test SOURCES unit/onnx_memory_test.cc LIBS resnetd::onnx ONNX::onnx_proto ARGS --gtest_filter=-*OfTwoGiB)
add_test(NAME onnx_memory_test_two_gib COMMAND onnx_memory_test --gtest_filter=*OfTwoGiB)
set_tests_properties(onnx_memory_test_two_gib PROPERTIES LABELS slow TIMEOUT 300)
resnetd_test(passes_test SOURCES unit/passes_test.cc unit/passes_transposes_test.cc unit/passes_recognise_test.cc
                                 unit/passes_stages_test.cc unit/pass_checker.cc
             LIBS resnetd::passes resnetd::reference absl::strings)
resnetd_test(kernels_test SOURCES unit/kernels_test.cc LIBS resnetd::kernels absl::strings OpenMP::OpenMP_CXX TIMEOUT 900)
resnetd_test(plan_test SOURCES unit/plan_convolutions_test.cc unit/plan_kernels_test.cc unit/plan_layers_test.cc unit/plan_elementwise_test.cc
                               unit/plan_fusions_test.cc unit/plan_windows_test.cc unit/plan_moves_test.cc
                               unit/plan_buffers_test.cc unit/plan_random_test.cc unit/plan_mates_test.cc unit/plan_split_test.cc unit/plan_team_test.cc
                               unit/plan_checker.cc
             LIBS resnetd::onednn resnetd::reference absl::strings TIMEOUT 900)
resnetd_test(residual_property_test SOURCES unit/residual_property_test.cc unit/plan_checker.cc
             LIBS resnetd::onednn resnetd::passes resnetd::reference absl::strings)

# The engine against ONNX Runtime. The networks, 700 MB, are made in the build folder; only the answers are kept.
set(golden_models ${CMAKE_CURRENT_BINARY_DIR}/golden)
add_test(NAME golden_models COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/golden/golden_models.py --out ${golden_models})
resnetd_test(golden_test SOURCES golden/golden_test.cc LIBS resnetd::engine absl::strings)
target_compile_definitions(golden_test PRIVATE GOLDEN_MODELS="${golden_models}"
                           GOLDEN_EXPECTED="${CMAKE_CURRENT_SOURCE_DIR}/golden/expected")
set_tests_properties(golden_models PROPERTIES TIMEOUT 900 FIXTURES_SETUP golden_models)
set_tests_properties(golden_test PROPERTIES FIXTURES_REQUIRED golden_models)

# Every operator of the importers against ONNX Runtime, in networks of one.
set(operator_models ${CMAKE_CURRENT_BINARY_DIR}/operators)
add_test(NAME operator_models COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/golden/operator_models.py --out ${operator_models})
resnetd_test(operator_test SOURCES golden/operator_test.cc LIBS resnetd::engine resnetd::onnx resnetd::reference absl::strings)
target_compile_definitions(operator_test PRIVATE OPERATOR_MODELS="${operator_models}"
                           OPERATOR_EXPECTED="${CMAKE_CURRENT_SOURCE_DIR}/golden/operators")
set_tests_properties(operator_models PROPERTIES FIXTURES_SETUP operator_models)
set_tests_properties(operator_test PROPERTIES FIXTURES_REQUIRED operator_models)

resnetd_test(engine_test SOURCES unit/engine_test.cc LIBS resnetd::engine absl::strings)
resnetd_test(engine_allocation_test SOURCES unit/engine_allocation_test.cc LIBS resnetd::engine ${CMAKE_DL_LIBS})
foreach(test engine_test engine_allocation_test)
  target_compile_definitions(${test} PRIVATE GOLDEN_MODELS="${golden_models}")
  set_tests_properties(${test} PROPERTIES FIXTURES_REQUIRED golden_models)
endforeach()

# Plans and networks once more on the oldest instruction set we serve: there the library picks other kernels.
add_test(NAME plan_test_avx2 COMMAND plan_test)
add_test(NAME residual_property_test_avx2 COMMAND residual_property_test)
add_test(NAME golden_test_avx2 COMMAND golden_test --gtest_filter=-*resnet101*:*resnet152*)
set_tests_properties(golden_test_avx2 PROPERTIES FIXTURES_REQUIRED golden_models)

# Tests run side by side: a thread that spins for its mates while another test has their core is waiting for long.
set(brief_spin GOMP_SPINCOUNT=1000)
set_tests_properties(kernels_test plan_test residual_property_test engine_test engine_allocation_test PROPERTIES ENVIRONMENT ${brief_spin})
set_tests_properties(plan_test_avx2 residual_property_test_avx2 golden_test_avx2 PROPERTIES TIMEOUT 900
                     ENVIRONMENT "ONEDNN_MAX_CPU_ISA=AVX2;${brief_spin}")
