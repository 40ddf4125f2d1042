# A thin face over scripts/ and CMake.
.PHONY: help setup build test unit format lint bench asan tsan cuda demo clean
help:
	@echo 'make setup | build | test | unit | format | lint | bench | asan | tsan | cuda | demo | clean'
setup:
	scripts/setup
build: setup
	scripts/build
test:
	scripts/test
unit:
	scripts/test -L unit
format:
	scripts/check --fix
lint: build
	scripts/check
	scripts/lint
bench: build
	scripts/build ltml_benchmarks comparison_programs load_ranks bare_coordinator
	build/tests/ltml_benchmarks
	for one in service sessions overhead; do /usr/bin/python3 tests/benchmark/$${one}_benchmark.py || exit; done
	@if [ -x .deps/peers/bin/python ]; then tests/benchmark/compare.py; \
	else echo 'comparisons with peers are left out: scripts/peers installs the peers'; fi
asan: setup
	cmake --preset asan-ubsan
	ninja -C build/asan-ubsan
	ctest --test-dir build/asan-ubsan -L unit --output-on-failure
tsan: setup
	cmake --preset tsan
	ninja -C build/tsan thread_tests
	ctest --test-dir build/tsan -L threads --output-on-failure --no-tests=error
cuda:
	scripts/cuda
	ctest --test-dir build -L gpu --output-on-failure --no-tests=error
demo:
	scripts/demo
clean:
	rm -rf build
