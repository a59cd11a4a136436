# Tests of image. tests/golden/image holds what Pillow makes of the same files and pixels.
include(image_files.cmake)

resnetd_test(image_recipe_test SOURCES unit/image_recipe_test.cc LIBS resnetd::image)
resnetd_test(image_sniff_test SOURCES unit/image_sniff_test.cc LIBS resnetd::image image_golden)
resnetd_test(image_cost_test SOURCES unit/image_cost_test.cc LIBS resnetd::image)
resnetd_test(image_decode_test SOURCES unit/image_decode_test.cc LIBS resnetd::image image_golden JPEG::JPEG)
resnetd_test(image_orientation_test SOURCES unit/image_orientation_test.cc LIBS resnetd::image image_golden)
resnetd_test(image_resize_test SOURCES unit/image_resize_test.cc LIBS resnetd::image image_golden)
resnetd_test(image_scaling_test SOURCES unit/image_scaling_test.cc LIBS resnetd::image image_golden)
resnetd_test(image_preprocessor_test SOURCES unit/image_preprocessor_test.cc unit/allocations.cc
             LIBS resnetd::image image_golden PNG::PNG)

# hostile_dump is for tests/golden/make_hostile_golden.py, which has Pillow judge the same files.
resnetd_test(image_hostile_test SOURCES unit/image_hostile_test.cc LIBS resnetd::image image_golden image_hostile)
resnetd_test(image_memory_test SOURCES unit/image_memory_test.cc
             LIBS resnetd::image image_golden image_hostile PNG::PNG)
resnetd_program(hostile_dump SOURCES golden/hostile_dump.cc LIBS image_hostile)

# For tests/golden/check_images.py, which compares with Pillow and torchvision on any folder of photographs.
resnetd_program(image_dump SOURCES golden/image_dump.cc LIBS resnetd::image)
