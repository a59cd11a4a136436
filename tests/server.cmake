# Tests of server
resnetd_test(cpu_budget_test SOURCES unit/cpu_budget_test.cc LIBS resnetd::model_files)
resnetd_test(file_test SOURCES unit/file_test.cc LIBS resnetd::model_files absl::cleanup)
resnetd_test(model_config_test SOURCES unit/model_config_test.cc LIBS resnetd::model_files)
resnetd_test(model_source_test SOURCES unit/model_source_test.cc LIBS resnetd::model_files resnetd::metrics)
resnetd_test(process_metrics_test SOURCES unit/process_metrics_test.cc LIBS resnetd::metrics)
resnetd_test(options_test SOURCES unit/options_test.cc LIBS resnetd::server)
resnetd_test(model_loader_test SOURCES unit/model_loader_test.cc LIBS resnetd::model_loader)
