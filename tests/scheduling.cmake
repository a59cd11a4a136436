# Tests of scheduling
