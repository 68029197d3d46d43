// SPDX-License-Identifier: Apache-2.0
// Which algorithm computes a convolution: the first of a list that supports it and beats those
// behind. A function of the shapes and the instruction set.
#include "ops/conv2d.h"

namespace pronghorn {

/// A few outputs have the inputs as lanes, whose loads take as long as their multiplications.
double ConvProblem::row_vectors(int64_t from, int64_t into) const {
    constexpr double kSlower = 1.4, kEnds = 6;  // adding lanes
    const auto filled = [this](int64_t channels) {
        const int64_t vectors = (channels + kernels->lanes - 1) / kernels->lanes;
        return static_cast<double>(vectors);
    };
    const double vectors = static_cast<double>(from) * filled(into);
    if (into > kFewChannels || from < kernels->lanes) return vectors;
    const double few = kSlower * filled(from) + kEnds / static_cast<double>(taps());
    return std::min(vectors, static_cast<double>(into) * few);
}

namespace {

/// The part of a vector's lanes that the passes keep busy, with channels as lanes.
double rows_use(const ConvProblem& p) {
    const auto use = [&p](int64_t from, int64_t into) {
        const auto products = static_cast<double>(from * into);
        return products / static_cast<double>(p.kernels->lanes) / p.row_vectors(from, into);
    };
    const int64_t in = p.group_in(), out = p.group_out();
    double sum = use(in, out), passes = 1;
    if (p.wants_dw) sum += use(in, out), ++passes;
    if (p.wants_dx) sum += use(out, in), ++passes;
    return sum / passes;
}

/// The same with images as lanes; a little less than all, as weights are broadcast one by one. For
/// dw less where a group of images outgrows L2 by far, and where the pixels of x, a multiple of
/// 4 KB apart, or of 1 KB in a large map, share a few lines of the first cache.
double lanes_use(const ConvProblem& p) {
    constexpr int64_t kPage = 1 << 10, kLargeMap = 64 << 10, kLargeGroup = 512 << 10;  // floats
    const int64_t lanes = p.kernels->lanes, apart = p.in_c * lanes, x = p.in_size() * lanes;
    const bool shares = apart % kPage == 0 || (apart % (kPage / 4) == 0 && x >= kLargeMap);
    const bool outgrows = x + p.out_size() * lanes > kLargeGroup;
    const double most = !p.wants_dw ? 0.95 : shares ? 0.7 : outgrows ? 0.8 : 0.95;
    const int64_t filled = (p.batch + lanes - 1) / lanes * lanes;
    return most * static_cast<double>(p.batch) / static_cast<double>(filled);
}

/// A group of images, its output and their gradients stay in the caches of a core.
bool groups_fit(const ConvProblem& p) {
    constexpr int64_t kMostFloats = 2 << 20;
    return p.kernels->lanes * (p.in_size() + p.out_size()) <= kMostFloats;
}

/// Images fill the vectors so many times as well as channels do.
bool lanes_lead(const ConvProblem& p, double times) {
    return groups_fit(p) && lanes_use(p) > times * rows_use(p);
}

/// Winograd saves less for 5 x 5 kernels than for 3 x 3: with AVX-512, lanes are 1.25, 1.06
/// and 1.03 times as fast for 17 to 17, 20 to 20 and 17 to 33 channels, which fill half the
/// vectors, and 0.93 times for 34 to 20, 0.8 times for 20 to 50. With AVX2 and 3 x 3 kernels of few
/// channels, Winograd is 1.5 to 2 times as fast for 24 or 48 to 12, 1.2 times for 12 to 12, and 0.6
/// times for 9 to 9; and lanes join chains of small convolutions.
bool winograd_leads(const ConvProblem& p) {
    if (!winograd_wins(p)) return false;
    if (std::min(p.in_c, p.out_c) < 16) return !lanes_lead(p, 1.2);
    return p.width.kernel != 5 || !lanes_lead(p, 1.48);
}

}  // namespace

/// A map of many channels for a few that are computed from it, or of it, takes longer to get into
/// lanes than to multiply: rows are 1.1 to 3 times as fast from 16 channels for one on.
bool lanes_win(const ConvProblem& p) {
    constexpr int64_t kOutweighs = 16;
    const int64_t few = p.wants_dx ? std::min(p.in_c, p.out_c) : p.out_c;
    const int64_t many = p.in_c + p.out_c - few;
    if (few <= kFewChannels && many > kOutweighs * few && p.groups == 1) return false;
    return lanes_lead(p, 1);
}

/// In training 2 to 20 times as fast as the convolution. Predictions pack the kernel once, which is
/// worth more for one image and a large kernel, and for many images and few channels.
bool dense_wins(const ConvProblem& p) {
    constexpr int64_t kFewImages = 8, kMostFloats = 1 << 20, kLeastChannels = 64;
    if (p.groups > 1 || p.taps() == 1) return false;
    if (p.trains()) return p.out_c > 1;
    return p.batch < kFewImages ? p.in_size() * p.out_c <= kMostFloats : p.out_c >= kLeastChannels;
}

/// Where an image has a few cells of output for a large kernel, dw would be moved as a whole for
/// each image: 1.1 to 2.3 times as fast from 64 channels of output on, 8 times for one cell; 1.0
/// for 16 cells, 0.9 for 32 channels. Up to 3 images are cut into pieces anyway.
bool patches_win(const ConvProblem& p) {
    constexpr int64_t kLeastFloats = 32 << 10, kLeastChannels = 64;
    const int64_t cells = p.out_size() / p.out_c, most = p.batch < 4 ? 4 : 9;
    return p.groups == 1 && p.taps() > 1 && p.trains() && cells <= most &&
           p.out_c >= kLeastChannels && p.taps() * p.in_c * p.out_c >= kLeastFloats &&
           !winograd_wins(p);
}

std::unique_ptr<ConvAlgorithm> choose_conv(const ConvProblem& problem, const std::string& forced) {
    struct Entry {
        const char* name;
        std::unique_ptr<ConvAlgorithm> (*make)(const ConvProblem&);
        bool (*wins)(const ConvProblem&);
    };
    const auto always = [](const ConvProblem& /*problem*/) { return true; };
    const Entry list[] = {{"winograd", make_conv_winograd, winograd_leads},
                          {"depthwise", make_conv_depthwise, always},
                          {"planes", make_conv_planes, planes_win},
                          {"lanes", make_conv_lanes, lanes_win},
                          {"direct", make_conv_direct, always},
                          {"im2col", make_conv_im2col, always}};
    // Winograd, where it is forced, does not support every problem: the others are as ever.
    const bool any = forced == "auto" || forced == "winograd";
    for (const Entry& entry : list) {
        const bool welcome = any && entry.wins(problem);
        const bool last = entry.make == make_conv_im2col;
        if (!welcome && !last && forced != entry.name) continue;
        if (auto algorithm = entry.make(problem)) return algorithm;
    }
    throw ValueError("[conv2d] no algorithm supports this convolution");
}

}  // namespace pronghorn
