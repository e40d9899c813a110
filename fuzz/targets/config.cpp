// The configuration file: any text is taken or refused with its name in the message, and what was
// taken can be shown and read again.
#include <string>

#include "base/check.h"
#include "fuzz/targets/targets.h"
#include "server/config_file.h"

namespace drumlin::fuzz {

void config_file(std::string_view input) {
  server::Settings settings;
  const Status applied = server::apply_toml(input, "drumlin.toml", settings);
  if (!applied.ok()) {
    DRUMLIN_CHECK(applied.is(Code::kInvalidArgument));
    DRUMLIN_CHECK(applied.message().starts_with("drumlin.toml:"), applied.message());
    return;
  }
  const Status valid = settings.config.validate();
  DRUMLIN_CHECK(valid.ok() || valid.is(Code::kInvalidArgument));

  // describe() leaves out secrets and nodes.
  server::Settings again;
  for (const auto& [name, value] : server::describe(settings)) {
    if (value == "\"...\"") continue;
    const size_t dot = name.find('.');
    const std::string line =
        "[" + name.substr(0, dot) + "]\n" + name.substr(dot + 1) + " = " + value + "\n";
    const Status shown = server::apply_toml(line, "shown", again);
    DRUMLIN_CHECK(shown.ok(), line, shown.to_string());
  }
  DRUMLIN_CHECK(server::describe(again) == server::describe(settings));
}

}  // namespace drumlin::fuzz
