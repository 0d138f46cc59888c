# A vcpkg port, for Linux. UNTESTED: no vcpkg was at hand. cargo and make have to be on the path.
#
# To be filled in at a release: in vcpkg.json the version; here URLS, the archive of its source, and SHA512,
# what `sha512sum` says of it.

# evrim::evrim, which programs name, is the shared library.
vcpkg_check_linkage(ONLY_DYNAMIC_LIBRARY)
# A debug build would differ in nothing that a program sees.
set(VCPKG_BUILD_TYPE release)

vcpkg_download_distfile(ARCHIVE
    URLS "@URL@"
    FILENAME "libevrim-${VERSION}.tar.gz"
    SHA512 "@SHA512@"
)
vcpkg_extract_source_archive(SOURCE_PATH ARCHIVE "${ARCHIVE}")

find_program(MAKE make REQUIRED)
vcpkg_execute_required_process(
    COMMAND "${MAKE}" install "PREFIX=${CURRENT_PACKAGES_DIR}" "CMAKEDIR=${CURRENT_PACKAGES_DIR}/share/evrim"
        "CARGO_TARGET_DIR=${CURRENT_BUILDTREES_DIR}/target"
    WORKING_DIRECTORY "${SOURCE_PATH}"
    LOGNAME "install-${TARGET_TRIPLET}"
)

file(REMOVE "${CURRENT_PACKAGES_DIR}/lib/libevrim.a")
file(REMOVE_RECURSE
    "${CURRENT_PACKAGES_DIR}/share/man" "${CURRENT_PACKAGES_DIR}/share/doc" "${CURRENT_PACKAGES_DIR}/share/licenses")
vcpkg_fixup_pkgconfig()
vcpkg_install_copyright(FILE_LIST
    "${SOURCE_PATH}/LICENSE" "${SOURCE_PATH}/LICENSE-APACHE" "${SOURCE_PATH}/LICENSE-MIT")
