# r1_embed(OUTPUT_CC FUNCTION BASE_DIR FILES…): compiles files into the program.
# Writes a source that defines
#   std::span<const std::pair<std::string_view, std::string_view>> r1eval::FUNCTION();
# the pairs being (path relative to BASE_DIR, bytes). Made again when a file changes.
function(r1_embed output function base_dir)
  set(absolute "")
  foreach(file ${ARGN})
    list(APPEND absolute ${base_dir}/${file})
  endforeach()
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DFUNCTION=${function} -DBASE_DIR=${base_dir}
            "-DFILES=${ARGN}" -P ${PROJECT_SOURCE_DIR}/cmake/embed_script.cmake
    DEPENDS ${absolute} ${PROJECT_SOURCE_DIR}/cmake/embed_script.cmake
    VERBATIM)
endfunction()
