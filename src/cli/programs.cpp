#include "programs.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "hepar/core/error.h"

namespace hepar {

std::string program_folder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().string();
}

void become(const std::string& name, const std::vector<std::string>& arguments) {
  const std::string path = program_folder() + "/" + name;
  std::vector<std::string> words{path};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> raw;
  std::transform(words.begin(), words.end(), std::back_inserter(raw),
                 [](std::string& word) { return word.data(); });
  raw.push_back(nullptr);
  ::execv(path.c_str(), raw.data());
  throw Error(path + " cannot be started: " + std::strerror(errno) +
              "; build it with `cmake --build --preset cpu`");
}

}  // namespace hepar
