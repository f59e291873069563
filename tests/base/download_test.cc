#include "base/download.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/hash.h"
#include "tests/support/http_server.h"
#include "tests/support/temp_dir.h"

namespace r1eval {
namespace {

const std::string kBytes(200000, 'x');

DownloadRequest request_for(const HttpServer& server, const TempDir& dir) {
  DownloadRequest request;
  request.url = server.url() + "/f";
  request.destination = dir.file("f");
  request.sha256 = sha256_hex(kBytes);
  request.bytes = static_cast<std::int64_t>(kBytes.size());
  request.first_wait_s = 0;
  return request;
}

TEST(DownloadTest, GoesOnWhereABrokenTransferStopped) {
  HttpServer server;
  HttpServer::Route route;
  route.body = kBytes;
  route.cut_after = 50000;
  server.route("/f", route);
  const TempDir dir;
  const Status status = download(request_for(server, dir));
  ASSERT_TRUE(status.has_value()) << status.error().message;
  EXPECT_EQ(read_file(dir.file("f")).value(), kBytes);
  EXPECT_NE(server.requests().back().find("Range: bytes=50000-"), std::string::npos);
  EXPECT_FALSE(path_exists(dir.file("f.part")));
}

TEST(DownloadTest, TriesAgainAfterServerErrors) {
  HttpServer server;
  HttpServer::Route route;
  route.body = kBytes;
  route.fail_first = 2;
  server.route("/f", route);
  const TempDir dir;
  EXPECT_TRUE(download(request_for(server, dir)).has_value());
  EXPECT_EQ(server.requests().size(), 3u);
}

TEST(DownloadTest, AWrongChecksumNamesBothAndLeavesNothing) {
  HttpServer server;
  server.serve("/f", std::string(200000, 'y'));
  const TempDir dir;
  const Status status = download(request_for(server, dir));
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, ErrorCode::kParse);
  EXPECT_NE(status.error().message.find(sha256_hex(kBytes)), std::string::npos);
  EXPECT_FALSE(path_exists(dir.file("f")));
  EXPECT_FALSE(path_exists(dir.file("f.part")));
}

TEST(DownloadTest, MissingAndForbiddenFilesAreToldApartAndNotTriedAgain) {
  HttpServer server;
  const TempDir dir;
  EXPECT_EQ(download(request_for(server, dir)).error().code, ErrorCode::kNotFound);
  HttpServer::Route route;
  route.fail_first = 100;
  route.fail_status = 403;
  server.route("/f", route);
  EXPECT_EQ(download(request_for(server, dir)).error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST(DownloadTest, AClosedPortIsUnavailable) {
  const TempDir dir;
  DownloadRequest request;
  request.url = "http://127.0.0.1:1/f";
  request.destination = dir.file("f");
  request.first_wait_s = 0;
  EXPECT_EQ(download(request).error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace r1eval
