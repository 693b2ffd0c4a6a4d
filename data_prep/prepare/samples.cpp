#include "prepare/samples.h"

#include <algorithm>
#include <set>

#include "hepar/core/error.h"
#include "hepar/core/text.h"
#include "hepar/image/orientation.h"
#include "hepar/image/resample.h"
#include "sets/arrays.h"

namespace hepar {
namespace {

bool takes(const std::vector<std::string>& list, const std::string& value) {
  return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
}

std::optional<std::size_t> find_sequence(const CaseRecord& item, const std::string& name) {
  for (std::size_t i = 0; i < item.sequences.size(); ++i) {
    if (item.sequences[i].sequence == name) {
      return i;
    }
  }
  return std::nullopt;
}

/// A name that occurs nowhere is a mistyped one.
void require_known(const std::vector<std::string>& wanted, const std::set<std::string>& found,
                   const std::string& key) {
  for (const std::string& name : wanted) {
    const std::vector<std::string> known(found.begin(), found.end());
    const std::string suggestion = nearest(name, known);
    require<DataError>(found.contains(name),
                       key + ": the cohort has no '" + name + "', it has " + join(known, ", ") +
                           (suggestion.empty() ? "" : "; did you mean '" + suggestion + "'?"));
  }
}

/// manual, pseudo or none: of the sample, not of its case.
std::string label_of(const CaseRecord& item, const Sample& sample) {
  return sample.mask ? item.label : (sample.pseudo != nullptr ? "pseudo" : "none");
}

class Chooser {
 public:
  Chooser(const SampleSource& source, const SampleSelection& selection)
      : manifest_(source.manifest),
        plan_(source.plan),
        pseudo_(source.pseudo),
        selection_(selection) {
    check_names();
    for (std::size_t i = 0; i < manifest_.cases.size(); ++i) {
      const CaseRecord& item = manifest_.cases[i];
      if (!takes(selection.split, item.split) || !takes(selection.domain, item.domain)) {
        continue;
      }
      if (plan_.channels.size() > 1) {
        add_multi_channel(i);
      } else {
        add_single_channel(i);
      }
    }
    std::sort(choice.samples.begin(), choice.samples.end(),
              [](const Sample& a, const Sample& b) { return a.id < b.id; });
    require<DataError>(!choice.samples.empty() || !choice.problems.empty(),
                       "prepare: the selection takes no sample of this cohort");
  }

  SampleChoice choice;

 private:
  void check_names() const {
    std::set<std::string> sequences, splits, domains;
    for (const CaseRecord& item : manifest_.cases) {
      splits.insert(item.split);
      domains.insert(item.domain);
      for (const SequenceRecord& sequence : item.sequences) {
        sequences.insert(sequence.sequence);
      }
    }
    require_known(wanted_sequences(), sequences, "sequence");
    require_known(selection_.split, splits, "split");
    require_known(selection_.domain, domains, "domain");
    require_known(selection_.label, {"manual", "none", "pseudo"}, "label");
  }

  [[nodiscard]] const std::vector<std::string>& wanted_sequences() const {
    return selection_.sequence.empty() ? plan_.channels : selection_.sequence;
  }

  /// Finds the sample's mask and says whether its kind is wanted.
  bool takes_label(const CaseRecord& item, Sample& sample) const {
    for (const std::size_t at : sample.sequences) {
      if (item.sequences[at].mask && !sample.mask) {
        sample.mask = at;
      }
      if (pseudo_ != nullptr && sample.pseudo == nullptr) {
        sample.pseudo = pseudo_->find(item.id, item.sequences[at].sequence);
      }
    }
    if (sample.mask) {
      sample.pseudo = nullptr;
    }
    return takes(selection_.label, label_of(item, sample));
  }

  void add_single_channel(std::size_t index) {
    const CaseRecord& item = manifest_.cases[index];
    for (const std::string& name : wanted_sequences()) {
      const auto at = find_sequence(item, name);
      if (!at) {
        continue;  // a patient without this sequence is no error: sequences are missing by nature
      }
      Sample sample;
      sample.id = wanted_sequences().size() > 1 ? item.id + "/" + name : item.id;
      sample.case_index = index;
      sample.sequences = {*at};
      if (takes_label(item, sample)) {
        choice.samples.push_back(std::move(sample));
      }
    }
  }

