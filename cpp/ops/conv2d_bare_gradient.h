// SPDX-License-Identifier: Apache-2.0
// dw of a direct convolution on rows from x itself: a copy with zeros around it would take as long
// as many products, and where tasks own rows of dw each of them would make one.
#pragma once

#include "ops/conv2d.h"

namespace pronghorn {

class ConvBareGradient {
   public:
    explicit ConvBareGradient(const ConvProblem& problem);

    /// Whether it is worth it for images, cut into pieces or not.
    bool wins(bool cut) const;

    /// All of dw from rows of y. `gradient` is what conv_rows_dw takes, with all of x as it is, and
    /// of dy.
    void add(ConvGradient gradient, Range rows) const noexcept;
    /// Rows `inputs` of a run's part of dw, which lie at gradient.dw, from rows of y.
    void add_run(ConvGradient gradient, int64_t run, Range inputs, Range rows) const noexcept;

   private:
    void add_columns(ConvGradient gradient, int64_t tap, Range inputs,
                     Range columns) const noexcept;

    const ConvProblem& p_;
    int64_t joined_;  // taps of a run
};

}  // namespace pronghorn
