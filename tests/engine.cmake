# Tests of engine
add_subdirectory(reference)

resnetd_test(graph_test SOURCES unit/graph_test.cc LIBS resnetd::graph)
resnetd_test(planner_test SOURCES unit/planner_test.cc LIBS resnetd::memory absl::strings)
