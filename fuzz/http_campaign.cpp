// http_campaign: conversations with http::Server over byte pipes. Requests of every framing, many in
// a row, cut anywhere: the handler sees what was sent and the client reads what was answered. Then
// the same bytes damaged: the connection ends, and what was answered until then is well formed.
#include "fuzz/campaign.h"
#include "fuzz/targets/memory_stream.h"
#include "http/reader.h"
#include "http/server.h"
#include "tests/support/world.h"

#include <rapidcheck.h>

#include <ostream>
#include <utility>

namespace drumlin::http::test {
namespace {

using drumlin::test::World;
using Fields = std::vector<std::pair<std::string, std::string>>;

enum class Body : uint32_t { kNone, kLength, kChunked };
enum class Answer : uint32_t { kRespond, kLength, kChunked, kUnread };

struct Asked {
  std::string method;
  std::string target;
  Fields headers;
  Body framing = Body::kNone;
  std::string body;
  Fields trailers;  // of a chunked body
  uint32_t chunk = 1;
  bool expect_continue = false;
  Answer answer = Answer::kRespond;
  uint32_t status = 0;
  std::string reply;
};

struct Case {
  std::vector<Asked> asked;
  std::vector<uint32_t> cuts;  // sizes of the writes, in turn
  uint32_t max_read = 1;
  std::vector<std::pair<uint32_t, uint32_t>> damage;
};

std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto n = static_cast<unsigned char>(c);
    char hex[8];
    std::snprintf(hex, sizeof(hex), "\\x%02x", static_cast<unsigned>(n));
    out += n >= ' ' && n < 0x7f ? std::string(1, c) : std::string(hex);
  }
  return out;
}

std::string chunked(const Asked& a) {
  std::string out;
  for (size_t at = 0; at < a.body.size(); at += a.chunk) {
    const std::string piece = a.body.substr(at, a.chunk);
    char size[40];
    std::snprintf(size, sizeof(size), at % 2 == 0 ? "%zx\r\n" : "%zX;name=\"v\"\r\n", piece.size());
    out += size + piece + "\r\n";
  }
  out += "0\r\n";
  for (const auto& [name, value] : a.trailers)
    out += name + ": " + value + "\r\n";
  return out + "\r\n";
}

std::string on_the_wire(const Asked& a, bool last) {
  std::string out = a.method + " " + a.target + " HTTP/1.1\r\nHost: h\r\n";
  for (const auto& [name, value] : a.headers)
    out += name + (value.size() % 2 == 0 ? ": " : ":") + value + "\r\n";
  if (last) out += "Connection: close\r\n";
  if (a.framing == Body::kLength) {
    out += "content-length: " + std::to_string(a.body.size()) + "\r\n";
  }
  if (a.framing == Body::kChunked) out += "Transfer-Encoding: Chunked\r\n";
  if (a.expect_continue) out += "Expect: 100-continue\r\n";
  out += "\r\n";
  if (a.framing == Body::kLength) out += a.body;
  if (a.framing == Body::kChunked) out += chunked(a);
  return out;
}

std::string on_the_wire(const Case& c) {
  std::string out;
  for (size_t i = 0; i < c.asked.size(); ++i)
    out += on_the_wire(c.asked[i], i + 1 == c.asked.size());
  return out;
}

void showValue(const Case& c, std::ostream& out) {
  out << "\nreads of at most " << c.max_read << ", writes of";
  for (const uint32_t cut : c.cuts)
    out << " " << cut;
  out << ", damage";
  for (const auto& [at, byte] : c.damage)
    out << " " << at << "=" << byte;
  for (size_t i = 0; i < c.asked.size(); ++i) {
    out << "\n"
        << shown(on_the_wire(c.asked[i], i + 1 == c.asked.size())) << "\n  answered "
        << static_cast<uint32_t>(c.asked[i].answer) << " " << c.asked[i].status << " with "
        << c.asked[i].reply.size();
  }
}

int status_of(const Asked& a) {
  return std::array{200, 404, 206, 204, 304, 503}[a.status % 6];
}
bool no_body(const Asked& a) {
  return a.method == "HEAD" || !status_has_body(status_of(a));
}

