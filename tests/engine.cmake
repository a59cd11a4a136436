# Tests of engine
add_subdirectory(reference)

resnetd_test(graph_test SOURCES unit/graph_test.cc LIBS resnetd::graph)
resnetd_test(planner_test SOURCES unit/planner_test.cc LIBS resnetd::memory absl::strings)
resnetd_test(passes_test SOURCES unit/passes_test.cc LIBS resnetd::passes resnetd::reference)
resnetd_test(plan_test SOURCES unit/plan_test.cc unit/plan_checker.cc LIBS resnetd::onednn resnetd::reference absl::strings)