  void add_multi_channel(std::size_t index) {
    const CaseRecord& item = manifest_.cases[index];
    Sample sample;
    sample.id = item.id;
    sample.case_index = index;
    for (const std::string& name : plan_.channels) {
      const auto at = find_sequence(item, name);
      if (!at) {
        choice.problems.push_back(
            {item.id, "has no sequence '" + name + "', a channel of the plan"});
        return;
      }
      const SequenceRecord& sequence = item.sequences[*at];
      if (!sample.sequences.empty() &&
          !same_grid(item.sequences[sample.sequences.front()].grid, sequence.grid)) {
        choice.problems.push_back({item.id, "sequence '" + name + "' lies on another grid than '" +
                                                plan_.channels.front() +
                                                "'; channels of one network must share it"});
        return;
      }
      sample.sequences.push_back(*at);
    }
    if (takes_label(item, sample)) {
      choice.samples.push_back(std::move(sample));
    }
  }

  const Manifest& manifest_;
  const Plan& plan_;
  const PseudoLabelSet* pseudo_;
  const SampleSelection& selection_;
};

}  // namespace

SampleChoice choose_samples(const SampleSource& source, const SampleSelection& selection) {
  const Plan& plan = source.plan;
  require<DataError>(plan.channels.empty() || plan.channels.size() == plan.normalization.size(),
                     "plan: wanted one normalization a channel");
  require<ConfigError>(plan.channels.size() <= 1 || selection.sequence.empty(),
                       "sequence: the plan's channels (" + join(plan.channels, ", ") +
                           ") are the sequences; leave it out");
  return Chooser(source, selection).choice;
}

std::int64_t prepared_bytes(const Sample& sample, const Manifest& manifest, const Plan& plan) {
  const Grid& grid = manifest.cases[sample.case_index].sequences[sample.sequences.front()].grid;
  const Grid turned = reorient(grid, transposition(plan.transpose));
  const SizeVox size = resampled_size(turned.size, turned.spacing, plan.spacing_mm);
  const auto channels = static_cast<std::int64_t>(sample.sequences.size());
  return count(size) * (channels * 2 + (sample.has_mask() ? 1 : 0));
}

PreparedCase record_of(const Sample& sample, const Manifest& manifest) {
  const CaseRecord& item = manifest.cases[sample.case_index];
  const SequenceRecord& first = item.sequences[sample.sequences.front()];
  PreparedCase record;
  record.id = sample.id;
  record.case_id = item.id;
  record.patient = item.patient;
  record.domain = item.domain;
  record.split = item.split;
  record.stage = item.stage;
  record.label = label_of(item, sample);
  record.source_axis = first.source_axis;
  record.flipped = first.flipped;
  std::vector<std::string> names;
  for (const std::size_t sequence : sample.sequences) {
    names.push_back(item.sequences[sequence].sequence);
    record.source_hashes.push_back(item.sequences[sequence].image.hash);
  }
  record.sequence = join(names, "+");
  return record;
}

CohortReader::CohortReader(fs::path folder, const Manifest& manifest)
    : folder_(std::move(folder)), manifest_(manifest) {}

const ShardReader& CohortReader::shard(int number) {
  if (open_ != number) {
    const std::string& file = manifest_.shards.at(static_cast<std::size_t>(number)).file;
    reader_ = std::make_unique<ShardReader>(folder_ / file);
    open_ = number;
  }
  return *reader_;
}

Image<float> CohortReader::image(std::size_t case_index, std::size_t sequence) {
  const CaseRecord& item = manifest_.cases.at(case_index);
  const SequenceRecord& record = item.sequences.at(sequence);
  return to_float(read_array(shard(item.shard), record.image, record.grid),
                  item.id + "/" + record.sequence);
}

LabelImage CohortReader::mask(std::size_t case_index, std::size_t sequence) {
  const CaseRecord& item = manifest_.cases.at(case_index);
  const SequenceRecord& record = item.sequences.at(sequence);
  return to_labels(read_array(shard(item.shard), record.mask.value(), record.grid),
                   item.id + "/mask_" + record.sequence);
}

}  // namespace hepar
