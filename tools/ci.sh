#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The stages of continuous integration. .ci/run runs all of them, the GitHub workflows some in each job:
#   bash tools/ci.sh STAGE...
# Environments and builds lie in $PRONGHORN_CI_DIR: `user` is a virtual environment where nothing but
# `pip install ".[test]"` happens, `tools` has what developers use.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}
DIR=${PRONGHORN_CI_DIR:-build/ci}
mkdir -p "$DIR"
DIR=$(cd "$DIR" && pwd)
USER_PYTHON=$DIR/user/bin/python
# Of processors. The goal is three minutes of two at rest, 360; one commit took 305 and 379 in an hour on a
# shared host, so the limit is for what has got out of hand.
MAX_INSTALL_SECONDS=600
MAX_INSTALL_MEGABYTES=100

new_environment() { # name: from nothing
    rm -rf "${DIR:?}/$1"
    "$PYTHON" -m venv "$DIR/$1"
}

tools_environment() { # made once; its commands come first in PATH
    if [ ! -x "$DIR/tools/bin/pre-commit" ]; then
        new_environment tools
        "$DIR/tools/bin/pip" install --quiet \
            "cmake>=3.24" "ninja>=1.11" "pre-commit>=4" "pybind11>=3" "pybind11-stubgen>=2.5" \
            "ruff~=0.17.0" "scipy-openblas32>=0.3.29" typing-extensions
    fi
    PATH=$DIR/tools/bin:$PATH
}

site_packages() { # environment
    "$DIR/$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))'
}

configure_and_build() { # preset, further arguments of cmake
    local preset=$1
    shift
    tools_environment
    cmake --preset "$preset" -B "$DIR/$preset" -DPython_EXECUTABLE="$DIR/tools/bin/python" "$@"
    cmake --build "$DIR/$preset" --parallel "$(nproc)"
}

pytest_at_once() { # environment, arguments; on all processors, with one thread where tests do not say
    # how many
    local python=$DIR/$1/bin/python
    shift
    PRONGHORN_NUM_THREADS=1 "$python" -m pytest -q -n "$(nproc)" --dist worksteal "$@"
}

stage_lint() {
    tools_environment
    pre-commit run --all-files --show-diff-on-failure
    python tools/check_architecture.py --sizes
}

stage_apt() { # what a person would apt
    local missing=()
    [ -e /usr/include/doctest/doctest.h ] || missing+=(doctest-dev)
    command -v clang-tidy >/dev/null || missing+=(clang-tidy)
    compgen -G "/usr/lib/llvm-*/lib/clang/*/include/omp.h" >/dev/null || missing+=(libomp-dev)
    command -v g++ >/dev/null || missing+=(g++)
    [ ${#missing[@]} -gt 0 ] || return 0
    local sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

stage_install() { # the README's command, timed and weighed
    new_environment user
    local TIMEFORMAT='%0R %0U %0S' waited user system seconds megabytes
    { time "$DIR/user/bin/pip" install ".[test]" 2>&3; } 3>&2 2>"$DIR/install-times"
    read -r waited user system <"$DIR/install-times"
    seconds=$((user + system))
    megabytes=$(du -sm "$(site_packages user)/pronghorn" | cut -f1)
    echo "installed in $waited s, $seconds s of processors (at most $MAX_INSTALL_SECONDS)," \
        "$megabytes MB (at most $MAX_INSTALL_MEGABYTES)"
    "$DIR/user/bin/pronghorn" info
    [ "$seconds" -le "$MAX_INSTALL_SECONDS" ]
    [ "$megabytes" -le "$MAX_INSTALL_MEGABYTES" ]
}

stage_pytest() { # the README's command; tests of ops say how many threads, so several run at a time
    pytest_at_once user tests/ops
    "$DIR/user/bin/pytest" --ignore tests/ops --ignore tests/packaging
}

stage_isas() { # the other instruction sets, but for what is the same on all; the widest is what
    # stage_pytest ran on, with check_op of all
    local supported isa
    supported=$("$USER_PYTHON" -c \
        'from pronghorn._native import core; print(*core.supported_isas())')
    for isa in avx512 avx2 baseline; do
        case " $supported " in
            " $isa "*) echo "$isa: what pytest has run on" ;;
            *" $isa "*)
                PRONGHORN_ISA=$isa PRONGHORN_CHECK_QUICKLY=1 pytest_at_once user -m "not isa" \
                    --ignore tests/packaging --ignore tests/parity
                ;;
            *) echo "$isa: not possible on this CPU" ;;
        esac
    done
}

stage_stub() { # the committed _core.pyi is what the extension says
    tools_environment
    PYTHONPATH=$(site_packages user) python tools/stub.py --check
}

stage_cpp() { # warnings are errors here; the kernels' symbols are those of optimised objects
    configure_and_build dev -DPRONGHORN_WERROR=ON
    "$DIR/dev/pronghorn_tests"
    PRONGHORN_BUILD_DIR=$DIR/dev "$DIR/user/bin/pytest" -q tests/packaging/test_kernel_symbols.py
}

stage_packaging() {
    pytest_at_once user tests/packaging
}

stage_parity() { # against Keras on JAX, in an environment that has what `user` has, and the extra
    new_environment parity
    site_packages user >"$(site_packages parity)/user.pth"
    "$DIR/parity/bin/pip" install --quiet "pronghorn[parity]"
    if "$DIR/parity/bin/pip" list | grep -i '^torch'; then
        echo "the extra [parity] pulls in torch"
        return 1
    fi
    KERAS_BACKEND=jax pytest_at_once parity tests/parity
}

stage_asan() { # C++ tests and op tests; libstdc++ is preloaded so that exceptions are seen,
    # and pytest leaves stderr to the sanitizers
    configure_and_build asan
    export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
    export UBSAN_OPTIONS=print_stacktrace=1
    "$DIR/asan/pronghorn_tests"
    rm -rf "$DIR/asan/python"
    cp -r python "$DIR/asan/python"
    rm -f "$DIR"/asan/python/pronghorn/_core*.so
    cp "$DIR"/asan/_core*.so "$DIR/asan/python/pronghorn/"
    # Drawn shapes, and most differences in NumPy, are left to the stages that are ten times as fast.
    PYTHONPATH="$DIR/asan/python" PYTHONMALLOC=malloc PRONGHORN_CHECK_QUICKLY=1 \
        LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so.6)" \
        pytest_at_once user --capture=sys -m "not slow" -k "not drawn " tests/ops
}

stage_tidy() { # reads the sources as the developers' build compiles them
    tools_environment
    cmake --preset dev -B "$DIR/tidy" -DPython_EXECUTABLE="$DIR/tools/bin/python"
    run-clang-tidy -p "$DIR/tidy" -quiet >"$DIR/tidy.log" 2>&1 || {
        grep -v -e " warnings generated" -e "^clang-tidy" "$DIR/tidy.log"
        return 1
    }
}

stage_benchmarks() { # one iteration; answers are checked
    "$USER_PYTHON" -m benchmarks.train lenet5:32 --smoke --against numpy
    "$USER_PYTHON" -m benchmarks.inference --smoke --against numpy
}

for stage in "$@"; do
    echo "=== $stage"
    start=$SECONDS
    "stage_$stage"
    echo "=== $stage: $((SECONDS - start)) s"
done
