# Tests of resnetd and resnetctl as they are shipped, called over sockets. Run by Debian's own Python, which has Debian's
# grpc; the stubs are generated once.
set(e2e_python /usr/bin/python3)
set(e2e_stubs ${CMAKE_CURRENT_BINARY_DIR}/e2e_stubs)
add_test(NAME e2e_stubs COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/e2e/make_stubs.sh ${e2e_stubs})
set_tests_properties(e2e_stubs PROPERTIES TIMEOUT 60 LABELS e2e FIXTURES_SETUP e2e_stubs)

# server_e2e_test(NAME [ARGS arg...] [LABELS label...] [TIMEOUT seconds]): tests/e2e/NAME.py RESNETD RESNETCTL arg...
function(server_e2e_test name)
  cmake_parse_arguments(A "" "TIMEOUT" "ARGS;LABELS" ${ARGN})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 180)
  endif()
  string(REPLACE "_slow" "" script ${name})
  add_test(NAME e2e_${name} COMMAND ${e2e_python} ${CMAKE_CURRENT_SOURCE_DIR}/e2e/${script}.py
           $<TARGET_FILE:resnetd> $<TARGET_FILE:resnetctl> ${A_ARGS})
  set_tests_properties(e2e_${name} PROPERTIES
    TIMEOUT ${A_TIMEOUT} LABELS "e2e;${A_LABELS}" FIXTURES_REQUIRED e2e_stubs
    ENVIRONMENT "PYTHONPATH=${e2e_stubs}:${CMAKE_CURRENT_SOURCE_DIR}/packaging;PYTHONDONTWRITEBYTECODE=1")
endfunction()

server_e2e_test(answers_test)
server_e2e_test(bad_input_test)
server_e2e_test(echo_test)
server_e2e_test(outputs_test)
# Small networks as the field has them, which are not in the repository.
set(RESNETD_FIELD "" CACHE PATH "Folder of the networks of e2e/field_test.py; if empty, that beside the checkout")
set(field ${RESNETD_FIELD})
if(NOT field AND IS_DIRECTORY ${CMAKE_SOURCE_DIR}/../shared/data/field)
  set(field ${CMAKE_SOURCE_DIR}/../shared/data/field)
endif()
server_e2e_test(field_test ARGS "${field}")
set_tests_properties(e2e_field_test PROPERTIES SKIP_REGULAR_EXPRESSION "NO FIELD NETWORKS")
if(NOT field)
  message(NOTICE "NO FIELD NETWORKS: RESNETD_FIELD names no folder, e2e_field_test is skipped")
endif()
server_e2e_test(start_test)
server_e2e_test(stop_test)
server_e2e_test(signals_test)
server_e2e_test(descriptors_test)
server_e2e_test(descriptors_test_slow ARGS slow LABELS slow)
# One SIGTERM at each load, and in the slow variant a hundred.
server_e2e_test(drain_test ARGS 1)
server_e2e_test(drain_test_slow ARGS 100 TIMEOUT 3600 LABELS slow)
server_e2e_test(flow_test)
server_e2e_test(keepalive_test)
server_e2e_test(keepalive_test_slow ARGS slow LABELS slow)
server_e2e_test(metrics_test)
server_e2e_test(throttle_test ARGS default)
server_e2e_test(throttle_test_slow ARGS resnet18 LABELS slow)
server_e2e_test(probes_test)
server_e2e_test(resnetctl_test)
server_e2e_test(bulk_test)
server_e2e_test(bulk_test_slow ARGS beside_load TIMEOUT 1800 LABELS slow)
server_e2e_test(inspect_test ARGS ${families})
set_tests_properties(e2e_inspect_test PROPERTIES FIXTURES_REQUIRED "e2e_stubs;family_test_models")
# ResNet-50 of 64x64 images; as published, 224x224, it takes minutes.
server_e2e_test(mixed_calls_test ARGS 64 TIMEOUT 900)
server_e2e_test(mixed_calls_test_slow ARGS 224 TIMEOUT 3600 LABELS slow)
