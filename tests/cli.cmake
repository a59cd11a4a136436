# Tests of cli
resnetd_test(cli_parts_test SOURCES unit/cli_parts_test.cc LIBS resnetd::cli)
resnetd_test(cli_commands_test SOURCES unit/cli_commands_test.cc LIBS resnetd::cli)
resnetd_test(cli_inspect_test SOURCES unit/cli_inspect_test.cc
             LIBS resnetd::cli resnetd::model_loader resnetd::onnx resnetd::reference ONNX::onnx_proto)
set_tests_properties(cli_inspect_test PROPERTIES ENVIRONMENT GOMP_SPINCOUNT=1000)
resnetd_test(projection_test SOURCES unit/projection_test.cc LIBS resnetd::projection ONNX::onnx_proto)
