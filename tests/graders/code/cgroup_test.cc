// Control groups of version 2 and of the mixed layout, on trees of ordinary files: what is enabled,
// written and read. What the kernel makes of it, the sandbox's own tests show on the layout there
// is.
#include "graders/code/helper/cgroup.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/temp_dir.h"

namespace r1eval::helper {
namespace {

class CgroupTest : public ::testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(dir_.file(path)).parent_path());
    std::ofstream(dir_.file(path)) << text;
  }

  std::string get(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(dir_.file(path)).rdbuf();
    return text.str();
  }

  // A group as the kernel would fill it: directories of a file system come empty.
  void put_v2_group(const std::string& path) {
    put(path + "/cgroup.procs", "");
    put(path + "/memory.max", "max\n");
    put(path + "/memory.swap.max", "max\n");
    put(path + "/memory.oom.group", "0\n");
    put(path + "/memory.current", "4194304\n");
    put(path + "/memory.peak", "9437184\n");
    put(path + "/memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\n");
    put(path + "/pids.max", "max\n");
    put(path + "/pids.current", "3\n");
    put(path + "/cpu.stat", "usage_usec 2500\nuser_usec 2000\nsystem_usec 500\n");
    put(path + "/cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=777\n");
  }

  void put_tables(const std::string& mounts, const std::string& own) {
    put("mountinfo", mounts);
    put("own", own);
  }

  std::string mount_line(const std::string& folder, const std::string& type,
                         const std::string& options) {
    return "30 20 0:26 / " + dir_.file(folder) + " rw,nosuid - " + type + " " + type + " " +
           options + "\n";
  }

  void open() {
    group_.open("r1eval-1", failure_, dir_.file("mountinfo").c_str(), dir_.file("own").c_str());
  }

  TempDir dir_;
  SlotCgroup group_;
  Failure failure_;
};

TEST_F(CgroupTest, UsesOneVersion2GroupForEverything) {
  put_tables(mount_line("v2", "cgroup2", "rw,nsdelegate"), "0::/user.slice/own.scope\n");
  put("v2/user.slice/own.scope/cgroup.controllers", "cpuset cpu memory pids\n");
  put("v2/user.slice/own.scope/cgroup.subtree_control", "memory pids\n");
  put_v2_group("v2/user.slice/own.scope/r1eval-1");
  open();
  ASSERT_TRUE(group_.is_complete()) << failure_.text;
  EXPECT_EQ(group_.cpu_ns(), 2'500'000);
  EXPECT_EQ(group_.oom_kills(), 1u);
  EXPECT_EQ(group_.n_processes(), 3);
  EXPECT_EQ(group_.waiting_us(), 777);
  ASSERT_TRUE(group_.enter(4711, failure_)) << failure_.text;
  EXPECT_EQ(get("v2/user.slice/own.scope/r1eval-1/cgroup.procs"), "4711");
  // The limit is on top of what the fork servers use, and swap is none.
  ASSERT_TRUE(group_.prepare(64 << 20, 32, failure_)) << failure_.text;
  EXPECT_EQ(get("v2/user.slice/own.scope/r1eval-1/memory.max"), std::to_string(68 << 20));
  EXPECT_EQ(get("v2/user.slice/own.scope/r1eval-1/memory.swap.max").front(), '0');
  EXPECT_EQ(get("v2/user.slice/own.scope/r1eval-1/pids.max").substr(0, 2), "32");
  group_.close();
}

TEST_F(CgroupTest, EnablesControllersThatItsOwnGroupHas) {
  put_tables(mount_line("v2", "cgroup2", "rw"), "0::/\n");
  put("v2/cgroup.controllers", "memory pids\n");
  put("v2/cgroup.subtree_control", "");
  put_v2_group("v2/r1eval-1");
  open();
  ASSERT_TRUE(group_.is_complete()) << failure_.text;
  EXPECT_NE(get("v2/cgroup.subtree_control").find("+pids"), std::string::npos);
  group_.close();
}

TEST_F(CgroupTest, GoesBesideAGroupThatCannotHandControllersOn) {
  // As the kernel refuses with processes in the group, the file cannot be written here.
  put_tables(mount_line("v2", "cgroup2", "rw"), "0::/slice/own\n");
  put("v2/slice/own/cgroup.controllers", "memory pids\n");
  std::filesystem::create_directories(dir_.file("v2/slice/own/cgroup.subtree_control"));
  put("v2/slice/cgroup.controllers", "memory pids\n");
  put("v2/slice/cgroup.subtree_control", "cpu memory pids\n");
  put_v2_group("v2/slice/r1eval-1");
  open();
  EXPECT_TRUE(group_.is_complete()) << failure_.text;
  ASSERT_TRUE(group_.prepare(1 << 20, 8, failure_)) << failure_.text;
  EXPECT_EQ(get("v2/slice/r1eval-1/memory.max"), std::to_string(5 << 20));
  group_.close();
}

TEST_F(CgroupTest, TakesEachControllerWhereItIs) {
  put_tables(mount_line("memory", "cgroup", "rw,memory") + mount_line("unified", "cgroup2", "rw"),
             "4:memory:/own\n0::/\n");
  put("memory/own/r1eval-1/cgroup.procs", "");
  put("memory/own/r1eval-1/memory.limit_in_bytes", "");
  put("memory/own/r1eval-1/memory.memsw.limit_in_bytes", "");
  put("memory/own/r1eval-1/memory.usage_in_bytes", "1048576\n");
  put("memory/own/r1eval-1/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
  put("unified/cgroup.controllers", "pids\n");
  put("unified/cgroup.subtree_control", "pids\n");
  put_v2_group("unified/r1eval-1");
  open();
  ASSERT_TRUE(group_.is_complete()) << failure_.text;
  EXPECT_EQ(group_.oom_kills(), 3u);
  EXPECT_EQ(group_.cpu_ns(), 2'500'000);
  ASSERT_TRUE(group_.prepare(2 << 20, 9, failure_)) << failure_.text;
  EXPECT_EQ(get("memory/own/r1eval-1/memory.limit_in_bytes"), std::to_string(3 << 20));
  EXPECT_EQ(get("unified/r1eval-1/pids.max").front(), '9');
  EXPECT_EQ(get("unified/r1eval-1/memory.max"), "max\n");
  group_.close();
}

TEST_F(CgroupTest, SaysThatAControllerIsMissing) {
  put_tables(mount_line("v2", "cgroup2", "rw"), "0::/\n");
  put("v2/cgroup.controllers", "cpu pids\n");
  put("v2/cgroup.subtree_control", "pids\n");
  put_v2_group("v2/r1eval-1");
  open();
  EXPECT_FALSE(group_.has_memory());
  EXPECT_TRUE(group_.has_pids());
  EXPECT_FALSE(group_.is_complete());
  group_.close();
}

TEST_F(CgroupTest, DoesNotTrustALimitThatReadsBackDifferently) {
  put_tables(mount_line("v2", "cgroup2", "rw"), "0::/\n");
  put("v2/cgroup.controllers", "memory pids\n");
  put("v2/cgroup.subtree_control", "memory pids\n");
  put_v2_group("v2/r1eval-1");
  std::filesystem::remove(dir_.file("v2/r1eval-1/memory.max"));
  std::filesystem::create_symlink("/dev/null", dir_.file("v2/r1eval-1/memory.max"));
  open();
  EXPECT_FALSE(group_.prepare(1 << 20, 8, failure_));
  EXPECT_NE(std::string(failure_.text).find("read back"), std::string::npos) << failure_.text;
  group_.close();
}

}  // namespace
}  // namespace r1eval::helper
