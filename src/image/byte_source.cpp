#include "byte_source.h"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "hepar/core/descriptor.h"
#include "hepar/core/error.h"

namespace hepar {
namespace {

class PlainSource : public ByteSource {
 public:
  explicit PlainSource(const std::filesystem::path& path) : path_(path.string()) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    require<DataError>(std::filesystem::exists(status), path_ + ": no such file");
    require<DataError>(std::filesystem::is_regular_file(status), path_ + ": not a regular file");
    size_ = static_cast<std::int64_t>(std::filesystem::file_size(path, error));
    require<DataError>(!error && size_ > 0, path_ + ": the file is empty");
    file_ = Descriptor(path, O_RDONLY);
    require<DataError>(file_.is_open(), path_ + ": cannot be opened: " + std::strerror(errno));
  }
  std::size_t read(std::span<std::byte> into) override {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t n = ::read(file_.get(), into.data() + done, into.size() - done);
      if (n < 0 && errno == EINTR) {
        continue;
      }
      require<DataError>(n >= 0, path_ + ": reading failed: " + std::strerror(errno));
      if (n == 0) {
        break;
      }
      done += static_cast<std::size_t>(n);
    }
    return done;
  }
  [[nodiscard]] std::int64_t most_bytes() const override { return size_; }
  [[nodiscard]] bool is_exact() const override { return true; }
  [[nodiscard]] const std::string& path() const { return path_; }
  void rewind() const { ::lseek(file_.get(), 0, SEEK_SET); }

 private:
  std::string path_;
  std::int64_t size_ = 0;
  Descriptor file_;
};

class GzipSource : public ByteSource {
 public:
  explicit GzipSource(std::unique_ptr<PlainSource> file)
      : file_(std::move(file)), buffer_(kBufferBytes) {
    constexpr int kGzipOnly = 16;  // zlib: added to the window bits, refuses anything but gzip
    require<DataError>(::inflateInit2(&stream_, MAX_WBITS + kGzipOnly) == Z_OK,
                       file_->path() + ": zlib cannot be started");
  }
  ~GzipSource() override { ::inflateEnd(&stream_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;
  GzipSource(GzipSource&&) = delete;
  GzipSource& operator=(GzipSource&&) = delete;

  std::size_t read(std::span<std::byte> into) override {
    std::size_t done = 0;
    while (done < into.size() && !ended_) {
      done += inflate_some(into.subspan(done));
    }
    return done;
  }
  [[nodiscard]] std::int64_t most_bytes() const override {
    constexpr std::int64_t kBestRatio = 1032;
    return file_->most_bytes() * kBestRatio;
  }
  [[nodiscard]] bool is_exact() const override { return false; }

 private:
  static constexpr std::size_t kBufferBytes = std::size_t{1} << 18;

  /// False at the end of the file.
  bool fill() {
    if (stream_.avail_in > 0) {
      return true;
    }
    stream_.avail_in = static_cast<uInt>(file_->read(buffer_));
    stream_.next_in = reinterpret_cast<Bytef*>(buffer_.data());
    return stream_.avail_in > 0;
  }

  std::size_t inflate_some(std::span<std::byte> into) {
    require<DataError>(fill(), file_->path() +
                                   ": the gzip stream ends before its trailer: the file "
                                   "is cut short; copy it again");
    // zlib counts in 32 bits.
    const std::size_t piece = std::min<std::size_t>(into.size(), std::size_t{1} << 30);
    stream_.next_out = reinterpret_cast<Bytef*>(into.data());
    stream_.avail_out = static_cast<uInt>(piece);
    const int status = ::inflate(&stream_, Z_NO_FLUSH);
    const std::size_t made = piece - stream_.avail_out;
    if (status == Z_STREAM_END) {
      next_member();
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      const char* reason = stream_.msg == nullptr ? ::zError(status) : stream_.msg;
      throw DataError(file_->path() + ": the gzip stream is damaged (" + reason +
                      "); copy the file again");
    }
    return made;
  }

  /// A gzip file may have several members (bgzip and pigz write them); anything else after a
  /// trailer makes inflate() throw in its turn.
  void next_member() {
    if (!fill()) {
      ended_ = true;
      return;
    }
    require<DataError>(::inflateReset(&stream_) == Z_OK, file_->path() + ": zlib cannot go on");
  }

  std::unique_ptr<PlainSource> file_;
  std::vector<std::byte> buffer_;
  z_stream stream_{};
  bool ended_ = false;
};

bool starts_like_gzip(PlainSource& file) {
  std::array<std::byte, 2> magic{};
  file.read(magic);
  file.rewind();
  return magic[0] == std::byte{0x1f} && magic[1] == std::byte{0x8b};
}

}  // namespace

std::unique_ptr<ByteSource> open_bytes(const std::filesystem::path& path, bool gzip) {
  auto file = std::make_unique<PlainSource>(path);
  const bool is_gzip = starts_like_gzip(*file);
  require<DataError>(is_gzip || !gzip, path.string() + ": named .gz, found no gzip data");
  require<DataError>(!is_gzip || gzip, path.string() + ": found gzip data; name the file .gz");
  if (gzip) {
    return std::make_unique<GzipSource>(std::move(file));
  }
  return file;
}

}  // namespace hepar
