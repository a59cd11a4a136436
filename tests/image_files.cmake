# Image files for the tests and the fuzzers: those in tests/golden/image, and those that no camera wrote.
set(tests ${CMAKE_SOURCE_DIR}/tests)
add_library(image_golden STATIC ${tests}/unit/image_golden.cc)
target_link_libraries(image_golden PUBLIC resnetd_flags absl::span absl::strings GTest::gtest)
target_compile_definitions(image_golden PRIVATE RESNETD_GOLDEN_FOLDER="${tests}/golden/image")

add_library(image_hostile STATIC ${tests}/unit/image_hostile.cc ${tests}/unit/image_hostile_jpeg.cc
            ${tests}/unit/image_hostile_png.cc ${tests}/unit/image_hostile_webp.cc ${tests}/unit/image_large.cc)
target_link_libraries(image_hostile PUBLIC image_golden PRIVATE JPEG::JPEG PNG::PNG)
