# Tests of cli
resnetd_test(cli_parts_test SOURCES unit/cli_parts_test.cc LIBS resnetd::cli)
# Each command against a small server that knows the answers.
resnetd_test(cli_commands_test
             SOURCES unit/cli_bench_test.cc unit/cli_bulk_test.cc unit/cli_classify_test.cc unit/cli_commands_test.cc
                     unit/cli_embed_test.cc unit/cli_fake_server.cc unit/cli_health_test.cc unit/cli_models_test.cc
                     unit/cli_retry_test.cc
             LIBS resnetd::cli)
resnetd_test(cli_evaluate_test
             SOURCES unit/cli_evaluate_test.cc unit/cli_evaluation_test.cc unit/cli_fake_server.cc LIBS resnetd::cli)
resnetd_test(cli_preprocess_test SOURCES unit/cli_preprocess_test.cc LIBS resnetd::cli PNG::PNG)
resnetd_test(cli_inspect_test SOURCES unit/cli_inspect_test.cc
             LIBS resnetd::cli resnetd::model_loader resnetd::onnx resnetd::reference ONNX::onnx_proto)
set_tests_properties(cli_inspect_test PROPERTIES ENVIRONMENT GOMP_SPINCOUNT=1000)
resnetd_test(projection_test SOURCES unit/projection_test.cc LIBS resnetd::projection ONNX::onnx_proto)