struct Totals {
  uint64_t conversations = 0;
  uint64_t requests = 0;
  uint64_t damaged = 0;
  uint64_t refused = 0;
};

Limits limits() {
  Limits out;
  out.head_bytes = 8192;
  out.drain_bytes = 1 << 20;
  return out;
}

// The handler: compares (if the bytes are sound) and answers as planned.
struct Handler {
  const Case& plan;
  bool sound;
  size_t at = 0;
  std::string wrong;

  void operator()(Exchange& exchange) {
    const size_t i = at++;
    if (i >= plan.asked.size()) return answer(exchange, plan.asked.back());
    const Asked& a = plan.asked[i];
    if (sound) compare_head(exchange.head(), a);
    if (a.answer != Answer::kUnread) {
      std::string body;
      char block[100];
      for (;;) {
        const auto n = exchange.read_body(block);
        if (!n.ok()) {
          if (sound) wrong = "body of request " + std::to_string(i) + ": " + n.status().to_string();
          return;
        }
        if (*n == 0) break;
        body.append(block, *n);
      }
      if (sound && body != (a.framing == Body::kNone ? "" : a.body)) wrong = "another body";
      if (sound && a.framing == Body::kChunked) compare(exchange.trailers(), a.trailers);
    }
    answer(exchange, a);
  }

  void compare_head(const RequestHead& head, const Asked& a) {
    if (head.method != a.method || head.target != a.target) wrong = "another request line";
    Fields wanted = a.headers;
    Headers rest = head.headers;
    for (const char* name :
         {"Host", "Connection", "Content-Length", "Transfer-Encoding", "Expect"}) {
      rest.remove(name);
    }
    compare(rest, wanted);
  }
  void compare(const Headers& headers, const Fields& wanted) {
    if (headers.size() != wanted.size()) wrong = "another number of fields";
    for (size_t i = 0; i < headers.size() && i < wanted.size(); ++i) {
      if (headers[i].name != wanted[i].first || headers[i].value != wanted[i].second)
        wrong = "another field: " + shown(headers[i].name) + ": " + shown(headers[i].value);
    }
  }

  static void answer(Exchange& exchange, const Asked& a) {
    ResponseHead head;
    head.status = status_of(a);
    head.headers = {{"X-Reply", "yes"}};
    Status status;
    if (a.answer == Answer::kRespond || a.answer == Answer::kUnread) {
      status = exchange.respond(head, a.reply);
    } else {
      status = a.answer == Answer::kLength ? exchange.begin(head, a.reply.size())
                                           : exchange.begin_chunked(head);
      for (size_t at = 0; status.ok() && at < a.reply.size(); at += 33)
        status = exchange.write(std::string_view(a.reply).substr(at, 33));
      if (status.ok()) status = exchange.finish();
    }
    status.ignore();  // the client may have left; what it got is looked at
  }
};

// Sends the bytes in pieces, ends its direction and reads to the end of the other.
std::string converse(const Case& c, const std::string& bytes, Handler& handler) {
  World world;
  world.server_max_read = c.max_read;
  std::string answers;
  const Endpoint where{"10.0.0.1", 80};
  world.run([&] {
    Server server(
        world, world.observer(), *world.listen(where), limits(),
        [&](Exchange& exchange) { handler(exchange); },
        [](int, std::string_view, ResponseHead&, std::string& body) { body = "no"; });
    server.start();
    auto stream = *world.connect(where, kNever);
    WaitGroup sender(world.scheduler(), world.clock());
    sender.add();
    world.spawn("sender", [&] {
      size_t i = 0;
      for (std::string_view left = bytes; !left.empty(); ++i) {
        const size_t cut = c.cuts.empty() ? left.size() : c.cuts[i % c.cuts.size()];
        const std::string_view piece = left.substr(0, cut);
        left.remove_prefix(piece.size());
        if (!stream->write_all(piece).ok()) break;
        if (cut % 5 == 0) world.sleep_for(1ms).ignore();
      }
      stream->shutdown_write();
      sender.done();
    });
    char block[1000];
    for (;;) {
      const auto n = stream->read_some(block);
      if (!n.ok() || *n == 0) break;
      answers.append(block, *n);
    }
    (void)sender.wait();
    stream.reset();
    DRUMLIN_CHECK_OK(server.drain(kNever));
  });
  return answers;
}

