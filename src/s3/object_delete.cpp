// DeleteObject.
#include "s3/conditions.h"
#include "s3/operations.h"

namespace drumlin::s3 {

Outcome<Response> delete_object(Context& context, const Request& request) {
  const std::string& key = request.target.key;
  router::WriteTerms terms;
  DRUMLIN_S3_ASSIGN(terms.when, delete_condition(request.head.headers));
  terms.request = request_digest(request, key, terms.when, {});
  const auto written =
      context.store.delete_object(request.target.bucket, key, terms, context.call());
  if (!written.ok()) return bucket_error(written.status(), request.target.bucket);
  if (written->outcome != router::Written::Outcome::kDone) {
    return refused(*written, key, condition_name(terms.when));
  }
  Response response;
  response.status = 204;
  response.headers.append(kVersionHeader, std::to_string(written->version));
  add_version_id(request, response.headers);
  return response;
}

}  // namespace drumlin::s3
