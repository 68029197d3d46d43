// SPDX-License-Identifier: Apache-2.0
#include "ops/loss.h"

#include <algorithm>

namespace pronghorn {

Tensor Loss::infer(const std::vector<Tensor>& inputs) {
    check(inputs.size() == 2 || inputs.size() == 3, name(),
          "expected y_pred, a target and at most weights, got ", inputs.size(), " inputs");
    const Shape& y_pred = inputs[0].shape;
    check(y_pred.rank() >= 2 && inputs[0].dtype == DType::kFloat32, name(),
          "expected y_pred of at least 2 dimensions, got ", y_pred);
    last_ = y_pred[-1];
    rows_ = y_pred.elements(1) / last_;
    if (sparse()) {
        check(inputs[1].dtype == DType::kInt32 && inputs[1].shape[0] == y_pred[0] &&
                  inputs[1].shape.elements(1) == rows_,
              name(), "expected ", rows_, " int32 labels per image for y_pred ", y_pred, ", got ",
              name_of(inputs[1].dtype), " ", inputs[1].shape);
    } else {
        check(inputs[1].dtype == DType::kFloat32 && inputs[1].shape == y_pred, name(),
              "expected a target of the shape of y_pred, ", y_pred, ", got ", inputs[1].shape);
    }
    weighted_ = inputs.size() == 3;
    if (weighted_) {
        check(inputs[2].dtype == DType::kFloat32 && inputs[2].shape[0] == y_pred[0] &&
                  inputs[2].shape.elements(1) == rows_,
              name(), "expected ", rows_, " weights per image for y_pred ", y_pred, ", got ",
              inputs[2].shape);
    }
    return {Shape{y_pred[0]}};
}

Signature Loss::plan(const PlanContext& context) {
    kernels_ = context.kernels;
    Signature signature;
    signature.saved = stride();
    if (surveys()) signature.stages.push_back({Phase::kForward, false, 1, 0, 0});
    signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
    if (context.training) signature.stages.push_back({Phase::kBackward, true, 1, 0, 0});
    signature.backward_reads = {true, true, weighted_};
    return signature;
}

void Loss::run(int stage, const Args& args, int64_t /*task*/) const noexcept {
    if (surveys() && stage-- == 0) {
        const float answer = survey(args.in[1], args.images);
        for (int64_t i = 0; i < args.images; ++i) args.saved[(i + 1) * stride() - 1] = answer;
        return;
    }
    const int64_t size = rows_ * last_;
    for (int64_t i = 0; i < args.images; ++i) {
        const Image image{args.in[0] + i * size, args.in[1] + i * target_size(),
                          weighted_ ? args.in[2] + i * rows_ : nullptr};
        float* state = args.saved == nullptr ? nullptr : args.saved + i * stride();
        if (stage == 0) {
            const double mean = forward(image, state) / static_cast<double>(rows_);
            args.out[i] = static_cast<float>(mean);
        } else {
            const float scale = args.d_out[i] / static_cast<float>(rows_);
            backward(image, state, scale, args.d_in[0] + i * size);
        }
    }
}

}  // namespace pronghorn
