# LibTorch as hepar_dep_torch. A site's own (CMAKE_PREFIX_PATH, a module's environment) is taken first,
# then the wheel that launch/bootstrap.sh unpacked into .deps/site. Torch's own CMake package is not
# used: its CUDA build insists on a CUDA toolkit even for a program that never touches a GPU.
find_library(HEPAR_TORCH_CPU torch_cpu
  HINTS ENV LIBTORCH ENV TORCH_HOME PATH_SUFFIXES lib torch/lib
  PATHS ${CMAKE_SOURCE_DIR}/.deps/site/torch/lib REQUIRED)
get_filename_component(HEPAR_TORCH_LIB ${HEPAR_TORCH_CPU} DIRECTORY)
get_filename_component(HEPAR_TORCH_ROOT ${HEPAR_TORCH_LIB} DIRECTORY)
find_library(HEPAR_C10 c10 HINTS ${HEPAR_TORCH_LIB} NO_DEFAULT_PATH REQUIRED)
find_path(HEPAR_TORCH_INCLUDE ATen/ATen.h HINTS ${HEPAR_TORCH_ROOT}/include REQUIRED)

# A number from a macro; the header moved between versions.
function(hepar_torch_version_part name result)
  foreach(header torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
    if(EXISTS ${HEPAR_TORCH_INCLUDE}/${header})
      file(STRINGS ${HEPAR_TORCH_INCLUDE}/${header} line REGEX "define TORCH_VERSION_${name} [0-9]+" LIMIT_COUNT 1)
      string(REGEX MATCH "[0-9]+" part "${line}")
      set(${result} ${part} PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()
hepar_torch_version_part(MAJOR HEPAR_TORCH_MAJOR)
hepar_torch_version_part(MINOR HEPAR_TORCH_MINOR)
set(HEPAR_TORCH_VERSION "${HEPAR_TORCH_MAJOR}.${HEPAR_TORCH_MINOR}")
if(HEPAR_TORCH_VERSION VERSION_LESS 2.4)
  message(FATAL_ERROR "LibTorch 2.4 or later is needed, found ${HEPAR_TORCH_VERSION} in ${HEPAR_TORCH_ROOT}")
endif()
message(STATUS "LibTorch ${HEPAR_TORCH_VERSION}: ${HEPAR_TORCH_ROOT}")

hepar_dependency(torch
  INCLUDE ${HEPAR_TORCH_INCLUDE} ${HEPAR_TORCH_INCLUDE}/torch/csrc/api/include
  LINK ${HEPAR_TORCH_CPU} ${HEPAR_C10} Threads::Threads)

# at::parallel_for is a template: in a source that is compiled without OpenMP it is a plain loop, whatever
# LibTorch itself does. The runtime must be the very one that LibTorch loads, which may lie beside it. (The
# thread sanitizer knows nothing of its locks.)
file(STRINGS ${HEPAR_TORCH_INCLUDE}/ATen/Config.h HEPAR_TORCH_OPENMP REGEX "define AT_PARALLEL_OPENMP 1")
if(HEPAR_TORCH_OPENMP AND NOT HEPAR_SANITIZE MATCHES thread)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  file(GLOB HEPAR_OPENMP_RUNTIME ${HEPAR_TORCH_LIB}/libgomp*.so* ${HEPAR_TORCH_LIB}/libiomp5.so)
  if(NOT HEPAR_OPENMP_RUNTIME)
    set(HEPAR_OPENMP_RUNTIME ${OpenMP_CXX_LIBRARIES})
  endif()
  target_compile_options(hepar_dep_torch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${OpenMP_CXX_FLAGS}>)
  target_link_libraries(hepar_dep_torch INTERFACE ${HEPAR_OPENMP_RUNTIME})
endif()

# A CUDA wheel's libtorch_cpu needs libcudart and libcupti at start even when no GPU is used. Beside the
# wheel it finds them itself; the toolkit's folder is the other place. RPATH, not RUNPATH: it counts for the
# libraries of libraries too. CMake adds LibTorch's own folder, and takes both out again when it installs.
file(GLOB HEPAR_CUDART_DIRS ${CMAKE_SOURCE_DIR}/.deps/site/nvidia/cu13/lib
     /usr/local/cuda/lib64 /usr/local/cuda/extras/CUPTI/lib64)
target_link_options(hepar_dep_torch INTERFACE -Wl,--allow-shlib-undefined -Wl,--disable-new-dtags)
list(APPEND CMAKE_BUILD_RPATH ${HEPAR_CUDART_DIRS})

# --- CUDA and NCCL -------------------------------------------------------------------------------
find_library(HEPAR_TORCH_CUDA torch_cuda HINTS ${HEPAR_TORCH_LIB} NO_DEFAULT_PATH)
find_library(HEPAR_C10_CUDA c10_cuda HINTS ${HEPAR_TORCH_LIB} NO_DEFAULT_PATH)
find_package(CUDAToolkit QUIET)
include(CheckLanguage)
check_language(CUDA)
find_path(HEPAR_NCCL_INCLUDE nccl.h
  HINTS ${CMAKE_SOURCE_DIR}/.deps/site/nvidia/nccl/include ${CUDAToolkit_INCLUDE_DIRS})
# NCCL must be the very library that LibTorch loads: two of them in one process deadlock.
find_library(HEPAR_NCCL NAMES nccl libnccl.so.2
  HINTS ${CMAKE_SOURCE_DIR}/.deps/site/nvidia/nccl/lib ${CUDAToolkit_LIBRARY_DIR} /usr/local/cuda/lib)

set(HEPAR_CUDA_MISSING)
foreach(part CUDAToolkit_FOUND CMAKE_CUDA_COMPILER HEPAR_TORCH_CUDA HEPAR_C10_CUDA HEPAR_NCCL_INCLUDE HEPAR_NCCL)
  if(NOT ${part})
    list(APPEND HEPAR_CUDA_MISSING ${part})
  endif()
endforeach()
if(HEPAR_CUDA STREQUAL "ON" AND HEPAR_CUDA_MISSING)
  message(FATAL_ERROR "HEPAR_CUDA=ON needs a CUDA toolkit with nvcc, a LibTorch built with CUDA, and NCCL "
                      "(launch/bootstrap.sh --cuda); not found: ${HEPAR_CUDA_MISSING}")
endif()
set(HEPAR_HAVE_CUDA OFF)
if(NOT HEPAR_CUDA STREQUAL "OFF" AND NOT HEPAR_CUDA_MISSING)
  set(HEPAR_HAVE_CUDA ON)
endif()

# Also without CUDA in this build: the target cuda_check compiles and links what such a build adds.
if(NOT HEPAR_CUDA_MISSING)
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80 90)
  endif()
  set(CMAKE_CUDA_STANDARD 17)  # CMake 3.25 knows no newer one of nvcc
  enable_language(CUDA)
  # Nothing of ours calls into libtorch_cuda: it registers its kernels when it is loaded. A linker that
  # drops unused libraries would leave a program that says LibTorch has no CUDA.
  hepar_dependency(cuda
    INCLUDE ${CUDAToolkit_INCLUDE_DIRS} ${HEPAR_NCCL_INCLUDE}
    LINK "-Wl,--push-state,--no-as-needed,${HEPAR_TORCH_CUDA},--pop-state" ${HEPAR_C10_CUDA} CUDA::cudart
         ${HEPAR_NCCL} DEFINE HEPAR_HAVE_CUDA)
endif()
message(STATUS "CUDA and NCCL: ${HEPAR_HAVE_CUDA}")
