// Decoding of private tests: what Python writes is read, anything else is refused with a reason.
#include "graders/code/payload.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <array>
#include <string>

namespace r1eval {
namespace {

std::string deflated(const std::string& bytes) {
  uLongf size = compressBound(static_cast<uLong>(bytes.size()));
  std::string out(size, '\0');
  EXPECT_EQ(
      compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uLong>(bytes.size()), 9),
      Z_OK);
  out.resize(size);
  return out;
}

std::string base64_of(const std::string& bytes) {
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += i + j > bytes.size() ? '=' : alphabet[(group >> (18 - 6 * j)) & 63U];
    }
  }
  return out;
}

// "\x80\x04" and so on, with NULs.
template <std::size_t N>
std::string raw(const char (&bytes)[N]) {
  return std::string(bytes, N - 1);
}

std::string error_of(const Result<std::string>& result) {
  return result ? "no error" : result.error().message;
}

TEST(CodePayloadTest, ReadsWhatEveryPickleProtocolWrites) {
  // json.dumps([{"input": "1\n", "output": "2\n", "testtype": "stdin"}]) pickled by CPython 3.11.
  const std::array<const char*, 6> kProtocols = {
      "eJwLi65WyswrKC1RslJQMowpNTAwTc5T0lFQyi8tgYoaIYmWpBaXlFQWpILEi0tSMvOUamO5Cgy49AAZxxV9",
      "eJyLsGBgYIiuVsrMKygtUbJSUDKMyVPSUVDKLy2BChhBBEpSi0tKKgtSQULFJSmZeUq1sYUMegA/9hKa",
      "eJxrYIqwYGBgiK5WyswrKC1RslJQMozJU9JRUMovLYEKGEEESlKLS0oqC1JBQsUlKZl5SrWxhQx6AGF6Exw=",
      "eJxrYI6wYGBgiK5WyswrKC1RslJQMozJU9JRUMovLYEKGEEESlKLS0oqC1JBQsUlKZl5SrWxhQx6AGG7Ex0=",
      "eJxrYJlqwwABPRbR1UqZeQWlJUpWCkqGMXlKOgpK+aUlUAEjiEBJanFJSWVBKkiouCQlM0+pNnaKHgCVCRRG",
      "eJxrYJ1qwwABPRbR1UqZeQWlJUpWCkqGMXlKOgpK+aUlUAEjiEBJanFJSWVBKkiouCQlM0+pNnaKHgCVTxRH"};
  for (const char* const field : kProtocols) {
    const Result<std::string> json = decode_test_payload(field);
    ASSERT_TRUE(json.has_value()) << field << ": " << json.error().message;
    EXPECT_EQ(*json, R"([{"input": "1\n", "output": "2\n", "testtype": "stdin"}])");
  }
}

TEST(CodePayloadTest, TakesJsonAsItIs) {
  EXPECT_EQ(decode_test_payload(" [1]").value(), " [1]");
}

TEST(CodePayloadTest, ReadsLongTextsAndEachMemo) {
  const std::string text(70000, 'x');
  const std::string length = raw("p\x11\x01\0");
  EXPECT_EQ(unpickle_text(raw("\x80\x04X") + length + text + raw("\x94.")).value(), text);
  EXPECT_EQ(unpickle_text(raw("\x80\x05\x8d") + length + raw("\0\0\0\0") + text + ".").value(),
            text);
  EXPECT_EQ(unpickle_text(raw("\x80\x02X\1\0\0\0ar\0\0\0\0.")).value(), "a");
  EXPECT_EQ(unpickle_text("Va\np12\n.").value(), "a");
}

TEST(CodePayloadTest, KeepsLoneSurrogatesAndEscapes) {
  EXPECT_EQ(unpickle_text(raw("\x80\x04\x8c\3\xED\xA0\x80\x94.")).value(), "\xED\xA0\x80");
  EXPECT_EQ(unpickle_text("Va\\u005cu0041\\u000a\xE9\\ud800\\U0001f600\np0\n.").value(),
            "a\\u0041\n\xC3\xA9\xED\xA0\x80\xF0\x9F\x98\x80");
  EXPECT_EQ(unpickle_text("V\\\\u0041\n.").value(), "\\\\u0041");
}

