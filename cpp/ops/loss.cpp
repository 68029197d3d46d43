// SPDX-License-Identifier: Apache-2.0
#include "ops/loss.h"

namespace pronghorn {

Tensor Loss::infer(const std::vector<Tensor>& inputs) {
    check(inputs.size() == 2, name(), "expected y_pred and a target, got ", inputs.size(),
          " inputs");
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
    return {Shape{y_pred[0]}};
}

Signature Loss::plan(const PlanContext& context) {
    kernels_ = context.kernels;
    Signature signature;
    signature.saved = stride();
    if (surveys()) signature.stages.push_back({Phase::kForward, false, 1, 0, 0});
    signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
    if (context.training) signature.stages.push_back({Phase::kBackward, true, 1, 0, 0});
    signature.backward_reads = {true, true};
    return signature;
}

void Loss::run(int stage, const Args& args, int64_t /*task*/) const noexcept {
    const int64_t size = rows_ * last_;
    if (surveys() && stage-- == 0) {
        const float answer = survey(args.in[1], args.images);
        for (int64_t i = 0; i < args.images; ++i) args.saved[(i + 1) * stride() - 1] = answer;
        return;
    }
    for (int64_t i = 0; i < args.images; ++i) {
        const float* y_pred = args.in[0] + i * size;
        const float* target = args.in[1] + i * target_size();
        float* state = args.saved == nullptr ? nullptr : args.saved + i * stride();
        if (stage == 0) {
            args.out[i] = forward(y_pred, target, state);
        } else {
            backward(y_pred, target, state, args.d_out[i], args.d_in[0] + i * size);
        }
    }
}

}  // namespace pronghorn
