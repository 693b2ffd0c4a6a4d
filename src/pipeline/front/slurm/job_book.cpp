#include "slurm/job_book.h"

#include <cctype>
#include <sstream>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/text.h"
#include "slurm/shell.h"

namespace hepar::detail {
namespace {

std::string checked_output(const std::vector<std::string>& command) {
  const ProcessResult result = run_process(command);
  const std::string line = shell_line(command);
  require(result.exit_code == 0,
          line + (result.exit_code == kNotStarted
                      ? ": cannot be started: is this a machine of the cluster?"
                      : ": ended with " + std::to_string(result.exit_code)));
  return result.output;
}

}  // namespace

JobBook::JobBook(std::filesystem::path file)
    : file_(std::move(file)), book_({{"submissions", 0}, {"jobs", Json::array()}}) {
  if (fs::exists(file_)) {
    book_ = read_json(file_);
  }
}

std::size_t JobBook::submissions() const {
  return json_get<std::size_t>(book_, "submissions", file_.string());
}

std::size_t JobBook::begin_submission() {
  book_["submissions"] = submissions() + 1;
  write_json(file_, book_);
  return submissions();
}

void JobBook::add(const std::string& job, const std::string& name,
                  const std::vector<std::vector<std::string>>& elements) {
  book_["jobs"].push_back(
      {{"id", job}, {"name", name}, {"submission", submissions()}, {"elements", elements}});
  write_json(file_, book_);
}

std::map<std::string, std::string> JobBook::queued(const std::set<std::string>& queue) const {
  std::map<std::string, std::string> trials;
  for (const Json& job : book_.at("jobs")) {
    const auto id = json_get<std::string>(job, "id", file_.string());
    std::size_t number = 0;
    for (const Json& element : job.at("elements")) {
      const std::string name = id + "_" + std::to_string(number++);
      if (queue.contains(name)) {
        for (const Json& trial : element) {
          trials[trial.get<std::string>()] = name;
        }
      }
    }
  }
  return trials;
}

std::set<std::string> queued_elements() {
  std::istringstream lines(
      checked_output({"squeue", "--noheader", "--array", "--me", "--format=%F_%K"}));
  std::set<std::string> elements;
  for (std::string word; lines >> word;) {
    elements.insert(word);
  }
  return elements;
}

std::size_t largest_array() {
  std::istringstream lines(checked_output({"scontrol", "show", "config"}));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name, equals;
    std::size_t value = 0;
    if (words >> name >> equals >> value && name == "MaxArraySize" && value > 0) {
      return value;
    }
  }
  throw Error("'scontrol show config' does not say MaxArraySize");
}

std::string submit_script(const std::vector<std::string>& command) {
  // --parsable: "JOB" or "JOB;CLUSTER".
  const std::string job = split(split(checked_output(command), '\n').front(), ';').front();
  const std::string line = shell_line(command);
  require(!job.empty() && job.find_first_not_of("0123456789") == std::string::npos,
          line + ": answered '" + job + "', wanted a job's number");
  return job;
}

}  // namespace hepar::detail
