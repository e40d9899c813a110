#include "s3/xml.h"

#include <pugixml.hpp>

#include <algorithm>

namespace drumlin::s3 {
namespace {

pugi::xml_node unwrap(void* node) {
  return pugi::xml_node(static_cast<pugi::xml_node_struct*>(node));
}

class StringWriter : public pugi::xml_writer {
 public:
  explicit StringWriter(std::string& out) : out_(out) {}
  // A carriage return as it is would be a line feed to whoever reads it (XML 1.0, 2.11). There are
  // none but in texts, where pugixml leaves them alone.
  void write(const void* data, size_t size) override {
    std::string_view bytes(static_cast<const char*>(data), size);
    for (size_t at; (at = bytes.find('\r')) != std::string_view::npos;) {
      out_.append(bytes.substr(0, at)).append("&#13;");
      bytes.remove_prefix(at + 1);
    }
    out_.append(bytes);
  }

 private:
  std::string& out_;
};

// "Name" of "ns:Name".
std::string_view local_name(const char* name) {
  const std::string_view text(name);
  const size_t colon = text.find(':');
  return colon == std::string_view::npos ? text : text.substr(colon + 1);
}

XmlElement element_of(const pugi::xml_node& node) {
  XmlElement out;
  out.name = local_name(node.name());
  for (const pugi::xml_node child : node.children()) {
    if (child.type() == pugi::node_element) out.children.push_back(element_of(child));
    if (child.type() == pugi::node_pcdata || child.type() == pugi::node_cdata) {
      out.text += child.value();
    }
  }
  return out;
}

// element_of() recurses.
bool deeper_than(const pugi::xml_node& node, int levels) {
  if (levels == 0) return true;
  for (const pugi::xml_node child : node.children()) {
    if (deeper_than(child, levels - 1)) return true;
  }
  return false;
}

size_t count_elements(const pugi::xml_node& node) {
  size_t out = 1;
  for (const pugi::xml_node child : node.children()) {
    if (child.type() == pugi::node_element) out += count_elements(child);
  }
  return out;
}

constexpr int kMaxDepth = 8;

}  // namespace

XmlNode XmlNode::child(std::string_view name) const {
  return XmlNode(unwrap(node_).append_child(std::string(name).c_str()).internal_object());
}

void XmlNode::text(std::string_view name, std::string_view value) const {
  child(name).set_text(value);
}

void XmlNode::number(std::string_view name, uint64_t value) const {
  text(name, std::to_string(value));
}

void XmlNode::boolean(std::string_view name, bool value) const {
  text(name, value ? "true" : "false");
}

void XmlNode::set_text(std::string_view value) const {
  unwrap(node_).append_child(pugi::node_pcdata).set_value(std::string(value).c_str());
}

void XmlNode::attribute(std::string_view name, std::string_view value) const {
  unwrap(node_).append_attribute(std::string(name).c_str()).set_value(std::string(value).c_str());
}

struct XmlDocument::Impl {
  pugi::xml_document document;
  pugi::xml_node root;
};

XmlDocument::XmlDocument(std::string_view root, std::string_view xmlns)
    : impl_(std::make_unique<Impl>()) {
  impl_->root = impl_->document.append_child(std::string(root).c_str());
  if (!xmlns.empty()) {
    impl_->root.append_attribute("xmlns").set_value(std::string(xmlns).c_str());
  }
}

XmlDocument::~XmlDocument() = default;

XmlNode XmlDocument::root() const {
  return XmlNode(impl_->root.internal_object());
}

std::string XmlDocument::to_string() const {
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  StringWriter writer(out);
  impl_->document.save(writer, "", pugi::format_raw | pugi::format_no_declaration,
                       pugi::encoding_utf8);
  return out;
}

std::optional<XmlElement> read_xml(std::string_view body, std::string_view root,
                                   size_t max_elements) {
  // Each element has one "<" or two: what has far too many is not parsed at all.
  const auto tags = std::count(body.begin(), body.end(), '<');
  if (static_cast<size_t>(tags) > 2 * max_elements + 2) return std::nullopt;
  pugi::xml_document document;
  // White space can be a key, or its ends. No DOCTYPE is kept, as below.
  const pugi::xml_parse_result result = document.load_buffer(
      body.data(), body.size(), pugi::parse_default | pugi::parse_ws_pcdata_single);
  const pugi::xml_node top = document.document_element();
  if (!result || local_name(top.name()) != root || deeper_than(top, kMaxDepth) ||
      count_elements(top) > max_elements) {
    return std::nullopt;
  }
  return element_of(top);
}

std::optional<std::string> read_xml_child(std::string_view body, std::string_view root,
                                          std::string_view child) {
  pugi::xml_document document;
  // No DOCTYPE is kept and no entity but the five of XML is ever expanded.
  const pugi::xml_parse_result result =
      document.load_buffer(body.data(), body.size(), pugi::parse_default | pugi::parse_trim_pcdata);
  const pugi::xml_node top = document.document_element();
  if (!result || local_name(top.name()) != root) return std::nullopt;
  for (const pugi::xml_node node : top.children()) {
    if (local_name(node.name()) == child) return std::string(node.child_value());
  }
  return std::string();
}

}  // namespace drumlin::s3
