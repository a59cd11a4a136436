# What the bytes of clients, and of files that others made, go through: the edge, the scheduler, images, the loader, the
# server end to end. These tests carry the label "clients_bytes", and the target of that name builds what they need and
# nothing else: scripts/test.sh --clients-bytes. A name that is no test is an error of CMake's.
set(clients_bytes
  edge_connections_test edge_error_test edge_exchange_test edge_gate_test edge_request_test edge_scores_test edge_wire_test
  edge_calls_test edge_flow_test edge_protocol_test
  batch_rule_test cost_model_test policy_test policy_overload_test policy_simulation_test scheduler_test
  image_recipe_test image_sniff_test image_cost_test image_decode_test image_orientation_test image_resize_test
  image_scaling_test image_preprocessor_test image_scratch_test image_photos_test image_hostile_test image_memory_test
  onnx_test onnx_memory_test
  file_test model_config_test model_source_test model_loader_test model_outputs_test model_repository_test raw_tensor_test
  e2e_answers_test e2e_bad_input_test e2e_outputs_test e2e_stop_test e2e_drain_test e2e_flow_test e2e_metrics_test)

# Those of a subfolder have their label there.
add_custom_target(clients_bytes DEPENDS resnetd resnetctl fuzz_corpus_test fuzz_image_corpus_test)
foreach(test ${clients_bytes})
  set_property(TEST ${test} APPEND PROPERTY LABELS clients_bytes)
  if(TARGET ${test})
    add_dependencies(clients_bytes ${test})
  endif()
endforeach()