// Reads the responses as a client that asked `asked`; so many are whole. `wrong`: one is no HTTP.
size_t read_answers(const Case& c, const std::string& bytes, bool sound, std::string& wrong) {
  fuzz::MemoryStream stream(bytes);
  MessageReader reader(stream, 8192);
  for (size_t i = 0;;) {
    HeadScanner::Found found;
    while ((found = reader.next_head()) == HeadScanner::Found::kNeedMore) {
      const auto n = reader.fill();
      if (!n.ok()) wrong = "an endless head";
      if (!n.ok() || *n == 0) return i;
    }
    ResponseHead head;
    const bool to_head = sound && i < c.asked.size() && c.asked[i].method == "HEAD";
    if (found != HeadScanner::Found::kHead || reader.take_response(to_head, head)) {
      wrong = "answer " + std::to_string(i) + " is no HTTP";
      return i;
    }
    std::string body;
    char block[333];
    for (;;) {
      const auto n = reader.read_body(block);
      if (!n.ok() && !n.is(Code::kClosed)) wrong = n.status().to_string();
      if (!n.ok()) return i;
      if (*n == 0) break;
      body.append(block, *n);
    }
    if (head.status == 100) continue;
    if (sound && i < c.asked.size()) {
      const Asked& a = c.asked[i];
      if (head.status != status_of(a) || head.headers.get("x-reply") != "yes")
        wrong = "another answer: " + std::to_string(head.status);
      if (body != (no_body(a) ? "" : a.reply)) wrong = "another body of an answer";
    }
    ++i;
  }
}

// HEAD in damaged bytes leaves a client that does not know what it asked in the dark.
Case without_head(Case c) {
  for (Asked& a : c.asked)
    if (a.method == "HEAD") a.method = "GET";
  return c;
}

void check(const Case& c, Totals& totals) {
  if (c.asked.empty()) return;
  ++totals.conversations;
  totals.requests += c.asked.size();
  std::string wrong;
  Handler handler{c, true, 0, {}};
  const std::string answers = converse(c, on_the_wire(c), handler);
  if (!handler.wrong.empty()) RC_FAIL(handler.wrong);
  const size_t whole = read_answers(c, answers, true, wrong);
  if (!wrong.empty()) RC_FAIL(wrong);
  RC_ASSERT(handler.at == c.asked.size());
  RC_ASSERT(whole == c.asked.size());

  if (c.damage.empty()) return;
  ++totals.damaged;
  const Case bent = without_head(c);
  std::string bytes = on_the_wire(bent);
  for (const auto& [at, byte] : c.damage) {
    const size_t where = at % bytes.size();
    if (byte % 3 == 0) bytes.erase(where, byte % 7);
    if (byte % 3 == 1) bytes.insert(where, 1, static_cast<char>(byte));
    if (byte % 3 == 2) bytes[where] = "\r\n:; 0\t\xff"[byte % 8];
    if (bytes.empty()) return;
  }
  // A method that became HEAD has no body to its answer: the reader cannot know.
  if (bytes.find("HEAD ") != std::string::npos) return;
  Handler careless{bent, false, 0, {}};
  const std::string said = converse(bent, bytes, careless);
  read_answers(bent, said, false, wrong);
  if (!wrong.empty()) RC_FAIL("after damage: " + wrong);
  if (careless.at < bent.asked.size()) ++totals.refused;
}

rc::Gen<std::string> text_of(const std::string& alphabet) {
  return rc::gen::container<std::string>(rc::gen::elementOf(alphabet));
}

rc::Gen<Fields> fields() {
  const auto name = rc::gen::map(text_of("aB3-_.!~"), [](std::string t) { return "x" + t; });
  // White space around a value is not part of it.
  const auto value = rc::gen::map(text_of("a b\t;,\"=\xc3\xa4/"), [](std::string t) {
    while (!t.empty() && (t.back() == ' ' || t.back() == '\t'))
      t.pop_back();
    return t.substr(std::min(t.find_first_not_of(" \t"), t.size()));
  });
  return rc::gen::scale(0.1,
                        rc::gen::container<Fields>(rc::gen::scale(5, rc::gen::pair(name, value))));
}

