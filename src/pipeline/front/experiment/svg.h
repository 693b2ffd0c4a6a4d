#pragma once
#include <string>
#include <utility>
#include <vector>

namespace hepar::detail {

/// A named line of (x, y) points.
struct Curve {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

/// A small line chart as inline SVG, axes from 0 (or the smallest y) to the largest values. Points
/// are thinned to what the width can show. Empty when no curve has two points.
std::string line_chart(const std::string& title, const std::vector<Curve>& curves);

/// Text for HTML and SVG.
std::string escaped(const std::string& text);

}  // namespace hepar::detail
