// Principal components against their definition, and the ONNX file that holds them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <cmath>
#include <cstring>
#include <random>

#include "absl/strings/str_cat.h"
#include "cli/project/append_projection.h"
#include "cli/project/pca.h"

namespace resnetd::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Vectors = std::vector<std::vector<float>>;

// `directions` of them, of falling variance, mixed by random sums, and a mean.
Vectors RandomVectors(size_t count, size_t size, size_t directions, float mean, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Vectors mix(directions, std::vector<float>(size));
  for (auto& row : mix) {
    for (float& x : row) x = normal(random);
  }
  Vectors vectors(count, std::vector<float>(size, mean));
  for (auto& vector : vectors) {
    for (size_t d = 0; d < directions; ++d) {
      const float along = normal(random) / static_cast<float>(1 + d);
      for (size_t i = 0; i < size; ++i) vector[i] += along * mix[d][i];
    }
  }
  return vectors;
}

absl::StatusOr<Projection> Project(const Vectors& vectors, size_t components) {
  Pca pca(vectors[0].size());
  for (const auto& vector : vectors) pca.Add(vector);
  return pca.Project(components);
}

std::vector<long double> MeanOf(const Vectors& vectors) {
  std::vector<long double> mean(vectors[0].size());
  for (const auto& vector : vectors) {
    for (size_t i = 0; i < mean.size(); ++i) mean[i] += vector[i];
  }
  for (long double& m : mean) m /= static_cast<long double>(vectors.size());
  return mean;
}

// By the definition: sum of (x - mean)(x - mean)^T / (n - 1), in long double.
std::vector<std::vector<long double>> CovarianceOf(const Vectors& vectors) {
  const auto mean = MeanOf(vectors);
  std::vector<std::vector<long double>> covariance(mean.size(), std::vector<long double>(mean.size()));
  for (const auto& x : vectors) {
    for (size_t i = 0; i < mean.size(); ++i) {
      for (size_t k = 0; k < mean.size(); ++k) {
        covariance[i][k] += (x[i] - mean[i]) * (x[k] - mean[k]) / static_cast<long double>(vectors.size() - 1);
      }
    }
  }
  return covariance;
}

TEST(Pca, ComponentsAreTheEigenvectorsOfTheCovariance) {
  struct Case {
    size_t count, size, components;
    float mean;
  };
  for (const Case& c : {Case{200, 8, 8, 0}, Case{200, 8, 3, 100}, Case{9, 8, 8, 1}, Case{40, 12, 1, -5}}) {
    SCOPED_TRACE(testing::Message() << c.count << " vectors of " << c.size << ", " << c.components << " components");
    const Vectors vectors = RandomVectors(c.count, c.size, c.size, c.mean, 7);
    const auto projection = Project(vectors, c.components);
    ASSERT_TRUE(projection.ok()) << projection.status();
    const auto covariance = CovarianceOf(vectors);
    const auto mean = MeanOf(vectors);
    for (size_t i = 0; i < c.size; ++i) EXPECT_NEAR(projection->mean[i], static_cast<double>(mean[i]), 1e-10);
    long double all = 0, kept = 0, before = HUGE_VALL;
    for (size_t i = 0; i < c.size; ++i) all += covariance[i][i];
    for (size_t a = 0; a < c.components; ++a) {
      const Eigen::VectorXd v = projection->components.row(a);
      for (size_t b = 0; b < c.components; ++b) {
        EXPECT_NEAR(v.dot(projection->components.row(b)), a == b ? 1 : 0, 1e-12);
      }
      // C v = lambda v, lambda falls.
      std::vector<long double> product(c.size);
      long double lambda = 0;
      for (size_t i = 0; i < c.size; ++i) {
        for (size_t k = 0; k < c.size; ++k) product[i] += covariance[i][k] * v[k];
        lambda += product[i] * v[i];
      }
      for (size_t i = 0; i < c.size; ++i) EXPECT_NEAR(static_cast<double>(product[i] - lambda * v[i]), 0, 1e-10 * all);
      EXPECT_LT(lambda, before);
      before = lambda;
      kept += lambda;
    }
    EXPECT_NEAR(projection->explained, static_cast<double>(kept / all), 1e-10);
  }
}

TEST(Pca, TheLargestValueOfEachComponentIsPositive) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const auto projection = Project(RandomVectors(50, 6, 6, 0, seed), 6);
    ASSERT_TRUE(projection.ok());
    for (Eigen::Index a = 0; a < 6; ++a) {
      EXPECT_EQ(projection->components.row(a).maxCoeff(), projection->components.row(a).cwiseAbs().maxCoeff()) << seed;
    }
  }
}

