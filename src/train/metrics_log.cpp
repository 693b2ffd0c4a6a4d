#include "metrics_log.h"

#include "run_folder.h"

namespace hepar {
namespace {

std::filesystem::path trimmed(const std::filesystem::path& file, std::int64_t step) {
  trim_metrics(file, step);
  return file;
}

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& run_folder, std::int64_t step)
    : lines_(trimmed(run_folder / "metrics.jsonl", step)),
      events_(run_folder / "tensorboard", step) {}

void MetricsLog::append(const Json& record) {
  lines_.append(record);
  const auto step = record.at("step").get<std::int64_t>();
  for (const auto& [name, value] : record.items()) {
    if (value.is_array()) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        events_.scalar(name + "/" + std::to_string(i), step, value[i].get<double>());
      }
    } else if (value.is_number() && name != "step") {
      events_.scalar(name, step, value.get<double>());
    }
  }
}

}  // namespace hepar
