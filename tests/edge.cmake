# Tests of server/edge. edge_core's need no server; the others call a real edge whose engine is a stand-in.
foreach(name connections error exchange gate request scores wire)
  resnetd_test(edge_${name}_test SOURCES unit/edge_${name}_test.cc LIBS resnetd::edge_core resnetd::metrics resnetd::proto absl::time)
endforeach()

# A distribution's gRPC is opaque to ThreadSanitizer, which then reports a race at every hand-over inside it.
if(NOT RESNETD_SANITIZE MATCHES "thread")
  add_library(edge_server STATIC e2e/edge_server.cc)
  target_link_libraries(edge_server PUBLIC resnetd_flags resnetd::edge resnetd::grpc resnetd::metrics
                        resnetd::model_repository resnetd::scheduling absl::time)
  foreach(name calls flow protocol)
    resnetd_test(edge_${name}_test SOURCES e2e/edge_${name}_test.cc LIBS edge_server)
  endforeach()
endif()
