# drumlin_room(NAME <room> [SOURCES ...] [DEPS <rooms> ...] [LIBS <outside libraries> ...])
#
# One room = one static library drumlin_<room>. DEPS are the rooms it may include: tools/layers.py
# reads these very calls and fails on an include that no call names. A slash in NAME (kv/api)
# becomes an underscore in the target. Without SOURCES the room is headers only.
function(drumlin_room)
  cmake_parse_arguments(R "" "NAME" "SOURCES;DEPS;LIBS" ${ARGN})
  string(REPLACE "/" "_" target "drumlin_${R_NAME}")
  set(deps ${R_DEPS})
  list(TRANSFORM deps REPLACE "/" "_")
  list(TRANSFORM deps PREPEND drumlin_)
  if(R_SOURCES)
    add_library(${target} STATIC ${R_SOURCES})
    target_link_libraries(${target} PUBLIC drumlin_flags ${deps} ${R_LIBS})
  else()
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE drumlin_flags ${deps} ${R_LIBS})
  endif()
endfunction()

# drumlin_test(NAME <name> SOURCES ... DEPS <rooms> ... [LIBS ...] [LABELS core|sim|client|...])
#
# One GoogleTest binary, one ctest case (the suite prints its own cases). LABELS defaults to core:
# the core suites together stay within 60 seconds.
function(drumlin_test)
  cmake_parse_arguments(T "" "NAME;TIMEOUT" "SOURCES;DEPS;LIBS;LABELS;ARGS" ${ARGN})
  set(deps ${T_DEPS})
  list(TRANSFORM deps REPLACE "/" "_")
  list(TRANSFORM deps PREPEND drumlin_)
  add_executable(${T_NAME} ${T_SOURCES})
  target_link_libraries(${T_NAME} PRIVATE drumlin_flags ${deps} ${T_LIBS} GTest::gtest GTest::gtest_main)
  add_test(NAME ${T_NAME} COMMAND ${T_NAME} ${T_ARGS} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  if(NOT T_LABELS)
    set(T_LABELS core)
  endif()
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  set_tests_properties(${T_NAME} PROPERTIES LABELS "${T_LABELS}" TIMEOUT ${T_TIMEOUT})
endfunction()

# drumlin_schema(<variable for the sources> <room> <file.capnp> ...)
#
# Cap'n Proto schemas of a room; include the result as "<room>/<file>.capnp.h".
function(drumlin_schema out room)
  set(CAPNPC_OUTPUT_DIR ${PROJECT_BINARY_DIR}/generated/${room})
  file(MAKE_DIRECTORY ${CAPNPC_OUTPUT_DIR})
  capnp_generate_cpp(sources headers ${ARGN})
  set_source_files_properties(${sources} PROPERTIES COMPILE_OPTIONS "-w")
  set(${out} ${sources} PARENT_SCOPE)
endfunction()
