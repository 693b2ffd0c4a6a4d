#pragma once
#include <hepar/core/json.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace hepar::detail {

/// EXP/slurm/jobs.json: which Slurm job was given which trials. The states of the trials are the
/// truth; the book only tells what is in the queue, so that nothing is submitted twice.
class JobBook {
 public:
  explicit JobBook(std::filesystem::path file);

  /// Writes the file.
  void add(const std::string& job, const std::string& name,
           const std::vector<std::vector<std::string>>& elements);
  [[nodiscard]] std::size_t submissions() const;
  /// Starts a submission; returns its number, from 1.
  std::size_t begin_submission();

  /// Trial -> its job, of the elements that are in the queue ("job_element").
  [[nodiscard]] std::map<std::string, std::string> queued(const std::set<std::string>& queue) const;

 private:
  std::filesystem::path file_;
  Json book_;
};

/// "job_element" of all of the user's array elements that wait or run: one call of squeue. Throws
/// Error when it fails.
std::set<std::string> queued_elements();

/// Elements that an array may have. Throws Error when Slurm does not say.
std::size_t largest_array();

/// Submits a script; returns the job's number. Throws Error with what sbatch said.
std::string submit_script(const std::vector<std::string>& command);

}  // namespace hepar::detail
