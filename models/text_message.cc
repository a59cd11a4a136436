#include "models/text_message.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/echo.h"
#include "base/status_macros.h"

namespace resnetd {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// A value that stands for none given is none to choose.
std::string ValuesOf(const EnumDescriptor& type) {
  std::string values;
  for (int i = 0; i < type.value_count(); ++i) {
    const std::string& name = type.value(i)->name();
    if (!absl::EndsWith(name, "_UNSPECIFIED")) absl::StrAppend(&values, values.empty() ? "" : ", ", name);
  }
  return values;
}

// Looks for a field of this name that is an enumeration, in a message and the messages in it, which form no rings.
const EnumDescriptor* FindEnum(const Descriptor& message, absl::string_view field) {
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& of = *message.field(i);
    if (of.enum_type() != nullptr && of.name() == field) return of.enum_type();
    if (of.message_type() == nullptr) continue;
    if (const EnumDescriptor* found = FindEnum(*of.message_type(), field)) return found;
  }
  return nullptr;
}

// Protobuf's own message is: Unknown enumeration value of "AREA" for field "interpolation".
std::string WithValues(const std::string& message, const Descriptor& type) {
  if (!absl::StartsWith(message, "Unknown enumeration value")) return message;
  const std::vector<absl::string_view> parts = absl::StrSplit(message, '"');
  const EnumDescriptor* values = parts.size() < 2 ? nullptr : FindEnum(type, parts[parts.size() - 2]);
  return values == nullptr ? message : absl::StrCat(message, " There are ", ValuesOf(*values));
}

// Keeps the first error: the others follow from it.
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  FirstError(absl::string_view file, const Descriptor& type) : file_(file), type_(type) {}
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(
        absl::StrCat(EchoPath(file_), ":", line + 1, ":", column + 1, ": ", EchoWords(WithValues(message, type_))));
  }
  const absl::Status& status() const { return status_; }

 private:
  const absl::string_view file_;
  const Descriptor& type_;
  absl::Status status_;
};

// Numbers that no value has are let in by proto3, and would change nothing.
absl::Status CheckEnums(const Message& message, absl::string_view file) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->enum_type() != nullptr && !field->is_repeated()) {
      const int value = reflection.GetEnumValue(message, field);
      if (field->enum_type()->FindValueByNumber(value) != nullptr) continue;
      return absl::InvalidArgumentError(absl::StrCat(EchoPath(file), ": ", field->name(), ": expected one of ",
                                                     ValuesOf(*field->enum_type()), ", got ", value));
    }
    if (field->message_type() == nullptr) continue;
    if (!field->is_repeated()) RESNETD_RETURN_IF_ERROR(CheckEnums(reflection.GetMessage(message, field), file));
    for (int i = 0; field->is_repeated() && i < reflection.FieldSize(message, field); ++i) {
      RESNETD_RETURN_IF_ERROR(CheckEnums(reflection.GetRepeatedMessage(message, field, i), file));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ParseTextMessage(const std::string& text, absl::string_view file, Message& message) {
  FirstError error(file, *message.GetDescriptor());
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (parser.ParseFromString(text, &message)) return CheckEnums(message, file);
  return error.status().ok() ? absl::InvalidArgumentError(absl::StrCat(EchoPath(file), ": not a text message"))
                             : error.status();
}

}  // namespace resnetd
