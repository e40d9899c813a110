# Compiler, warnings, sanitizers, ccache and mold: everything that is the same for all targets.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
# CHECK is always on and does not look at NDEBUG; assert() is not used.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")

find_program(DRUMLIN_CCACHE ccache)
if(DRUMLIN_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${DRUMLIN_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${DRUMLIN_CCACHE})
endif()
find_program(DRUMLIN_MOLD mold)
if(DRUMLIN_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_library(drumlin_flags INTERFACE)
target_compile_options(drumlin_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wimplicit-fallthrough -Wundef -fno-omit-frame-pointer)
target_include_directories(drumlin_flags INTERFACE
  ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
# SYSTEM: generated code is not held to our warnings.
target_include_directories(drumlin_flags SYSTEM INTERFACE ${PROJECT_BINARY_DIR}/generated)

# x86-64-v2 covers SSE4.2; the libraries pick wider instructions at run time.
include(CheckCXXCompilerFlag)
check_cxx_compiler_flag(-march=x86-64-v2 DRUMLIN_HAS_X86_64_V2)
if(DRUMLIN_HAS_X86_64_V2)
  target_compile_options(drumlin_flags INTERFACE -march=x86-64-v2)
endif()

set(DRUMLIN_SANITIZE "" CACHE STRING "address,undefined | thread | empty")
if(DRUMLIN_SANITIZE)
  # Global, so that GoogleTest mains and generated code carry it too.
  add_compile_options(-fsanitize=${DRUMLIN_SANITIZE} -fno-sanitize-recover=all -O1)
  add_link_options(-fsanitize=${DRUMLIN_SANITIZE})
  # With them GCC takes members of <regex> and <functional> for uninitialised; the sanitizers know better.
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
endif()

# Preset fuzz: everything is instrumented for libFuzzer; only the targets of fuzz/ are worth building.
set(DRUMLIN_FUZZ OFF CACHE BOOL "coverage-guided fuzz targets (clang)")
if(DRUMLIN_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
