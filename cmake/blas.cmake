# SPDX-License-Identifier: Apache-2.0
# The target pronghorn_blas, for cpp/ops/gemm.cpp alone. PRONGHORN_BLAS_PREFIX is what stands before
# the names of its functions (scipy_, or nothing).
# By default OpenBLAS comes from the scipy-openblas32 package of the Python that builds, as a private
# copy under a name of its own: SciPy loads a library of the same SONAME, and its thread count, or one
# set through threadpoolctl, must not become ours.
set(PRONGHORN_BLAS "scipy-openblas" CACHE STRING
    "scipy-openblas, or a vendor that CMake's FindBLAS knows (OpenBLAS, Intel10_64lp_seq, FLAME, ...)")

add_library(pronghorn_blas INTERFACE)
if(PRONGHORN_BLAS STREQUAL "scipy-openblas")
    execute_process(
        COMMAND "${Python_EXECUTABLE}" "${CMAKE_CURRENT_LIST_DIR}/private_openblas.py"
                "${PROJECT_BINARY_DIR}/_libs"
        OUTPUT_VARIABLE private_blas OUTPUT_STRIP_TRAILING_WHITESPACE
        ERROR_VARIABLE message RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "No private copy of OpenBLAS from the package scipy-openblas32 of "
            "${Python_EXECUTABLE}. `pip install scipy-openblas32`, or choose another BLAS with "
            "-DPRONGHORN_BLAS=OpenBLAS.\n${message}")
    endif()
    add_library(pronghorn_openblas SHARED IMPORTED)
    set_target_properties(pronghorn_openblas PROPERTIES IMPORTED_LOCATION "${private_blas}")
    target_link_libraries(pronghorn_blas INTERFACE pronghorn_openblas)
    target_compile_definitions(pronghorn_blas INTERFACE PRONGHORN_BLAS_PREFIX=scipy_)
    install(DIRECTORY "${PROJECT_BINARY_DIR}/_libs" DESTINATION pronghorn)
else()
    set(BLA_VENDOR "${PRONGHORN_BLAS}")
    find_package(BLAS REQUIRED)
    target_link_libraries(pronghorn_blas INTERFACE BLAS::BLAS)
    target_compile_definitions(pronghorn_blas INTERFACE PRONGHORN_BLAS_PREFIX=)
endif()
