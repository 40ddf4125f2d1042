#include "cli/usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "cli/context.h"
#include "common/config/nearest.h"

namespace ltml::cli {
namespace {

constexpr std::array<std::string_view, 3> kLaterCommands = {"predict", "export", "completion"};

// "ltml data" of the deepest command that was recognised.
struct Reached {
  const CLI::App* command;
  std::string path;
};

Reached Deepest(const CLI::App& program) {
  Reached reached{&program, program.get_name()};
  while (!reached.command->get_subcommands().empty()) {
    reached.command = reached.command->get_subcommands().front();
    reached.path += " " + reached.command->get_name();
  }
  return reached;
}

std::vector<std::string> CommandsOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

void AddFlags(const CLI::App& app, std::vector<std::string>* flags) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags->push_back("--" + name);
  }
}

absl::Status Fault(const Reached& reached, std::string_view message, std::string_view hint) {
  return absl::InvalidArgumentError(fmt::format("{}{}{}run '{} --help' for help", message, hint,
                                                hint.empty() ? "; " : " ", reached.path));
}

absl::Status UnknownCommand(const Reached& reached, const std::string& word) {
  const bool top = reached.command->get_parent() == nullptr;
  if (top && std::ranges::find(kLaterCommands, word) != kLaterCommands.end()) {
    return NotAvailable(fmt::format("command '{}'", word));
  }
  return Fault(reached, fmt::format("unknown command '{}'", word),
               config::DidYouMean(word, CommandsOf(*reached.command)));
}

absl::Status UnknownFlag(const CLI::App& program, const Reached& reached, const std::string& word) {
  std::vector<std::string> flags;
  AddFlags(*reached.command, &flags);
  AddFlags(program, &flags);
  const std::string name = word.substr(0, word.find('='));
  return Fault(reached, fmt::format("unknown option '{}'", name), config::DidYouMean(name, flags));
}

}  // namespace

absl::Status UsageFault(const CLI::App& program, const CLI::ParseError& error,
                        const std::vector<std::string>& unread) {
  const Reached reached = Deepest(program);
  const bool wants_command = !CommandsOf(*reached.command).empty();
  for (const std::string& word : unread) {
    if (word.size() > 1 && word[0] == '-') return UnknownFlag(program, reached, word);
    if (wants_command) return UnknownCommand(reached, word);
    return Fault(reached, fmt::format("unexpected argument '{}'", word), "");
  }
  if (wants_command) {
    return Fault(reached, "a command is missing", "");
  }
  return Fault(reached, error.what(), "");
}

std::string ShellQuoted(const std::string& word) {
  const bool plain = !word.empty() && std::ranges::all_of(word, [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("_-./=:,+@%").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace ltml::cli
