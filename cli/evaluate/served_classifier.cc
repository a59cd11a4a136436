#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "cli/call/client.h"
#include "cli/call/served_model.h"
#include "cli/evaluate/classifier.h"
#include "resnetd/v1/inference.grpc.pb.h"

namespace resnetd::cli {
namespace {

using Classification = Bulk<v1::ClassifyRequest, v1::ClassifyResponse>;

class ServedClassifier final : public Classifier {
 public:
  ServedClassifier(const Context& context, BulkOptions bulk)
      : context_(context),
        bulk_(bulk),
        stub_(v1::InferenceService::NewStub(Connect(context))),
        patience_(LimitsOf(context, bulk)),
        model_(context, *stub_, patience_) {}

  absl::Status Ask(const std::string& model, const std::string& head);

  const std::string& name() const override { return name_; }
  const ClassNames& classes() const override { return classes_; }
  std::optional<Ended> Run(const std::vector<std::string>& files, const OnImage& on_image) override;

 private:
  const Context& context_;
  const BulkOptions bulk_;
  const std::unique_ptr<v1::InferenceService::Stub> stub_;
  Patience patience_;
  ServedModel model_;
  std::string name_;
  ClassNames classes_;
  v1::ClassifyRequest request_;  // but for the images
};

absl::Status ServedClassifier::Ask(const std::string& model, const std::string& head) {
  RESNETD_RETURN_IF_ERROR(model_.Ask(model));
  const v1::GetModelResponse& response = model_.answer();
  const v1::Head* found = FindHead(response, head);
  if (found == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("model ", Quoted(response.name()), " has no ",
                                                   head.empty() ? "classifier" : absl::StrCat("head ", Quoted(head))));
  }
  name_ = absl::StrCat(response.name(), " version ", response.version());
  classes_ = {found->classes(), {found->labels().begin(), found->labels().end()}};
  request_.set_model(response.name());
  request_.set_model_version(response.version());
  v1::ClassifyOptions& options = *request_.mutable_options();
  options.set_head(found->name());
  options.set_top_k(std::min(classes_.count, 5));
  options.set_threshold(std::numeric_limits<float>::lowest());  // in place of the head's own: the best count here
  return absl::OkStatus();
}

std::optional<Ended> ServedClassifier::Run(const std::vector<std::string>& files, const OnImage& on_image) {
  Classification bulk(context_, bulk_, patience_, request_,
                      [&](auto* call, const auto* request, auto* response, auto done) {
                        stub_->async()->Classify(call, request, response, std::move(done));
                      });
  const CallError no_class = ErrorFrom(absl::InternalError("the server named no class"));
  std::vector<int> best;
  std::optional<Ended> ended = bulk.Run(files, [&](size_t i, const v1::ClassifyResult* result, const CallError* error) {
    best.clear();
    if (result != nullptr) {
      for (const v1::Class& c : result->classes()) best.push_back(c.index());
    }
    on_image(i, best, error == nullptr && best.empty() ? &no_class : error);
    return true;
  });
  return ended ? ended : model_.AskWhetherSame(files.size());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Classifier>> NewServedClassifier(const Context& context, const std::string& model,
                                                                const std::string& head, const BulkOptions& bulk) {
  auto classifier = std::make_unique<ServedClassifier>(context, bulk);
  RESNETD_RETURN_IF_ERROR(classifier->Ask(model, head));
  return classifier;
}

}  // namespace resnetd::cli