TEST(CodePayloadTest, RefusesEveryOtherPickle) {
  const std::array<std::string, 16> kHostile = {
      raw("cos\nsystem\n(S'true'\ntR."),          // the classic
      raw("\x80\x04\x95\5\0\0\0\0\0\0\0]\x94."),  // a list
      raw("\x80\x04\x8c\1a\x94\x8c\1b\x94."),     // two texts
      raw("\x80\x04\x8c\1a\x94\x94."),            // two memos
      raw("\x80\x04\x8c\1a\x94"
          "0\x8c\1b."),              // POP and another
      raw("\x80\x04\x8c\1a\x94.."),  // something after the end
      raw("\x80\x04\x8c\1a\x94"),    // no end
      raw("\x80\x04\x8c\5a\x94."),   // length past the end
      raw("\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
          "a."),
      raw("\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f\x8c\1a."),
      raw("\x80\x06\x8c\1a."),  // a protocol of the future
      raw("\x80\x80\x04\x8c\1a."),
      raw("\x80\x03"
          "C\1a."),                    // bytes
      raw("Va\\u00\n."),               // a broken escape
      raw("\x80\x04\x8c\2\xC3\x28."),  // not UTF-8
      raw("")};
  for (const std::string& pickle : kHostile) {
    const Result<std::string> text = unpickle_text(pickle);
    EXPECT_FALSE(text.has_value()) << testing::PrintToString(pickle);
    EXPECT_NE(error_of(text).find("pickle"), std::string::npos) << error_of(text);
  }
}

TEST(CodePayloadTest, NamesTheLayerThatIsWrong) {
  EXPECT_NE(error_of(decode_test_payload("@@@@")).find("base64"), std::string::npos);
  EXPECT_NE(error_of(decode_test_payload("QUJ")).find("base64"), std::string::npos);
  EXPECT_NE(error_of(decode_test_payload("QUI=QUI=")).find("base64"), std::string::npos);
  EXPECT_NE(error_of(decode_test_payload("QUJD")).find("zlib"), std::string::npos);
  EXPECT_NE(error_of(decode_test_payload("")).find("empty"), std::string::npos);
  const std::string whole = base64_of(deflated(raw("\x80\x04\x8c\1a\x94.")));
  ASSERT_TRUE(decode_test_payload(whole).has_value());
  const std::string cut = base64_of(deflated(raw("\x80\x04\x8c\1a\x94.")).substr(0, 10));
  EXPECT_NE(error_of(decode_test_payload(cut)).find("zlib"), std::string::npos);
  const std::string longer = base64_of(deflated(raw("\x80\x04\x8c\1a\x94.")) + "junk");
  EXPECT_NE(error_of(decode_test_payload(longer)).find("after the end"), std::string::npos);
}

TEST(CodePayloadTest, StopsABombAtItsLimit) {
  const std::string bomb = deflated(std::string(std::size_t{8} << 20, 'a'));
  PayloadLimits limits;
  limits.min_inflated_bytes = 1 << 20;
  const Result<std::string> by_ratio = inflate_zlib(bomb, limits);
  ASSERT_FALSE(by_ratio.has_value());
  EXPECT_EQ(by_ratio.error().code, ErrorCode::kResourceExhausted);
  limits.max_ratio = 2000;
  EXPECT_EQ(inflate_zlib(bomb, limits).value().size(), std::size_t{8} << 20);
  limits.max_inflated_bytes = (8 << 20) - 1;
  EXPECT_FALSE(inflate_zlib(bomb, limits).has_value());
}

TEST(CodePayloadTest, DecodesEveryLengthOfBase64) {
  std::string bytes;
  for (int i = 0; i < 9; ++i) {
    EXPECT_EQ(decode_base64(base64_of(bytes)).value(), bytes);
    bytes += static_cast<char>(250 + i);
  }
  EXPECT_EQ(decode_base64("QUJD\r\nQUI=\n").value(), "ABCAB");
}

}  // namespace
}  // namespace r1eval
