# Tests of packaging
