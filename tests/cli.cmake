# Tests of cli
resnetd_test(cli_parts_test SOURCES unit/cli_parts_test.cc LIBS resnetd::cli)
resnetd_test(cli_commands_test SOURCES unit/cli_commands_test.cc LIBS resnetd::cli)
