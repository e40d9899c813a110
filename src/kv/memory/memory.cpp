#include "kv/memory/memory.h"

#include <algorithm>

#include "base/check.h"

namespace drumlin::kv {
namespace {

struct Item {
  std::string key;
  std::string value;
};

struct Node;
using Ref = std::shared_ptr<Node>;
using Root = std::shared_ptr<const Node>;

struct Node {
  std::shared_ptr<const Item> item;
  Ref left;
  Ref right;
  int height = 1;
  // When it was made. Only nodes of the tree's present epoch may be changed: snapshots cannot reach
  // them. (Counting references instead would be a race with a snapshot that a job destroys.)
  uint64_t epoch = 0;

  std::string_view key() const { return item->key; }
};

int height(const Ref& ref) {
  return ref ? ref->height : 0;
}

const Node* find(const Node* node, std::string_view key) {
  while (node != nullptr) {
    const int order = key.compare(node->key());
    if (order == 0) break;
    node = order < 0 ? node->left.get() : node->right.get();
  }
  return node;
}

class Tree {
 public:
  const Node* root() const { return root_.get(); }

  // What is in the tree now, for good.
  Root share() {
    ++epoch_;
    return root_;
  }

  void put(std::string_view key, std::string_view value) {
    put(root_, std::make_shared<const Item>(Item{std::string(key), std::string(value)}));
  }
  void remove(std::string_view key) {
    if (find(root(), key) != nullptr) remove(root_, key);
  }

 private:
  Node& own(Ref& ref) {
    if (ref->epoch != epoch_) {
      ref = std::make_shared<Node>(*ref);
      ref->epoch = epoch_;
    }
    return *ref;
  }

  void put(Ref& ref, std::shared_ptr<const Item> item) {
    if (!ref) {
      ref = std::make_shared<Node>(Node{std::move(item), {}, {}, 1, epoch_});
      return;
    }
    Node& node = own(ref);
    const int order = item->key.compare(node.key());
    if (order == 0) {
      node.item = std::move(item);
      return;
    }
    put(order < 0 ? node.left : node.right, std::move(item));
    balance(ref);
  }

  // `key` is there.
  void remove(Ref& ref, std::string_view key) {
    Node& node = own(ref);
    const int order = key.compare(node.key());
    if (order != 0) {
      remove(order < 0 ? node.left : node.right, key);
    } else if (node.left && node.right) {
      node.item = take_first(node.right);
    } else {
      const Ref child = node.left ? node.left : node.right;
      ref = child;
      return;
    }
    balance(ref);
  }

  std::shared_ptr<const Item> take_first(Ref& ref) {
    Node& node = own(ref);
    std::shared_ptr<const Item> out;
    if (!node.left) {
      out = node.item;
      const Ref child = node.right;
      ref = child;
      return out;
    }
    out = take_first(node.left);
    balance(ref);
    return out;
  }

  // The node is ours, its subtrees are balanced and differ by at most 2 in height.
  void balance(Ref& ref) {
    Node& node = *ref;
    const int lean = height(node.left) - height(node.right);
    if (lean > 1) {
      Node& left = own(node.left);
      if (height(left.left) < height(left.right)) rotate_left(node.left);
      rotate_right(ref);
    } else if (lean < -1) {
      Node& right = own(node.right);
      if (height(right.right) < height(right.left)) rotate_right(node.right);
      rotate_left(ref);
    } else {
      measure(node);
    }
  }

  static void measure(Node& node) {
    node.height = 1 + std::max(height(node.left), height(node.right));
  }

  void rotate_left(Ref& ref) {
    own(ref->right);
    Ref up = std::move(ref->right);
    ref->right = std::move(up->left);
    measure(*ref);
    up->left = std::move(ref);
    measure(*up);
    ref = std::move(up);
  }
  void rotate_right(Ref& ref) {
    own(ref->left);
    Ref up = std::move(ref->left);
    ref->left = std::move(up->right);
    measure(*ref);
    up->right = std::move(ref);
    measure(*up);
    ref = std::move(up);
  }

  Ref root_;
  uint64_t epoch_ = 1;
};

class MemoryCursor final : public Cursor {
 public:
  MemoryCursor(Root root, std::string_view lower, std::string_view upper)
      : root_(std::move(root)), lower_(lower), upper_(upper) {
    seek(lower);
  }

  bool valid() const override { return !path_.empty(); }
  void next() override {
    DRUMLIN_CHECK(valid());
    const Node* node = path_.back();
    path_.pop_back();
    for (node = node->right.get(); node != nullptr; node = node->left.get())
      path_.push_back(node);
    stop_at_upper();
  }
  void seek(std::string_view key) override {
    const std::string_view target = std::max(key, std::string_view(lower_));
    path_.clear();
    for (const Node* node = root_.get(); node != nullptr;) {
      if (node->key() >= target) {
        path_.push_back(node);
        node = node->left.get();
      } else {
        node = node->right.get();
      }
    }
    stop_at_upper();
  }
  std::string_view key() const override {
    DRUMLIN_CHECK(valid());
    return path_.back()->key();
  }
  std::string_view value() const override {
    DRUMLIN_CHECK(valid());
    return path_.back()->item->value;
  }
  Status status() const override { return {}; }

 private:
  void stop_at_upper() {
    if (!path_.empty() && !upper_.empty() && path_.back()->key() >= upper_) path_.clear();
  }

  Root root_;
  std::string lower_;
  std::string upper_;
  std::vector<const Node*> path_;  // to the current node, the ones that come after it only
};

Result<std::optional<std::string>> value_of(const Node* node) {
  if (node == nullptr) return std::optional<std::string>();
  return std::optional<std::string>(node->item->value);
}

class MemoryView final : public View {
 public:
  explicit MemoryView(Root root) : root_(std::move(root)) {}

  Result<std::optional<std::string>> get(std::string_view key) const override {
    return value_of(find(root_.get(), key));
  }
  std::unique_ptr<Cursor> cursor(std::string_view lower, std::string_view upper) const override {
    return std::make_unique<MemoryCursor>(root_, lower, upper);
  }

 private:
  Root root_;
};

class MemoryKv final : public Kv {
 public:
  Result<std::optional<std::string>> get(std::string_view key) const override {
    return value_of(find(tree_.root(), key));
  }
  std::unique_ptr<Cursor> cursor(std::string_view lower, std::string_view upper) const override {
    return std::make_unique<MemoryCursor>(tree_.share(), lower, upper);
  }
  std::unique_ptr<View> snapshot(Access /*access*/) const override {
    return std::make_unique<MemoryView>(tree_.share());
  }
  Status write(const Batch& batch, Access /*access*/) override {
    for (const Batch::Change& change : batch.changes()) {
      if (change.value) {
        tree_.put(change.key, *change.value);
      } else {
        tree_.remove(change.key);
      }
    }
    return {};
  }
  Status flush() override { return {}; }
  bool durable() const override { return false; }
  std::string_view engine() const override { return "memory"; }

 private:
  mutable Tree tree_;  // share() opens an epoch; what is stored stays the same
};

}  // namespace

std::unique_ptr<Kv> make_memory() {
  return std::make_unique<MemoryKv>();
}

}  // namespace drumlin::kv
