# cmake -DINPUT=FILE -DOUTPUT=FILE.cc -P embed.cmake: the bytes of a file as C++, for DescriptorBytes.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n"
  bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"common/config/comments.h\"

namespace ltml::config {
namespace {

constexpr unsigned char kBytes[] = {
${bytes}
};

}  // namespace

std::string_view DescriptorBytes() {
  return {reinterpret_cast<const char*>(kBytes), sizeof kBytes};
}

}  // namespace ltml::config
")
