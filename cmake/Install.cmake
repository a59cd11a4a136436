# `cmake --install build/release --prefix PREFIX` puts these into PREFIX: the programs, what clients start from, and the
# documents, whose links to each other hold. Only the two programs need to be built.
include(GNUInstallDirs)

install(TARGETS resnetd resnetctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
set(resnetd_data ${CMAKE_INSTALL_DATADIR}/resnetd)
install(FILES clients/service_config.json DESTINATION ${resnetd_data})
install(DIRECTORY clients/samples DESTINATION ${resnetd_data})
install(DIRECTORY proto/resnetd proto/google proto/grpc DESTINATION ${resnetd_data}/proto FILES_MATCHING PATTERN "*.proto")
install(FILES README.md CHANGELOG.md SECURITY.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})
