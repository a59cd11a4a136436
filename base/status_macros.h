#ifndef RESNETD_BASE_STATUS_MACROS_H_
#define RESNETD_BASE_STATUS_MACROS_H_

// Status in, status out, one line a step. abseil publishes no such macros.

#define RESNETD_RETURN_IF_ERROR(expression)                                 \
  do {                                                                      \
    if (absl::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)

#define RESNETD_ASSIGN_OR_RETURN(declaration, expression) \
  RESNETD_ASSIGN_OR_RETURN_AT_LINE_(declaration, expression, __LINE__)
#define RESNETD_ASSIGN_OR_RETURN_AT_LINE_(declaration, expression, line) \
  RESNETD_ASSIGN_OR_RETURN_IMPL_(declaration, expression, line)
#define RESNETD_ASSIGN_OR_RETURN_IMPL_(declaration, expression, line)      \
  auto status_or_##line = (expression);                                    \
  if (!status_or_##line.ok()) return std::move(status_or_##line).status(); \
  declaration = *std::move(status_or_##line)

#endif  // RESNETD_BASE_STATUS_MACROS_H_
