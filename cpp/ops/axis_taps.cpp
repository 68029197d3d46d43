// SPDX-License-Identifier: Apache-2.0
// The tables behind resizing and averaging along an axis. Weights are computed in double.
#include "ops/axis_taps.h"

#include <algorithm>
#include <cmath>

namespace pronghorn {

void AxisTaps::add(int64_t begin, const std::vector<double>& weights, double offset) {
    begin_.push_back(begin);
    for (double weight : weights) weights_.push_back(static_cast<float>(weight));
    first_.push_back(static_cast<int64_t>(weights_.size()));
    offset_.push_back(static_cast<float>(offset));
    has_offset_ = has_offset_ || offset != 0.0;
}

AxisTaps AxisTaps::transposed() const {
    // Both ends of the windows grow with j, so the outputs that read a cell are consecutive but
    // for some that read nothing or, at an inner zero, skip it: those get a weight of zero.
    std::vector<int64_t> begin(static_cast<size_t>(in_), -1);
    std::vector<std::vector<double>> weights(static_cast<size_t>(in_));
    for (int64_t j = 0; j < out(); ++j) {
        const auto output = static_cast<size_t>(j);
        for (int64_t t = first_[output]; t < first_[output + 1]; ++t) {
            const auto cell = static_cast<size_t>(begin_[output] + t - first_[output]);
            if (begin[cell] < 0) begin[cell] = j;
            weights[cell].resize(static_cast<size_t>(j - begin[cell]), 0.0);
            weights[cell].push_back(static_cast<double>(weights_[static_cast<size_t>(t)]));
        }
    }
    AxisTaps gradient(out());
    for (size_t cell = 0; cell < weights.size(); ++cell) {
        gradient.add(std::max<int64_t>(begin[cell], 0), weights[cell]);
    }
    return gradient;
}

bool AxisTaps::identity() const {
    if (has_offset_ || in_ != out() || weights_.size() != begin_.size()) return false;
    for (size_t j = 0; j < begin_.size(); ++j) {
        const bool one = first_[j + 1] - first_[j] == 1 && weights_[j] == 1.0f;
        if (!one || begin_[j] != static_cast<int64_t>(j)) return false;
    }
    return true;
}

AxisMap AxisTaps::over(int64_t outer, int64_t inner) const {
    return {outer,         in_,           out(),           inner,
            begin_.data(), first_.data(), weights_.data(), has_offset_ ? offset_.data() : nullptr};
}

AxisTaps repeat_taps(int64_t size, int64_t times) {
    AxisTaps taps(size);
    for (int64_t j = 0; j < checked_product(size, times); ++j) taps.add(j / times, {1.0});
    return taps;
}

AxisTaps adaptive_taps(int64_t in, int64_t out) {
    checked_product(in, out);
    AxisTaps taps(in);
    for (int64_t j = 0; j < out; ++j) {
        const int64_t begin = j * in / out, end = ((j + 1) * in + out - 1) / out;
        const auto cells = static_cast<size_t>(end - begin);
        taps.add(begin, std::vector<double>(cells, 1.0 / static_cast<double>(cells)));
    }
    return taps;
}

namespace {

/// An interpolation kernel: its reach to either side and its value at a distance.
struct Interpolation {
    double radius;
    double (*value)(double radius, double distance);
};

double triangle(double /*radius*/, double x) { return std::max(0.0, 1.0 - x); }

double keys_cubic(double /*radius*/, double x) {
    if (x >= 2.0) return 0.0;
    if (x >= 1.0) return ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0;
    return (1.5 * x - 2.5) * x * x + 1.0;
}

double lanczos(double radius, double x) {
    if (x > radius) return 0.0;
    if (x <= 1e-3) return 1.0;
    const double angle = M_PI * x;
    return radius * std::sin(angle) * std::sin(angle / radius) / (angle * angle);
}

Interpolation interpolation_of(const std::string& name) {
    if (name == "bilinear") return {1.0, triangle};
    if (name == "bicubic") return {2.0, keys_cubic};
    if (name == "lanczos3") return {3.0, lanczos};
    check(name == "lanczos5", "resize2d",
          "expected interpolation nearest, bilinear, bicubic, lanczos3 or lanczos5, got '", name,
          "'");
    return {5.0, lanczos};
}

/// Output j of a resize: all weights of the padded source, from cell `begin` of it on.
struct Weights {
    int64_t begin = 0;
    std::vector<double> values;
};

Weights nearest(int64_t j, int64_t size, int64_t out) {
    return {(2 * j + 1) * size / (2 * out), {1.0}};
}

Weights interpolated(int64_t j, int64_t size, int64_t out, const Interpolation& kernel,
                     bool antialias) {
    const double step = static_cast<double>(size) / static_cast<double>(out);
    const double centre = (static_cast<double>(j) + 0.5) * step - 0.5;
    const double scale = antialias ? std::max(step, 1.0) : 1.0;
    const double reach = kernel.radius * scale;
    Weights found;
    found.begin = std::max<int64_t>(0, static_cast<int64_t>(std::ceil(centre - reach)));
    const int64_t end = std::min(size, static_cast<int64_t>(std::floor(centre + reach)) + 1);
    double sum = 0.0;
    for (int64_t cell = found.begin; cell < end; ++cell) {
        const double distance = std::abs(centre - static_cast<double>(cell)) / scale;
        found.values.push_back(kernel.value(kernel.radius, distance));
        sum += found.values.back();
    }
    for (double& value : found.values) value /= sum;
    return found;
}

/// Moves weights of the padded source to the axis: what falls on padding becomes the offset.
void add_clipped(const Weights& weights, const ResizeSource& source, AxisTaps& taps) {
    int64_t begin = -1;
    double outside = 0.0;
    std::vector<double> inside;
    for (size_t t = 0; t < weights.values.size(); ++t) {
        const int64_t cell = weights.begin + static_cast<int64_t>(t) - source.padding;
        if (cell < 0 || cell >= source.size) {
            outside += weights.values[t];
        } else {
            if (begin < 0) begin = cell;
            inside.push_back(weights.values[t]);
        }
    }
    taps.add(source.begin + std::max<int64_t>(begin, 0), inside, outside * source.fill);
}

}  // namespace

AxisTaps resize_taps(int64_t in, int64_t out, const ResizeSource& source,
                     const std::string& interpolation, bool antialias) {
    const int64_t size = source.size + 2 * source.padding;
    checked_product(2 * size, 2 * out);
    AxisTaps taps(in);
    const bool copies = interpolation == "nearest" || size == out;
    const Interpolation kernel =
        interpolation == "nearest" ? Interpolation{} : interpolation_of(interpolation);
    for (int64_t j = 0; j < out; ++j) {
        const Weights weights =
            copies ? nearest(j, size, out) : interpolated(j, size, out, kernel, antialias);
        add_clipped(weights, source, taps);
    }
    return taps;
}

}  // namespace pronghorn
