#include "hepar/pipeline/time_limit.h"

#include <array>
#include <cstdlib>
#include <ctime>
#include <limits>

#include "hepar/core/environment_variable.h"
#include "hepar/core/error.h"
#include "hepar/core/log.h"
#include "slurm/shell.h"

namespace hepar {
namespace {

using Clock = TimeLimit::Clock;

/// All of `text` read by strptime's `format`, over the fields that `fields` has already.
bool reads(const std::string& text, const char* format, std::tm& fields) {
  const char* end = ::strptime(text.c_str(), format, &fields);
  return end != nullptr && *end == '\0';
}

std::tm local_fields(Clock::time_point time) {
  const std::time_t seconds = Clock::to_time_t(time);
  std::tm fields{};
  ::localtime_r(&seconds, &fields);
  return fields;
}

Clock::time_point from_local(std::tm fields) {
  fields.tm_isdst = -1;  // whatever holds on that day
  return Clock::from_time_t(std::mktime(&fields));
}

std::optional<Clock::time_point> read_instant(const std::string& text) {
  for (const char* format : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"}) {
    std::tm fields{};
    if (reads(text, format, fields)) {
      return from_local(fields);
    }
  }
  return std::nullopt;
}

/// Today's, or tomorrow's when that has passed.
std::optional<Clock::time_point> read_time_of_day(const std::string& text, Clock::time_point now) {
  for (const char* format : {"%H:%M:%S", "%H:%M"}) {
    std::tm fields = local_fields(now);
    fields.tm_sec = 0;
    if (reads(text, format, fields)) {
      const Clock::time_point today = from_local(fields);
      ++fields.tm_mday;  // mktime carries it over
      return today > now ? today : from_local(fields);
    }
  }
  return std::nullopt;
}

}  // namespace

void TimeLimit::Options::declare(ConfigSchema& schema) {
  schema.add("until", until,
             "End of the time given, local: HH:MM or YYYY-MM-DDTHH:MM; empty: the Slurm job's", {},
             Effect::kNone);
  schema.add("until_margin_s", margin_s,
             "Seconds before that end at which trainings save and stop (exit 75)", Range{.low = 0},
             Effect::kNone);
}

double TimeLimit::left_s(Clock::time_point now) const {
  return end_ ? std::chrono::duration<double>(*end_ - now).count()
              : std::numeric_limits<double>::infinity();
}

std::string TimeLimit::text() const {
  std::array<char, 32> text{};
  if (end_) {
    const std::tm fields = local_fields(*end_);
    std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &fields);
  }
  return text.data();
}

std::int64_t TimeLimit::epoch_s() const { return end_ ? Clock::to_time_t(*end_) : 0; }

Clock::time_point instant_of(const std::string& until, Clock::time_point now) {
  const std::optional<Clock::time_point> instant = read_instant(until);
  const std::optional<Clock::time_point> found = instant ? instant : read_time_of_day(until, now);
  require<ConfigError>(
      found.has_value(),
      "until: wanted a local time, HH:MM[:SS] or YYYY-MM-DDTHH:MM[:SS], found '" + until + "'");
  require<ConfigError>(*found > now, "until: " + until + " has passed");
  return *found;
}

std::optional<Clock::time_point> end_time_in(const std::string& scontrol_job) {
  const std::string key = "EndTime=";
  const std::size_t at = scontrol_job.find(key);
  if (at == std::string::npos) {
    return std::nullopt;
  }
  const std::size_t start = at + key.size();
  return read_instant(scontrol_job.substr(start, scontrol_job.find_first_of(" \n", start) - start));
}

std::optional<Clock::time_point> end_of_slurm_job() {
  const std::string job = environment_variable("SLURM_JOB_ID");
  if (job.empty()) {
    return std::nullopt;
  }
  if (const std::string end = environment_variable("SLURM_JOB_END_TIME"); !end.empty()) {
    return Clock::from_time_t(static_cast<std::time_t>(std::atoll(end.c_str())));
  }
  const detail::ProcessResult answer = detail::run_process({"scontrol", "show", "job", job});
  if (answer.exit_code != 0) {
    log::warn("the time limit of Slurm job " + job +
              " is not known: `scontrol show job` failed; --until names one");
    return std::nullopt;
  }
  return end_time_in(answer.output);
}

TimeLimit time_limit(const TimeLimit::Options& options) {
  const std::optional<Clock::time_point> end =
      options.until.empty() ? end_of_slurm_job()
                            : std::optional(instant_of(options.until, Clock::now()));
  return end ? TimeLimit(*end, options.margin_s) : TimeLimit();
}

}  // namespace hepar
