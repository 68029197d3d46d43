// SPDX-License-Identifier: Apache-2.0
// Cross-entropy of rows, from logits or from probabilities, with a target for every class or the
// number of one, and its focal form (Lin et al. 2017). Few classes lie one to a vector, kLanes rows
// side by side; many lie along the vectors, one row at a time: row_forms.h.
#include "kernels/kernels.h"
#include "kernels/row_forms.h"
#include "kernels/simd.h"
#include "kernels/simd_math.h"

namespace pronghorn::PRONGHORN_ISA {

namespace {

constexpr float kEpsilon = 1e-7f;

inline Vec clipped(Vec q) {
    return min_number(set1(1.0f - kEpsilon), max_number(set1(kEpsilon), q));
}
inline Mask is_clipped(Vec q) {
    return mask_or(less(q, set1(kEpsilon)), less(set1(1.0f - kEpsilon), q));
}

/// Targets of the rows of a form, class by class.
template <typename Form>
struct Dense {
    static constexpr bool kOneHot = false;
    using Sum = CarefulSum;  // targets that are no distribution may cancel
    Dense(const Crossentropy& job, const Form& form, int64_t row)
        : scale(set1(job.target_scale)),
          shift(set1(job.target_shift)),
          target(form.read(job.target + row * job.classes, kSecond)) {}
    Vec at(const Form& form, int64_t v) const {
        return form.or_zero(fma(form.load(target, v), scale, shift), v);
    }
    Vec scale, shift;
    const float* target;
};

template <typename Form>
struct OneHot {
    static constexpr bool kOneHot = true;
    using Sum = PlainSum;
    OneHot(const Crossentropy& job, const Form& form, int64_t row) {
        float labels[kLanes] = {};
        for (int i = 0; i < form.rows; ++i) {
            const int32_t own = job.label[row + i];
            const bool counts = own != job.ignored && own < job.classes;
            labels[i] = counts ? static_cast<float>(own) : -1.0f;
        }
        label = form.spread(labels);
    }
    Vec at(const Form& form, int64_t v) const { return where(equal(form.index(v), label), one()); }
    Vec label;
};

/// The rows' losses; y = softmax(x), lying as the form does.
template <typename Form, typename Target>
Vec loss_of_logits(const Form& form, const Target& target, const float* x, float* y) {
    const RowSums sums = exponentials(form, x, y);
    const Vec scale = one() / sums.sum, log_sum = log(sums.sum);
    typename Target::Sum loss;
    for (int64_t v = 0; v < form.vectors; ++v) {
        const Vec t = target.at(form, v), above = log_sum - (form.load(x, v) - sums.largest);
        loss.add(select(equal(t, zero()), zero(), t * above));
        form.store(y, v, form.load(y, v) * scale);
    }
    return form.sum(loss);
}

/// The rows' sums.
template <typename Form>
Vec sum_of(const Form& form, const float* x) {
    Vec sum = zero();
    for (int64_t v = 0; v < form.vectors; ++v) sum = sum + form.load(x, v);
    return form.sum(sum);
}

template <typename Form, typename Target>
Vec loss_of_probabilities(const Form& form, const Target& target, const float* x) {
    const Vec sum = sum_of(form, x);
    typename Target::Sum loss;  // one-hot: the probability of the label
    Vec targets = zero();
    for (int64_t v = 0; v < form.vectors; ++v) {
        const Vec q = form.load(x, v) / sum, t = target.at(form, v);
        const Vec term = Target::kOneHot ? q : zero() - t * log(clipped(q));
        loss.add(select(equal(t, zero()), zero(), term));
        targets = targets + t;
    }
    const Vec found = form.sum(loss);
    if (!Target::kOneHot) return found;
    const Mask none = equal(form.sum(targets), zero());
    return select(none, zero(), zero() - log(clipped(found)));
}

template <typename Form, typename Target>
void slope_of_logits(const Form& form, const Target& target, const float* y, Vec scale, float* dx) {
    Vec targets = zero();
    for (int64_t v = 0; v < form.vectors; ++v) targets = targets + target.at(form, v);
    targets = form.sum(targets);
    for (int64_t v = 0; v < form.vectors; ++v) {
        form.store(dx, v, scale * (targets * form.load(y, v) - target.at(form, v)));
    }
}

template <typename Form, typename Target>
void slope_of_probabilities(const Form& form, const Target& target, const float* x, Vec scale,
                            float* dx) {
    const Vec sum = sum_of(form, x);
    Vec targets = zero();  // of the terms that are not clipped
    for (int64_t v = 0; v < form.vectors; ++v) {
        const Mask flat = is_clipped(form.load(x, v) / sum);
        targets = targets + select(flat, zero(), target.at(form, v));
    }
    const Vec common = form.sum(targets) / sum;
    for (int64_t v = 0; v < form.vectors; ++v) {
        const Vec p = form.load(x, v), t = target.at(form, v);
        const Vec own = select(is_clipped(p / sum), zero(), t / p);
        form.store(dx, v, scale * (common - own));
    }
}

/// sum t alpha (1 - q)^gamma (-log q), q = p / sum clipped, p being probabilities or exponentials.
template <typename Form, typename Target>
Vec focal_loss(const Form& form, const Target& target, const Crossentropy& job, const float* p) {
    const Vec sum = sum_of(form, p);
    CarefulSum loss;
    for (int64_t v = 0; v < form.vectors; ++v) {
        const Vec q = clipped(form.load(p, v) / sum);
        const Vec t = target.at(form, v) * form.of_classes(job.alpha, v);
        loss.add(zero() - t * power(one() - q, set1(job.gamma)) * log(q));
    }
    return form.sum(loss);
}

template <typename Form, typename Target>
void focal_slope(const Form& form, const Target& target, const Crossentropy& job, const float* p,
                 Vec scale, float* dx) {
    const Vec sum = sum_of(form, p), gamma = set1(job.gamma);
    Vec mean = zero();  // of the slopes by q, weighted by q: they all move the sum
    for (int64_t v = 0; v < form.vectors; ++v) {
        const Vec q = form.load(p, v) / sum, miss = one() - q;
        const Vec t = target.at(form, v) * form.of_classes(job.alpha, v);
        const Vec bend = gamma * power(miss, gamma - one()) * log(q);
        const Vec slope = t * (bend - power(miss, gamma) / q);
        const Vec by_q = select(is_clipped(q), zero(), slope);
        mean = fma(by_q, q, mean);
        form.store(dx, v, by_q);
    }
    mean = form.sum(mean);
    for (int64_t v = 0; v < form.vectors; ++v) {
        const Vec through = job.from_logits ? form.load(p, v) : one();
        form.store(dx, v, scale * (through / sum) * (form.load(dx, v) - mean));
    }
}

/// Of the rows of a form, as of `row`.
template <template <typename> typename Target, typename Form>
double forward(const Crossentropy& job, const Form& form, int64_t row, float* y) {
    const Target<Form> target(job, form, row);
    const int64_t at = row * job.classes;
    const float* x = form.read(job.x + at, kFirst);
    Vec loss;
    if (job.alpha != nullptr) {
        if (job.from_logits) exponentials(form, x, y + at);
        loss = focal_loss(form, target, job, job.from_logits ? y + at : x);
    } else if (job.from_logits) {
        loss = loss_of_logits(form, target, x, y + at);
    } else {
        loss = loss_of_probabilities(form, target, x);
    }
    if (job.weights != nullptr) loss = loss * form.spread(job.weights + row);
    return static_cast<double>(reduce_add(where(first_lanes(form.rows), loss)));
}

template <template <typename> typename Target, typename Form>
void backward(const Crossentropy& job, const Form& form, int64_t row, const float* y, float scale,
              float* dx) {
    const Target<Form> target(job, form, row);
    const int64_t at = row * job.classes;
    Vec each = set1(scale);
    if (job.weights != nullptr) each = each * form.spread(job.weights + row);
    float* own = form.place(dx + at);
    const float* p = job.from_logits ? y + at : form.read(job.x + at, kFirst);
    if (job.alpha != nullptr) {
        focal_slope(form, target, job, p, each, own);
    } else if (job.from_logits) {
        slope_of_logits(form, target, p, each, own);
    } else {
        slope_of_probabilities(form, target, p, each, own);
    }
    form.write(own, dx + at);
}

}  // namespace

void crossentropy(const Crossentropy& job, float* y, double* sum) noexcept {
    *sum = 0;
    for_forms(job.rows, job.classes, [&](const auto& form, int64_t row) {
        *sum += job.target == nullptr ? forward<OneHot>(job, form, row, y)
                                      : forward<Dense>(job, form, row, y);
    });
}

void crossentropy_backward(const Crossentropy& job, const float* y, float scale,
                           float* dx) noexcept {
    for_forms(job.rows, job.classes, [&](const auto& form, int64_t row) {
        if (job.target == nullptr) {
            backward<OneHot>(job, form, row, y, scale, dx);
        } else {
            backward<Dense>(job, form, row, y, scale, dx);
        }
    });
}

}  // namespace pronghorn::PRONGHORN_ISA
