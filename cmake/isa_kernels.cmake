# SPDX-License-Identifier: Apache-2.0
# Compiles the kernels once for an instruction set, into the object library pronghorn_kernels_<isa>.
# The objects are kept apart from everything else: no link-time optimisation, hidden symbols, one
# namespace per instruction set, so that code made for one CPU is never picked up for another.

# pronghorn_add_isa(<isa> <flag>...): the sources are cpp/kernels/*.cpp. Kernels never look at errno,
# and where they might the compiler calls a function for every square root.
function(pronghorn_add_isa isa)
    file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/cpp/kernels/*.cpp")
    set(target pronghorn_kernels_${isa})
    add_library(${target} OBJECT ${sources})
    target_include_directories(${target} PUBLIC "${PROJECT_SOURCE_DIR}/cpp")
    target_compile_definitions(${target} PRIVATE PRONGHORN_ISA=${isa})
    target_compile_options(${target} PRIVATE
        ${ARGN} -fno-exceptions -fno-math-errno $<$<CONFIG:Release>:-O3>)
    target_link_libraries(${target} PRIVATE pronghorn_flags)
    set_target_properties(${target} PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)
    if(PRONGHORN_SHARE)  # the compiler's header of intrinsics takes more time than many a kernel
        target_precompile_headers(${target} PRIVATE
            "${PROJECT_SOURCE_DIR}/cpp/kernels/kernels.h" "${PROJECT_SOURCE_DIR}/cpp/kernels/simd.h")
    endif()
    target_sources(pronghorn_core PRIVATE $<TARGET_OBJECTS:${target}>)
endfunction()
