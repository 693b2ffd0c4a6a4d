# ccache, mold, sanitizers, precompiled-header manners and the warnings target.
find_program(HEPAR_CCACHE ccache)
if(HEPAR_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${HEPAR_CCACHE})
  # ccache can use a precompiled header only when it may ignore its time stamp.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${HEPAR_CCACHE})
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
endif()

find_program(HEPAR_MOLD mold)
if(HEPAR_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

if(HEPAR_SANITIZE)
  add_compile_options(-fsanitize=${HEPAR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=${HEPAR_SANITIZE})
endif()

if(HEPAR_ARCH)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-march=${HEPAR_ARCH}>)
endif()
# Bits must not depend on how a compiler contracts a*b+c from one build to the next.
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>)

add_library(hepar_warnings INTERFACE)
target_compile_options(hepar_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
    -Wcast-qual -Wunused -Wdouble-promotion -Wformat=2>
  # GCC 12 takes "text" + std::string for overlapping memory.
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>)