rc::Gen<std::string> any_bytes() {
  return rc::gen::map(rc::gen::resize(100, rc::gen::pair(rc::gen::inRange<size_t>(0, 3000),
                                                         rc::gen::inRange(0, 256))),
                      [](std::pair<size_t, int> drawn) {
                        std::string out(drawn.first, static_cast<char>(drawn.second));
                        for (size_t i = 0; i < out.size(); i += 7)
                          out[i] = "\r\n0 :"[i % 5];
                        return out;
                      });
}

// Who waits for "100 Continue" and does not get it may send the body or not: the server closes then.
Asked that_goes_on(Asked a) {
  if (a.expect_continue && a.answer == Answer::kUnread) a.answer = Answer::kRespond;
  return a;
}

rc::Gen<Asked> any_asked() {
  return rc::gen::map(
      rc::gen::build<Asked>(
          rc::gen::set(&Asked::method, rc::gen::element<std::string>("GET", "PUT", "POST", "HEAD",
                                                                     "DELETE", "odd-method!")),
          rc::gen::set(&Asked::target, rc::gen::map(text_of("ab/?&=%2F.~*\"<>[]{}|\xc3\xa4"),
                                                    [](std::string t) { return "/" + t; })),
          rc::gen::set(&Asked::headers, fields()),
          rc::gen::set(&Asked::framing,
                       rc::gen::element(Body::kNone, Body::kLength, Body::kChunked)),
          rc::gen::set(&Asked::body, any_bytes()), rc::gen::set(&Asked::trailers, fields()),
          rc::gen::set(&Asked::chunk,
                       rc::gen::resize(100, rc::gen::element<uint32_t>(1, 7, 100, 1000, 4000))),
          rc::gen::set(&Asked::expect_continue,
                       rc::gen::map(rc::gen::inRange(0, 8), [](int n) { return n == 7; })),
          rc::gen::set(&Asked::answer, rc::gen::element(Answer::kRespond, Answer::kLength,
                                                        Answer::kChunked, Answer::kUnread)),
          rc::gen::set(&Asked::status, rc::gen::inRange<uint32_t>(0, 12)),
          rc::gen::set(&Asked::reply, any_bytes())),
      that_goes_on);
}

rc::Gen<Case> any_case() {
  const auto number = rc::gen::resize(100, rc::gen::inRange<uint32_t>(0, 1u << 16));
  return rc::gen::build<Case>(
      rc::gen::set(&Case::asked, rc::gen::scale(0.08, rc::gen::nonEmpty<std::vector<Asked>>(
                                                          rc::gen::container<std::vector<Asked>>(
                                                              rc::gen::scale(12, any_asked()))))),
      rc::gen::set(&Case::cuts,
                   rc::gen::scale(
                       0.1, rc::gen::container<std::vector<uint32_t>>(rc::gen::resize(
                                100, rc::gen::element<uint32_t>(1, 2, 5, 16, 100, 1500, 10000))))),
      rc::gen::set(&Case::max_read,
                   rc::gen::resize(100, rc::gen::element<uint32_t>(1, 3, 64, 100000))),
      rc::gen::set(
          &Case::damage,
          rc::gen::scale(0.04, rc::gen::container<std::vector<std::pair<uint32_t, uint32_t>>>(
                                   rc::gen::pair(number, number)))));
}

}  // namespace
}  // namespace drumlin::http::test

int main(int argc, char** argv) {
  using namespace drumlin::http::test;  // NOLINT(google-build-using-namespace)
  Totals totals;
  drumlin::fuzz::Campaign campaign;
  campaign.name = "http_campaign";
  campaign.checks_throw = false;
  campaign.property = [&] { check(*any_case(), totals); };
  campaign.totals = [&] {
    return std::to_string(totals.conversations) + " conversations, " +
           std::to_string(totals.requests) + " requests, " + std::to_string(totals.damaged) +
           " damaged, " + std::to_string(totals.refused) + " of them refused";
  };
  return drumlin::fuzz::run_campaign(campaign, {argv + 1, argv + argc});
}
