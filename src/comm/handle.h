#pragma once
#include <utility>

namespace hepar {

/// Owner of one raw handle of a C library. Traits: value_type, null(), release(value). Moving
/// steals, so a handle is released once; move assignment releases what was held before.
template <class Traits>
class Handle {
 public:
  using value_type = typename Traits::value_type;
  Handle() noexcept = default;
  explicit Handle(value_type raw) noexcept : raw_(raw) {}
  ~Handle() {
    if (raw_ != Traits::null()) {
      Traits::release(raw_);
    }
  }
  Handle(Handle&& other) noexcept : raw_(std::exchange(other.raw_, Traits::null())) {}
  Handle& operator=(Handle&& other) noexcept {
    Handle held(std::move(other));
    std::swap(raw_, held.raw_);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  [[nodiscard]] value_type get() const noexcept { return raw_; }

 private:
  value_type raw_ = Traits::null();
};

}  // namespace hepar
