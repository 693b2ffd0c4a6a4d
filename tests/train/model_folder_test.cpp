#include "hepar/train/model_folder.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/json.h"
#include "support/temporary.h"
#include "train/small_training.h"

namespace hepar {
namespace {

class ModelFolder : public testing::Test {
 protected:
  ModelFolder() {
    model.plan = test::small_plan();
    model.plan.reasons["patch_size"] = "fits";
    model.mirror_axes = {0, 2};
    model.orientation = "native";
    model.network = make_unet(unet_options(model.plan), 7);
    save_model(path, model);
  }
  /// What load_model() says; empty when it loads.
  std::string complaint() const {
    try {
      load_model(path);
      return "";
    } catch (const DataError& e) {
      return e.what();
    }
  }
  void expect_complaint(const std::string& file, const std::string& about) const {
    const std::string text = complaint();
    EXPECT_NE(text.find((path / file).string()), std::string::npos) << text;
    EXPECT_NE(text.find(about), std::string::npos) << text;
  }
  void change(const std::string& key, const Json& value) const {
    Json json = read_json(path / "model.json");
    json[key] = value;
    write_json(path / "model.json", json);
  }

  test::TemporaryFolder folder;
  fs::path path = folder.path() / "model";
  Model model;
};

TEST_F(ModelFolder, GivesBackTheModel) {
  const Model loaded = load_model(path);

  EXPECT_EQ(loaded.plan, model.plan);
  EXPECT_EQ(loaded.mirror_axes, model.mirror_axes);
  EXPECT_EQ(loaded.orientation, "native");
  EXPECT_FALSE(loaded.network->is_training());
  EXPECT_FALSE(loaded.network->deep_supervision);
  const at::NoGradGuard no_grad;
  const at::Tensor image = at::sin(at::arange(4096, at::kFloat)).reshape({1, 1, 16, 16, 16});
  const auto found = loaded.network->forward(image);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(at::equal(found[0], model.network->forward(image)[0]));
  const auto other = make_unet(unet_options(model.plan), 8);
  EXPECT_FALSE(at::equal(found[0], other->forward(image)[0]));
}

TEST_F(ModelFolder, IsReplacedAsAWhole) {
  fs::create_directories(folder.path() / ".tmp-model");  // as a kill would leave it
  write_atomically(folder.path() / ".tmp-model/stray", "x");
  model.mirror_axes = {};

  save_model(path, model);

  EXPECT_TRUE(load_model(path).mirror_axes.empty());
  EXPECT_FALSE(fs::exists(path / "stray"));
  EXPECT_FALSE(fs::exists(folder.path() / ".tmp-model"));
}

TEST_F(ModelFolder, MissingFilesAreNamed) {
  for (const char* file : {"model.json", "plan.yaml", "weights.safetensors"}) {
    SCOPED_TRACE(file);
    save_model(path, model);
    fs::remove(path / file);
    expect_complaint(file, "");
  }
  path = folder.path() / "nowhere";
  expect_complaint("model.json", "");
}

TEST_F(ModelFolder, WrongFieldsAreNamed) {
  change("format", 2);
  expect_complaint("model.json", "wanted format 1, found 2");
  change("format", 1);
  change("orientation", "sideways");
  expect_complaint("model.json", "'sideways'");
  change("orientation", "canonical");
  change("mirror_axes", {0, 3});
  expect_complaint("model.json", "found 3");
  change("mirror_axes", "all");
  expect_complaint("model.json", "mirror_axes");
  change("mirror_axes", {0});
  EXPECT_EQ(complaint(), "");
}

TEST_F(ModelFolder, WeightsOfAnotherNetworkAreRefused) {
  const fs::path weights = path / "weights.safetensors";
  NamedTensors tensors = read_tensors(weights);
  const std::string first = tensors.front().first;

  write_tensors(weights, {tensors.begin() + 1, tensors.end()});
  expect_complaint("weights.safetensors", first);

  NamedTensors more = tensors;
  more.emplace_back("stray", at::zeros({2}));
  write_tensors(weights, more);
  expect_complaint("weights.safetensors", "stray");

  NamedTensors reshaped = tensors;
  reshaped.front().second = at::zeros({1, 2, 3});
  write_tensors(weights, reshaped);
  expect_complaint("weights.safetensors", first);
}

TEST_F(ModelFolder, TruncatedWeightsAreRefused) {
  const fs::path weights = path / "weights.safetensors";
  fs::resize_file(weights, fs::file_size(weights) - 1);

  expect_complaint("weights.safetensors", "");
}

}  // namespace
}  // namespace hepar
