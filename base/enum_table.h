#ifndef RESNETD_BASE_ENUM_TABLE_H_
#define RESNETD_BASE_ENUM_TABLE_H_

#include <array>
#include <concepts>
#include <cstddef>
#include <string_view>
#include <utility>

// Tables with an entry for each value of an enumeration, whose values are 0, 1, 2, ... without a gap.
namespace resnetd {

// Whether the enumeration gives this value a name. C++20 cannot ask for that, but compilers spell it out where they
// name the function: as "ns::Kind::kName" if it has one, else as "(ns::Kind)7".
template <auto value>
consteval bool IsEnumerator() {
  const std::string_view function = __PRETTY_FUNCTION__;
  return function[function.find_last_of(":)")] == ':';
}

// How many values E has.
template <typename E, size_t from = 0>
consteval size_t EnumSize() {
  if constexpr (IsEnumerator<static_cast<E>(from)>()) {
    return EnumSize<E, from + 1>();
  } else {
    return from;
  }
}

// The values of E, in their order.
template <typename E>
constexpr std::array<E, EnumSize<E>()> EnumValues() {
  std::array<E, EnumSize<E>()> values{};
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<E>(i);
  return values;
}

// A T for each value of E. One too few or too many does not compile, whichever of the two lists has grown.
template <typename E, typename T>
class EnumTable {
 public:
  constexpr EnumTable() = default;
  template <std::convertible_to<T>... Values>
  requires(sizeof...(Values) ==
           EnumSize<E>()) constexpr EnumTable(Values&&... values)  // NOLINT(google-explicit-constructor): a list
      : values_{std::forward<Values>(values)...} {}

  constexpr const T& operator[](E value) const { return values_[static_cast<size_t>(value)]; }
  constexpr T& operator[](E value) { return values_[static_cast<size_t>(value)]; }

 private:
  std::array<T, EnumSize<E>()> values_{};
};

}  // namespace resnetd

#endif  // RESNETD_BASE_ENUM_TABLE_H_
