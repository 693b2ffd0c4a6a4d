#pragma once
#include <map>
#include <string>
#include <vector>

#include "hepar/image/image.h"
#include "hepar/io/manifest.h"
#include "sources/source.h"

namespace hepar {

/// One sequence read, checked and in canonical orientation.
struct ReadSequence {
  SequenceRecord record;  ///< all but the arrays' dataset names and hashes
  StoredImage image;
  std::optional<StoredImage> mask;  ///< uint8
  std::string decoded_hash;         ///< of size and real values: equal images of any storage type
};

struct ReadCase {
  std::vector<ReadSequence> sequences;
  std::vector<std::string> problems;  ///< all of the case; it is usable when there is none
};

struct ReadRule {
  const std::map<std::string, int>& labels;  ///< name -> value; others in a mask are refused
  fs::path in;                               ///< source_file is written relative to it
};

/// Reads all files of a case: each is checked even when another failed.
ReadCase read_case(const CaseListing& listing, const ReadRule& rule);

}  // namespace hepar
