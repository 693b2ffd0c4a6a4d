#include "hepar/core/error.h"
#include "hepar/core/text.h"
#include "hepar/nn/head.h"

namespace hepar {

// Each is defined in the file of its name.
std::shared_ptr<Head> make_ce_head(const HeadOptions& options);
std::shared_ptr<Head> make_bce_head(const HeadOptions& options);
std::shared_ptr<Head> make_reg_head(const HeadOptions& options);
std::shared_ptr<Head> make_ord_head(const HeadOptions& options);
std::shared_ptr<Head> make_coral_head(const HeadOptions& options);
std::shared_ptr<Head> make_corn_head(const HeadOptions& options);

const std::vector<HeadEntry>& head_table() {
  static const std::vector<HeadEntry> kTable{
      {"ce", "CE", make_ce_head},          {"bce", "BCE", make_bce_head},
      {"reg", "Reg", make_reg_head},       {"ord", "Ord", make_ord_head},
      {"coral", "CORAL", make_coral_head}, {"corn", "CORN", make_corn_head},
  };
  return kTable;
}

std::vector<std::string> head_names() {
  std::vector<std::string> names;
  for (const HeadEntry& row : head_table()) {
    names.emplace_back(row.name);
  }
  return names;
}

std::shared_ptr<Head> make_head(const HeadOptions& options) {
  for (const HeadEntry& row : head_table()) {
    if (options.config.name == row.name) {
      return row.make(options);
    }
  }
  throw ConfigError("head: wanted one of " + join(head_names(), ", ") + ", found '" +
                    options.config.name + "'");
}

void HeadConfig::declare(ConfigSchema& schema) {
  schema.add_choice("head", name, head_names(), "How stages are predicted and learnt");
  schema.add_choice("heads.ord_distance", ord_distance, {"abs", "squared", "log"},
                    "Distance between stages that softens the labels of head ord");
  schema.add("heads.ord_scale", ord_scale, "Multiplies that distance: larger is harder",
             Range{.low = 0});
  schema.add_choice("heads.reg_loss", reg_loss, {"squared", "smooth_l1"}, "Loss of head reg");
  schema.add("heads.reg_temperature", reg_temperature,
             "Width of head reg's map from stage to probability, in stages", Range{.low = 1e-6});
}

}  // namespace hepar
