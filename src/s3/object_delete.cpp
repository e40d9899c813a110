// DeleteObject.
#include "s3/operations.h"

namespace drumlin::s3 {

Outcome<Response> delete_object(Context& context, const Request& request) {
  const auto version =
      context.store.delete_object(request.target.bucket, request.target.key, context.deadline());
  if (!version.ok()) return bucket_error(version.status(), request.target.bucket);
  Response response;
  response.status = 204;
  response.headers.append(kVersionHeader, std::to_string(*version));
  return response;
}

}  // namespace drumlin::s3
