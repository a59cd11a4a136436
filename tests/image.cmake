# Tests of image. tests/golden/image holds what Pillow makes of the same files and pixels.
add_library(image_golden STATIC unit/image_golden.cc)
target_link_libraries(image_golden PUBLIC resnetd_flags absl::span absl::strings GTest::gtest)
target_compile_definitions(image_golden PRIVATE RESNETD_GOLDEN_FOLDER="${CMAKE_CURRENT_SOURCE_DIR}/golden/image")

resnetd_test(image_recipe_test SOURCES unit/image_recipe_test.cc LIBS resnetd::image)
resnetd_test(image_sniff_test SOURCES unit/image_sniff_test.cc LIBS resnetd::image image_golden)
resnetd_test(image_decode_test SOURCES unit/image_decode_test.cc LIBS resnetd::image image_golden JPEG::JPEG)
resnetd_test(image_resize_test SOURCES unit/image_resize_test.cc LIBS resnetd::image image_golden)
resnetd_test(image_preprocessor_test SOURCES unit/image_preprocessor_test.cc unit/allocations.cc
             LIBS resnetd::image image_golden PNG::PNG)

# For tests/golden/check_photos.py, which compares with Pillow on any folder of photographs.
resnetd_program(image_dump SOURCES golden/image_dump.cc LIBS resnetd::image)
