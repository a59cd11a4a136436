# Tests of scheduling
resnetd_test(batch_rule_test SOURCES unit/batch_rule_test.cc LIBS resnetd::scheduling)
resnetd_test(cost_model_test SOURCES unit/cost_model_test.cc LIBS resnetd::scheduling)
resnetd_test(policy_test SOURCES unit/policy_test.cc LIBS resnetd::scheduling)
resnetd_test(policy_overload_test SOURCES unit/policy_overload_test.cc LIBS resnetd::scheduling)
resnetd_test(policy_simulation_test SOURCES unit/policy_simulation_test.cc unit/policy_twin.cc LIBS resnetd::scheduling)
resnetd_test(scheduler_test SOURCES unit/scheduler_test.cc LIBS resnetd::scheduling)
