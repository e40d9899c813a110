// XML out and in, over pugixml, whose types stay in the .cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drumlin::s3 {

inline constexpr std::string_view kNamespace = "http://s3.amazonaws.com/doc/2006-03-01/";

// An element under construction; valid as long as its document.
class XmlNode {
 public:
  XmlNode child(std::string_view name) const;
  // <name>value</name>, escaped. A NUL and what follows it are left out: XML has no place for it.
  void text(std::string_view name, std::string_view value) const;
  void number(std::string_view name, uint64_t value) const;
  void boolean(std::string_view name, bool value) const;
  void set_text(std::string_view value) const;
  void attribute(std::string_view name, std::string_view value) const;

 private:
  friend class XmlDocument;
  explicit XmlNode(void* node) : node_(node) {}
  void* node_;
};

class XmlDocument {
 public:
  // With `xmlns` on the root if it is not empty; never on another element.
  explicit XmlDocument(std::string_view root, std::string_view xmlns = {});
  ~XmlDocument();
  XmlDocument(const XmlDocument&) = delete;
  XmlDocument& operator=(const XmlDocument&) = delete;
  XmlNode root() const;
  // Declaration, then the root without any white space between elements.
  std::string to_string() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// An element of a request's body: its name without a prefix, the text directly in it, and what is below.
struct XmlElement {
  std::string name;
  std::string text;
  std::vector<XmlElement> children;
};

// Nothing if the body is not well-formed, its root is not `root`, or it has more than `max_elements`,
// which also bounds the memory that it takes.
std::optional<XmlElement> read_xml(std::string_view body, std::string_view root,
                                   size_t max_elements);

// The text of root/child in a request's body, with or without a namespace. Nothing if the body is
// not well-formed or its root is not `root`; an empty string if there is no such child.
std::optional<std::string> read_xml_child(std::string_view body, std::string_view root,
                                          std::string_view child);

}  // namespace drumlin::s3
