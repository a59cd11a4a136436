# Tests of image. tests/golden/image holds what Pillow makes of the same files and pixels.
add_library(image_golden STATIC unit/image_golden.cc)
target_link_libraries(image_golden PUBLIC resnetd_flags absl::span absl::strings GTest::gtest)
target_compile_definitions(image_golden PRIVATE RESNETD_GOLDEN_FOLDER="${CMAKE_CURRENT_SOURCE_DIR}/golden/image")

resnetd_test(image_recipe_test SOURCES unit/image_recipe_test.cc LIBS resnetd::image)
resnetd_test(image_sniff_test SOURCES unit/image_sniff_test.cc LIBS resnetd::image image_golden)
resnetd_test(image_decode_test SOURCES unit/image_decode_test.cc LIBS resnetd::image image_golden JPEG::JPEG)
resnetd_test(image_orientation_test SOURCES unit/image_orientation_test.cc LIBS resnetd::image image_golden)
resnetd_test(image_resize_test SOURCES unit/image_resize_test.cc LIBS resnetd::image image_golden)
resnetd_test(image_preprocessor_test SOURCES unit/image_preprocessor_test.cc unit/allocations.cc
             LIBS resnetd::image image_golden PNG::PNG)

# Files that no camera wrote, and hostile_dump for tests/golden/make_hostile_golden.py, which has Pillow judge them.
add_library(image_hostile STATIC unit/image_hostile.cc unit/image_hostile_jpeg.cc unit/image_hostile_png.cc
            unit/image_hostile_webp.cc)
target_link_libraries(image_hostile PUBLIC image_golden PRIVATE JPEG::JPEG PNG::PNG)
resnetd_test(image_hostile_test SOURCES unit/image_hostile_test.cc LIBS resnetd::image image_golden image_hostile)
resnetd_program(hostile_dump SOURCES golden/hostile_dump.cc LIBS image_hostile)

# For tests/golden/check_photos.py, which compares with Pillow on any folder of photographs.
resnetd_program(image_dump SOURCES golden/image_dump.cc LIBS resnetd::image)