TEST(Pca, RefusesMoreComponentsThanThereAre) {
  struct Case {
    size_t count, size, directions, components;
    const char* message;  // null: accepted
  };
  for (const Case& c :
       {Case{4, 8, 8, 3, nullptr}, Case{4, 8, 8, 4, "expected more than 4 images for 4 components, got 4"},
        Case{20, 8, 8, 8, nullptr}, Case{20, 8, 8, 9, "expected 1 to 8 components"},
        Case{20, 8, 8, 0, "expected 1 to 8 components"}, Case{20, 8, 2, 2, nullptr},
        Case{20, 8, 2, 3, "expected at most 2 components"}}) {
    const absl::Status status = Project(RandomVectors(c.count, c.size, c.directions, 3, 1), c.components).status();
    EXPECT_EQ(status.ok(), c.message == nullptr) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message == nullptr ? "" : c.message));
  }
}

// ---- the file ----

onnx::ModelProto SmallModel(int ir_version) {
  onnx::ModelProto model;
  model.set_ir_version(ir_version);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.add_input()->set_name("image");
  onnx::NodeProto& node = *graph.add_node();
  node.set_op_type("GlobalAveragePool");
  node.add_input("image");
  node.add_output("features");
  graph.add_output()->set_name("features");
  for (const char* file : {"b.data", "a.data", "b.data"}) {
    onnx::TensorProto& tensor = *graph.add_initializer();
    tensor.set_name(absl::StrCat("weights", graph.initializer_size()));
    auto& entry = *tensor.add_external_data();
    entry.set_key("location");
    entry.set_value(file);
  }
  return model;
}

Projection SmallProjection() {
  Projection projection;
  projection.mean = Eigen::Vector3d(1, 2, 3);
  projection.components = Eigen::MatrixXd(2, 3);
  projection.components << 1, 0, 2, 0, -1, 0.5;
  return projection;
}

TEST(AppendProjection, AddsNodesAndWeights) {
  for (const int ir_version : {3, 4, 10}) {
    const onnx::ModelProto before = SmallModel(ir_version);
    const auto projected = AppendProjection(before.SerializeAsString(), "features", "p", SmallProjection());
    ASSERT_TRUE(projected.ok()) << projected.status();
    EXPECT_THAT(projected->external_files, ElementsAre("a.data", "b.data"));
    onnx::ModelProto model;
    ASSERT_TRUE(model.ParseFromString(projected->onnx));
    const onnx::GraphProto& graph = model.graph();
    ASSERT_EQ(graph.node_size(), 3);
    EXPECT_EQ(graph.node(1).op_type(), "Flatten");
    EXPECT_EQ(graph.node(1).input(0), "features");
    EXPECT_EQ(graph.node(2).op_type(), "Gemm");
    EXPECT_THAT(graph.node(2).input(), ElementsAre("p.flat", "p.weight", "p.bias"));
    EXPECT_EQ(graph.node(2).output(0), "p");
    ASSERT_EQ(graph.initializer_size(), 5);
    EXPECT_THAT(graph.initializer(3).dims(), ElementsAre(2, 3));
    EXPECT_THAT(graph.initializer(4).dims(), ElementsAre(2));
    float weights[6], bias[2];
    ASSERT_EQ(graph.initializer(3).raw_data().size(), sizeof weights);
    ASSERT_EQ(graph.initializer(4).raw_data().size(), sizeof bias);
    std::memcpy(weights, graph.initializer(3).raw_data().data(), sizeof weights);
    std::memcpy(bias, graph.initializer(4).raw_data().data(), sizeof bias);
    EXPECT_THAT(weights, ElementsAre(1, 0, 2, 0, -1, 0.5f));
    EXPECT_THAT(bias, ElementsAre(-7, 0.5f));
    EXPECT_EQ(graph.output_size(), 1) << "what the file yields stays what it was";
    EXPECT_EQ(graph.input_size(), ir_version < 4 ? 3 : 1);
  }
}

TEST(AppendProjection, RefusesMistakes) {
  struct Case {
    const char *tensor, *name, *message;
  };
  const std::string file = SmallModel(8).SerializeAsString();
  for (const Case& c : {Case{"feature", "p", "expected the embedding to be a tensor of the file, got 'feature'"},
                        Case{"features", "features", "leave free, got 'features'"},
                        Case{"features", "image", "leave free, got 'image'"},
                        Case{"features", "weights1", "leave free, got 'weights1'"}}) {
    const absl::Status status = AppendProjection(file, c.tensor, c.name, SmallProjection()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message));
  }
  EXPECT_FALSE(AppendProjection("no model", "features", "p", SmallProjection()).ok());
}

}  // namespace
}  // namespace resnetd::cli
