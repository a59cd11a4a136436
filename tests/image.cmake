# Tests of image
