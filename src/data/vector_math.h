#pragma once
#include <bit>
#include <cstdint>

namespace hepar {

// Elementary functions that compilers turn into vector code and that give the same bits with every
// C library. Polynomials: Cephes (S. Moshier), single precision; relative error about 1e-7.

/// Natural logarithm of a positive, normal x.
inline float vector_log(float x) {
  const auto bits = std::bit_cast<std::int32_t>(x);
  // Mantissa in [sqrt(1/2), sqrt(2)): subtracting its pattern splits off the exponent without a
  // branch.
  constexpr std::int32_t kSqrtHalf = 0x3F3504F3;
  const std::int32_t exponent = (bits - kSqrtHalf) >> 23;
  const float m = std::bit_cast<float>(bits - (exponent << 23));
  const float t = m - 1.0F;
  float p = 7.0376836292e-2F;
  p = p * t - 1.1514610310e-1F;
  p = p * t + 1.1676998740e-1F;
  p = p * t - 1.2420140846e-1F;
  p = p * t + 1.4249322787e-1F;
  p = p * t - 1.6668057665e-1F;
  p = p * t + 2.0000714765e-1F;
  p = p * t - 2.4999993993e-1F;
  p = p * t + 3.3333331174e-1F;
  const float square = t * t;
  return static_cast<float>(exponent) * 0.693147180559945F + (t + (p * t * square - 0.5F * square));
}

/// Nearest integer of |x| < 2^22, ties to even.
inline float vector_round(float x) {
  constexpr float kShift = 12582912.0F;  // 1.5 · 2^23: the sum has no room for a fraction
  return (x + kShift) - kShift;
}

/// Exponential of x in [−80, 80].
inline float vector_exp(float x) {
  const float n = vector_round(x * 1.44269504088896F);
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  const float value = p * r * r + r + 1.0F;
  return value * std::bit_cast<float>((static_cast<std::int32_t>(n) + 127) << 23);
}

struct SinCos {
  float sine, cosine;
};

/// Sine and cosine of 2π · turn, turn in [0, 1].
inline SinCos vector_sincos(float turn) {
  const float quarter = vector_round(turn * 4.0F);
  const float r = (turn - quarter * 0.25F) * 6.28318530717959F;
  const float z = r * r;
  const float s = ((-1.9515295891e-4F * z + 8.3321608736e-3F) * z - 1.6666654611e-1F) * z * r + r;
  const float c =
      ((2.443315711809948e-5F * z - 1.388731625493765e-3F) * z + 4.166664568298827e-2F) * z * z -
      0.5F * z + 1.0F;
  const auto quadrant = static_cast<std::int32_t>(quarter);
  const bool swap = (quadrant & 1) != 0;
  const float sine = swap ? c : s;
  const float cosine = swap ? s : c;
  const bool negative_sine = (quadrant & 2) != 0;
  const bool negative_cosine = ((quadrant + 1) & 2) != 0;
  return {negative_sine ? -sine : sine, negative_cosine ? -cosine : cosine};
}

/// base^exponent for base in [0, 1] and a positive exponent below 20; 0 for base < 1e-30.
inline float vector_pow(float base, float exponent) {
  constexpr float kTiny = 1e-30F;
  const float safe = base < kTiny ? kTiny : base;
  const float scaled = exponent * vector_log(safe);
  const float bounded = scaled < -80.0F ? -80.0F : scaled;
  const float value = vector_exp(bounded);
  return base < kTiny ? 0.0F : value;
}

}  // namespace hepar
