// A map from names to models behind a lock, which a call holds for as long as it takes to copy two pointers.
#include "server/model_repository.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/echo.h"

namespace resnetd::server {
namespace {

// std::map's transparent lookup compares std::string with std::string_view, which absl's need not be.
std::string_view Std(absl::string_view s) {
  return {s.data(), s.size()};
}

}  // namespace

void ModelRepository::SetLoading(absl::string_view name, absl::string_view version) {
  MutexLock lock(&mu_);
  slots_.insert_or_assign(std::string(name),
                          Slot{{std::string(name), std::string(version), ModelState::kLoading, ""}, {}});
}

void ModelRepository::Add(ServedModel model) {
  ModelEntry entry{model.model->name, model.model->version, ModelState::kReady, ""};
  MutexLock lock(&mu_);
  slots_.insert_or_assign(entry.name, Slot{entry, std::move(model)});
}

void ModelRepository::SetFailed(absl::string_view name, absl::string_view version, const absl::Status& why) {
  MutexLock lock(&mu_);
  slots_.insert_or_assign(
      std::string(name),
      Slot{{std::string(name), std::string(version), ModelState::kFailed, std::string(why.message())}, {}});
}

absl::StatusOr<ServedModel> ModelRepository::Find(absl::string_view name, absl::string_view version) const {
  MutexLock lock(&mu_);
  if (name.empty() && slots_.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat("expected one of ", Names(), ", got none"));
  }
  const auto it = name.empty() ? slots_.begin() : slots_.find(Std(name));
  if (it == slots_.end()) {
    return absl::NotFoundError(absl::StrCat("no model ", Quoted(name), " here, expected one of: ", Names()));
  }
  const ModelEntry& entry = it->second.entry;
  if (!version.empty() && version != entry.version) {
    return absl::NotFoundError(absl::StrCat("no version ", Quoted(version), " of model ", Quoted(entry.name),
                                            " here, expected ", Quoted(entry.version)));
  }
  if (entry.state != ModelState::kReady) {
    return absl::UnavailableError(absl::StrCat(
        "model ", Quoted(entry.name), " version ", Quoted(entry.version), " ",
        entry.state == ModelState::kLoading ? "is still loading" : absl::StrCat("could not be loaded: ", entry.error)));
  }
  return it->second.model;
}

std::vector<ModelEntry> ModelRepository::List() const {
  MutexLock lock(&mu_);
  std::vector<ModelEntry> entries;
  for (const auto& [name, slot] : slots_) entries.push_back(slot.entry);
  return entries;
}

std::string ModelRepository::Names() const {
  std::vector<absl::string_view> names;
  for (const auto& [name, slot] : slots_) names.push_back(name);
  return names.empty() ? "(none)" : QuotedList(names);
}

}  // namespace resnetd::server
