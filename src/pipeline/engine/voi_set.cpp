#include "voi_set.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <span>
#include <tuple>

#include "hepar/core/error.h"
#include "hepar/core/text.h"

namespace hepar {
namespace {

constexpr int kDigits = 6;

/// `digits` significant ones; empty when there is none.
std::string number(std::optional<double> value, int digits = kDigits) {
  if (!value) {
    return "";
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.*g", digits, *value);
  return text;
}

Json optional_number(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

std::optional<double> optional_from(const Json& json, const std::string& key) {
  const auto found = json.find(key);
  return found == json.end() || found->is_null() ? std::nullopt
                                                 : std::optional<double>(found->get<double>());
}

/// DSC alone: surfaces are not looked at.
double dice(const LabelImage& prediction, const LabelImage& truth) {
  std::int64_t both = 0;
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < truth.voxels.size(); ++i) {
    const bool a = prediction.voxels[i] > 0;
    const bool b = truth.voxels[i] > 0;
    both += a && b ? 1 : 0;
    sum += (a ? 1 : 0) + (b ? 1 : 0);
  }
  return sum == 0 ? 1.0 : 2.0 * static_cast<double>(both) / static_cast<double>(sum);
}

VoiAudit audit_of(const VoiSource& source, const Voi& voi, const LabelImage& own) {
  VoiAudit audit;
  audit.case_id = source.record.case_id;
  audit.sequence = source.record.sequence;
  audit.domain = source.record.domain;
  audit.split = source.record.split;
  audit.mask = to_string(voi.kind);
  audit.carried_from = voi.carried_from;
  audit.flags = join(voi.flags, "; ");
  audit.figures = voi.figures;
  audit.box = voi.box.size;
  if (const std::optional<LabelImage> truth = source.truth()) {
    audit.dsc = dice(own, *truth);
    audit.recall = box_recall(*truth, voi.found);
    audit.kept = box_recall(*truth, voi.box);
  }
  return audit;
}

PreparedCase record_of(const VoiSource& source, const Voi& voi, const Grid& grid) {
  PreparedCase record = source.record;
  record.id = record.case_id + "/" + record.sequence;
  record.label = voi.kind == VoiMask::kOwn ? "pseudo" : "none";
  record.size = voi.box.size;
  record.canonical = grid;
  record.crop = voi.box;
  return record;
}

}  // namespace

Json to_json(const VoiAudit& audit) {
  return {{"case", audit.case_id},
          {"sequence", audit.sequence},
          {"domain", audit.domain},
          {"split", audit.split},
          {"mask", audit.mask},
          {"carried_from", audit.carried_from},
          {"flags", audit.flags},
          {"volume_ml", audit.figures.volume_ml},
          {"component_share", audit.figures.component_share},
          {"centroid_offset_mm", optional_number(audit.figures.centroid_offset_mm)},
          {"box", {audit.box.z, audit.box.y, audit.box.x}},
          {"dsc", optional_number(audit.dsc)},
          {"box_recall", optional_number(audit.recall)},
          {"kept", optional_number(audit.kept)}};
}

VoiAudit voi_audit_from_json(const Json& json, const std::string& where) {
  VoiAudit audit;
  audit.case_id = json_get<std::string>(json, "case", where);
  audit.sequence = json_get<std::string>(json, "sequence", where);
  audit.domain = json_get<std::string>(json, "domain", where);
  audit.split = json_get<std::string>(json, "split", where);
  audit.mask = json_get<std::string>(json, "mask", where);
  audit.carried_from = json_get<std::string>(json, "carried_from", where);
  audit.flags = json_get<std::string>(json, "flags", where);
  audit.figures.volume_ml = json_get<double>(json, "volume_ml", where);
  audit.figures.component_share = json_get<double>(json, "component_share", where);
  audit.figures.centroid_offset_mm = optional_from(json, "centroid_offset_mm");
  const auto box = json_get<std::vector<std::int64_t>>(json, "box", where);
  require<DataError>(box.size() == 3, where + ": key 'box': wanted 3 sizes");
  audit.box = {box[0], box[1], box[2]};
  audit.dsc = optional_from(json, "dsc");
  audit.recall = optional_from(json, "box_recall");
  audit.kept = optional_from(json, "kept");
  return audit;
}

WrittenVois write_vois(const std::vector<VoiSource>& sequences, const VoiRule& rule, int threads,
                       PreparedShardWriter& shard) {
  std::vector<SegmentedSequence> segmented;
  for (const VoiSource& source : sequences) {
    segmented.push_back({source.record.sequence, source.mask()});
  }
  const std::vector<Voi> vois = choose_vois(segmented, rule, threads);
  WrittenVois written;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const Image<float> image = sequences[i].image();
    const std::vector<float> voxels = standardised_crop(image, vois[i].box);
    const std::vector<std::int16_t> labels = crop_labels(vois[i].mask, vois[i].box);
    PreparedSample sample;
    sample.record = record_of(sequences[i], vois[i], image.grid);
    sample.channels = {voxels};
    sample.labels = labels;
    written.records.push_back(shard.write(sample));
    written.audit.push_back(audit_of(sequences[i], vois[i], segmented[i].mask));
  }
  return written;
}

std::string audit_csv(const std::vector<VoiAudit>& audit) {
  std::vector<const VoiAudit*> sorted;
  for (const VoiAudit& line : audit) {
    sorted.push_back(&line);
  }
  std::sort(sorted.begin(), sorted.end(), [](const VoiAudit* a, const VoiAudit* b) {
    return std::tie(a->case_id, a->sequence) < std::tie(b->case_id, b->sequence);
  });
  std::string csv =
      "case,sequence,domain,split,mask,carried_from,flags,volume_ml,component_share,"
      "centroid_offset_mm,box_z,box_y,box_x,dsc,box_recall,kept\n";
  for (const VoiAudit* line : sorted) {
    csv +=
        join({line->case_id, line->sequence, line->domain, line->split, line->mask,
              line->carried_from, line->flags, number(line->figures.volume_ml),
              number(line->figures.component_share), number(line->figures.centroid_offset_mm),
              std::to_string(line->box.z), std::to_string(line->box.y), std::to_string(line->box.x),
              number(line->dsc), number(line->recall), number(line->kept)},
             ",") +
        "\n";
  }
  return csv;
}

std::string audit_summary(const std::vector<VoiAudit>& audit) {
  constexpr double kWholeLiver = 0.95;
  struct Row {
    int volumes = 0, own = 0, carried = 0, none = 0, measured = 0, whole = 0;
    double dsc = 0, kept = 0;
  };
  std::map<std::string, Row> rows;
  for (const VoiAudit& line : audit) {
    Row& row = rows[line.sequence];
    ++row.volumes;
    row.own += line.mask == "own" ? 1 : 0;
    row.carried += line.mask == "carried" ? 1 : 0;
    row.none += line.mask == "none" ? 1 : 0;
    if (line.dsc && line.recall) {
      ++row.measured;
      row.dsc += *line.dsc;
      row.kept += line.kept.value_or(0);
      row.whole += *line.recall >= kWholeLiver ? 1 : 0;
    }
  }
  std::vector<std::vector<std::string>> table{{"sequence", "volumes", "own mask", "carried", "none",
                                               "mean DSC", "box holds >= 95 %", "kept"}};
  for (const auto& [sequence, row] : rows) {
    const bool known = row.measured > 0;
    table.push_back(
        {sequence, std::to_string(row.volumes), std::to_string(row.own),
         std::to_string(row.carried), std::to_string(row.none),
         known ? number(row.dsc / row.measured, 3) : "-",
         known ? std::to_string(row.whole) + " of " + std::to_string(row.measured) : "-",
         known ? number(row.kept / row.measured, 2) : "-"});
  }
  return format_table(table);
}

}  // namespace hepar
