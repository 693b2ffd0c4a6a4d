# Every third-party library under one interface target, hepar_dep_<name>. Modules link these only.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

# Headers of dependencies are system headers: their warnings are not ours.
function(hepar_dependency name)
  cmake_parse_arguments(ARG "" "" "INCLUDE;LINK;DEFINE" ${ARGN})
  add_library(hepar_dep_${name} INTERFACE)
  target_include_directories(hepar_dep_${name} SYSTEM INTERFACE ${ARG_INCLUDE})
  target_link_libraries(hepar_dep_${name} INTERFACE ${ARG_LINK})
  target_compile_definitions(hepar_dep_${name} INTERFACE ${ARG_DEFINE})
endfunction()

# --- core: configuration, logging, JSON, hashes ---
find_package(yaml-cpp REQUIRED)
find_package(Boost REQUIRED COMPONENTS program_options)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
hepar_dependency(yaml LINK yaml-cpp)
hepar_dependency(program_options LINK Boost::program_options)
hepar_dependency(spdlog LINK spdlog::spdlog)
hepar_dependency(json LINK nlohmann_json::nlohmann_json)
hepar_dependency(xxhash LINK PkgConfig::XXHASH)

# --- image: NIfTI through niftilib, filters through ITK ---
find_package(ZLIB REQUIRED)
# libnifti2 reads both versions, and its matrices are double. It shares symbol names with libniftiio:
# no program may link both, so never add ITK's NIfTI reader (ITKIONIFTI).
find_path(NIFTI2_INCLUDE nifti2_io.h PATH_SUFFIXES nifti REQUIRED)
find_library(NIFTI2_LIBRARY nifti2 REQUIRED)
find_library(ZNZ_LIBRARY znz REQUIRED)
hepar_dependency(nifti INCLUDE ${NIFTI2_INCLUDE} LINK ${NIFTI2_LIBRARY} ${ZNZ_LIBRARY} ZLIB::ZLIB)
find_package(ITK 5.2 REQUIRED COMPONENTS ITKCommon ITKConnectedComponents ITKDistanceMap ITKIOPNG)
hepar_dependency(itk INCLUDE ${ITK_INCLUDE_DIRS} LINK ITKCommon)
# GDCM comes with ITK. It is used directly: ITK's reader scales the pixels and sorts by its own rules.
find_path(GDCM_INCLUDE gdcmImageReader.h PATH_SUFFIXES gdcm-3.0 REQUIRED)
set(GDCM_LIBRARIES_FOUND)
foreach(part MSFF DSED DICT Common)
  find_library(GDCM_${part} gdcm${part} REQUIRED)
  list(APPEND GDCM_LIBRARIES_FOUND ${GDCM_${part}})
endforeach()
hepar_dependency(gdcm INCLUDE ${GDCM_INCLUDE} LINK ${GDCM_LIBRARIES_FOUND})

# --- io: HDF5 (serial), Blosc ---
find_package(HDF5 REQUIRED COMPONENTS C)
pkg_check_modules(BLOSC REQUIRED IMPORTED_TARGET blosc)
hepar_dependency(hdf5 INCLUDE ${HDF5_C_INCLUDE_DIRS} LINK ${HDF5_C_LIBRARIES})
hepar_dependency(blosc LINK PkgConfig::BLOSC)

# --- comm: MPI. The C++ bindings are long dead and their headers warn. ---
find_package(MPI REQUIRED COMPONENTS C)
hepar_dependency(mpi INCLUDE ${MPI_C_INCLUDE_DIRS} LINK MPI::MPI_C DEFINE OMPI_SKIP_MPICXX MPICH_SKIP_MPICXX)

if(HEPAR_TORCH)
  include(find_torch)
endif()

if(HEPAR_BENCH)
  find_package(benchmark REQUIRED)
  hepar_dependency(benchmark LINK benchmark::benchmark)
endif()

if(HEPAR_TESTS)
  find_package(GTest REQUIRED)
  hepar_dependency(gtest LINK GTest::gmock GTest::gtest)
endif()
