// Members of a zip archive that others wrote: stored, deflate, and Zstandard (method 93), which
// Debian's libzip does not read by itself.
//
// Bounds   a member of more than 1 GiB, packed or unpacked, is refused before its bytes are made;
//          what a member says of its own size is not believed.
// Errors   kParse naming archive and member.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace r1eval {

Result<std::vector<std::string>> list_archive(const std::string& path);
Result<std::string> read_archive_member(const std::string& path, const std::string& member);

// Members whose name `wants`, in the archive's order; an unreadable one is handed over as its
// error.
Status for_each_archive_member(
    const std::string& path, const std::function<bool(const std::string&)>& wants,
    const std::function<Status(const std::string& name, const Result<std::string>& bytes)>& take);

}  // namespace r1eval
