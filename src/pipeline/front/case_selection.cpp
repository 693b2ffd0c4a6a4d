#include <hepar/core/error.h>
#include <hepar/core/text.h>
#include <hepar/pipeline/fingerprint.h>

#include <algorithm>
#include <set>

namespace hepar {

namespace {

using Names = std::vector<std::string>;

// A name that the cohort does not have is a typing error, not an empty selection.
void check_names(const Names& wanted, const std::set<std::string>& present,
                 const std::string& key) {
  const Names known(present.begin(), present.end());
  for (const std::string& name : wanted) {
    const std::string near = nearest(name, known);
    require<ConfigError>(present.count(name) > 0,
                         key + ": the cohort has no '" + name + "', it has " + join(known, ", ") +
                             (near.empty() ? "" : "; did you mean '" + near + "'?"));
  }
}

void check_selection(const Manifest& manifest, const CaseSelection& selection,
                     const Names& channels) {
  std::set<std::string> sequences;
  std::set<std::string> splits;
  std::set<std::string> labels;
  std::set<std::string> domains;
  for (const CaseRecord& record : manifest.cases) {
    splits.insert(record.split);
    labels.insert(record.label);
    domains.insert(record.domain);
    for (const SequenceRecord& sequence : record.sequences) {
      sequences.insert(sequence.sequence);
    }
  }
  check_names(selection.sequence, sequences, "select.sequence");
  check_names(selection.split, splits, "select.split");
  check_names(selection.label, labels, "select.label");
  check_names(selection.domain, domains, "select.domain");
  check_names(channels, sequences, "channels");
  require<ConfigError>(
      channels.empty() || selection.sequence.empty(),
      "channels and select.sequence: give one of them; channels already selects sequences");
}

const SequenceRecord* find_sequence(const CaseRecord& record, const std::string& name) {
  const auto found = std::find_if(record.sequences.begin(), record.sequences.end(),
                                  [&](const SequenceRecord& s) { return s.sequence == name; });
  return found == record.sequences.end() ? nullptr : &*found;
}

void add_samples(const CaseRecord& record, const CaseSelection& selection, const Names& channels,
                 std::vector<SelectedSample>& samples) {
  if (channels.empty()) {
    for (const SequenceRecord& sequence : record.sequences) {
      if (takes(selection.sequence, sequence.sequence)) {
        samples.push_back({&record, {&sequence}});
      }
    }
    return;
  }
  SelectedSample sample{&record, {}};
  for (const std::string& channel : channels) {
    sample.channels.push_back(find_sequence(record, channel));
  }
  if (std::find(sample.channels.begin(), sample.channels.end(), nullptr) == sample.channels.end()) {
    samples.push_back(std::move(sample));
  }
}

}  // namespace

void CaseSelection::declare(ConfigSchema& schema) {
  schema.add("sequence", sequence, "Sequences, each an image of its own; none: all");
  schema.add("split", split, "Splits (train, val, ...); none: all");
  schema.add("label", label, "Kinds of label (manual, pseudo, none); none: all");
  schema.add("domain", domain, "Domains; none: all");
}

std::string SelectedSample::id() const {
  return channels.size() == 1 ? record->id + "/" + channels.front()->sequence : record->id;
}

std::vector<SelectedSample> select_samples(const Manifest& manifest, const CaseSelection& selection,
                                           const std::vector<std::string>& channels) {
  check_selection(manifest, selection, channels);
  std::vector<SelectedSample> samples;
  for (const CaseRecord& record : manifest.cases) {
    if (takes(selection.split, record.split) && takes(selection.label, record.label) &&
        takes(selection.domain, record.domain)) {
      add_samples(record, selection, channels, samples);
    }
  }
  require<ConfigError>(
      !samples.empty(),
      "select: no case of the cohort fits all of sequence, split, label, domain and channels");
  return samples;
}

}  // namespace hepar
