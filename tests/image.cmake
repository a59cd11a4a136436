# Tests of image. tests/golden/image holds what Pillow makes of the same files and pixels.
include(image_files.cmake)

resnetd_test(image_recipe_test SOURCES unit/image_recipe_test.cc LIBS resnetd::image)
resnetd_test(image_sniff_test SOURCES unit/image_sniff_test.cc LIBS resnetd::image image_golden)
resnetd_test(image_cost_test SOURCES unit/image_cost_test.cc LIBS resnetd::image absl::strings)
resnetd_test(image_decode_test SOURCES unit/image_decode_test.cc LIBS resnetd::image image_golden JPEG::JPEG)
resnetd_test(image_orientation_test SOURCES unit/image_orientation_test.cc LIBS resnetd::image image_golden)
resnetd_test(image_resize_test SOURCES unit/image_resize_test.cc LIBS resnetd::image image_golden)
resnetd_test(image_scaling_test SOURCES unit/image_scaling_test.cc LIBS resnetd::image image_golden)
resnetd_test(image_preprocessor_test SOURCES unit/image_preprocessor_test.cc
             LIBS resnetd::image image_golden PNG::PNG)
resnetd_test(image_scratch_test SOURCES unit/image_scratch_test.cc unit/allocations.cc LIBS resnetd::image image_golden)

# Photographs are not in the repository, and may lie beside the checkout. Without them the test is skipped, and says so.
set(RESNETD_PHOTOS "" CACHE PATH "Folder of the photographs of tests/golden/image/photos.txt; if empty, that beside the checkout")
set(photos ${RESNETD_PHOTOS})
if(NOT photos AND IS_DIRECTORY ${CMAKE_SOURCE_DIR}/../shared/data/photos)
  set(photos ${CMAKE_SOURCE_DIR}/../shared/data/photos)
endif()
resnetd_test(image_photos_test SOURCES unit/image_photos_test.cc LIBS resnetd::image image_golden)
set_tests_properties(image_photos_test PROPERTIES SKIP_REGULAR_EXPRESSION "NO PHOTOGRAPHS")
if(photos)
  set_tests_properties(image_photos_test PROPERTIES ENVIRONMENT "RESNETD_PHOTOS=${photos}")
else()
  message(NOTICE "NO PHOTOGRAPHS: RESNETD_PHOTOS names no folder, generated images stand in for them in the tests")
endif()

# hostile_dump is for tests/golden/make_hostile_golden.py, which has Pillow judge the same files.
resnetd_test(image_hostile_test SOURCES unit/image_hostile_test.cc LIBS resnetd::image image_golden image_hostile)
resnetd_test(image_memory_test SOURCES unit/image_memory_test.cc
             LIBS resnetd::image image_golden image_hostile PNG::PNG)
resnetd_program(hostile_dump SOURCES golden/hostile_dump.cc LIBS image_hostile)

# For tests/golden/check_images.py, which compares with Pillow and torchvision on any folder of photographs.
resnetd_program(image_dump SOURCES golden/image_dump.cc LIBS resnetd::image)
