#include "experiment/svg.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace hepar::detail {
namespace {

constexpr double kWidth = 460, kHeight = 220, kLeft = 52, kRight = 12, kTop = 26, kBottom = 30;
constexpr std::size_t kMostPoints = 400;
// Colours that stay apart for colour-blind readers (Okabe & Ito).
constexpr std::array<const char*, 7> kColours{"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                              "#e69f00", "#56b4e9", "#000000"};

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", value);
  return text.data();
}

struct Frame {
  double x_max = 0, y_min = 0, y_max = 0;

  [[nodiscard]] std::string x(double value) const {
    return number(kLeft + (kWidth - kLeft - kRight) * value / x_max);
  }
  [[nodiscard]] std::string y(double value) const {
    return number(kHeight - kBottom -
                  (kHeight - kTop - kBottom) * (value - y_min) / (y_max - y_min));
  }
};

Frame frame_of(const std::vector<Curve>& curves) {
  Frame frame;
  bool any = false;
  for (const Curve& curve : curves) {
    for (const auto& [x, y] : curve.points) {
      frame.x_max = std::max(frame.x_max, x);
      frame.y_min = any ? std::min(frame.y_min, y) : y;
      frame.y_max = any ? std::max(frame.y_max, y) : y;
      any = true;
    }
  }
  frame.y_min = std::min(frame.y_min, 0.0);
  if (frame.y_max <= frame.y_min) {
    frame.y_max = frame.y_min + 1;
  }
  return frame;
}

std::string polyline(const Curve& curve, const Frame& frame, const char* colour) {
  const std::size_t stride = std::max<std::size_t>(1, curve.points.size() / kMostPoints);
  std::string text = "<polyline fill=\"none\" stroke-width=\"1.2\" stroke=\"" +
                     std::string(colour) + "\" points=\"";
  for (std::size_t i = 0; i < curve.points.size(); i += stride) {
    text += frame.x(curve.points[i].first) + "," + frame.y(curve.points[i].second) + " ";
  }
  return text + "\"/>";
}

std::string label(double x, double y, const std::string& anchor, const std::string& text) {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor + "\">" +
         escaped(text) + "</text>";
}

}  // namespace

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string line_chart(const std::string& title, const std::vector<Curve>& curves) {
  const bool any = std::any_of(curves.begin(), curves.end(),
                               [](const Curve& curve) { return curve.points.size() > 1; });
  const Frame frame = frame_of(curves);
  if (!any || frame.x_max <= 0) {
    return "";
  }
  std::string svg = "<svg width=\"" + number(kWidth) + "\" height=\"" + number(kHeight) +
                    "\" font-family=\"sans-serif\" font-size=\"11\" role=\"img\">";
  svg += label(kLeft, 14, "start", title);
  svg += "<path fill=\"none\" stroke=\"#888\" d=\"M" + number(kLeft) + " " + number(kTop) + "V" +
         number(kHeight - kBottom) + "H" + number(kWidth - kRight) + "\"/>";
  svg += label(kLeft - 4, kTop + 8, "end", number(frame.y_max));
  svg += label(kLeft - 4, kHeight - kBottom, "end", number(frame.y_min));
  svg += label(kWidth - kRight, kHeight - 14, "end", "step " + number(frame.x_max));
  for (std::size_t i = 0; i < curves.size(); ++i) {
    const char* colour = kColours[i % kColours.size()];
    svg += polyline(curves[i], frame, colour);
    if (!curves[i].name.empty() && i < kColours.size()) {
      svg +=
          "<g fill=\"" + std::string(colour) + "\">" +
          label(kWidth - kRight, kTop + 10 + 13 * static_cast<double>(i), "end", curves[i].name) +
          "</g>";
    }
  }
  return svg + "</svg>";
}

}  // namespace hepar::detail
