// SPDX-License-Identifier: Apache-2.0
// The planner and the executor on small graphs, against numbers worked out here.
#include <doctest/doctest.h>

#include <cstdlib>
#include <numeric>
#include <vector>

#include "core/arena.h"
#include "core/parallel.h"
#include "ops/pieces.h"
#include "plan/plan.h"

using namespace pronghorn;

namespace {

std::shared_ptr<Buffer> buffer(const Shape& shape, float start, float step) {
    auto made = std::make_shared<Buffer>(shape);
    for (int64_t i = 0; i < shape.elements(); ++i) {
        made->data()[i] = start + step * static_cast<float>(i % 17);
    }
    return made;
}

std::vector<float> ramp(int64_t size, float scale) {
    std::vector<float> values(static_cast<size_t>(size));
    for (size_t i = 0; i < values.size(); ++i) {
        values[i] = scale * static_cast<float>((i * 7) % 23) - 1.0f;
    }
    return values;
}

/// y = relu(conv(x)), pooled, flattened, dense; the loss is the mean square of y - 0.
struct SmallNet {
    std::shared_ptr<Buffer> kernel = buffer({3, 3, 2, 5}, -0.2f, 0.03f);
    std::shared_ptr<Buffer> bias = buffer({5}, 0.1f, 0.01f);
    std::shared_ptr<Buffer> dense = buffer({5 * 3 * 3, 4}, -0.1f, 0.02f);
    std::vector<std::shared_ptr<Buffer>> slots = {std::make_shared<Buffer>(kernel->shape()),
                                                  std::make_shared<Buffer>(bias->shape()),
                                                  std::make_shared<Buffer>(dense->shape())};

    std::unique_ptr<Plan> plan(int64_t batch) {
        Graph graph(batch, true, "");
        const int x = graph.input({8, 8, 2}, DType::kFloat32, false);
        const int target = graph.input({4}, DType::kFloat32, false);
        const int k = graph.parameter(kernel, true, {slots[0]});
        const int b = graph.parameter(bias, true, {slots[1]});
        const int d = graph.parameter(dense, true, {slots[2]});
        int y = graph.add("conv2d", {x, k, b}, {});
        y = graph.add("activation", {y}, {{"kind", std::string("relu")}});
        y = graph.add("max_pool2d", {y}, {});
        y = graph.add("flatten", {y}, {});
        y = graph.add("dense", {y, d}, {});
        const int loss = graph.add("mean_squared_error", {y, target}, {});
        PlanRequest request;
        request.outputs = {y};
        request.losses = {{loss, -1, "sum_over_batch_size", 1.0}};
        request.optimizer = make_optimizer("sgd", {{"momentum", 0.9}});
        return make_plan(graph, request);
    }

    std::vector<float> weights() const {
        std::vector<float> all;
        for (const auto& part : {kernel, bias, dense}) {
            all.insert(all.end(), part->data(), part->data() + part->shape().elements());
        }
        return all;
    }
};

/// Trains a few steps; returns the weights and the last outputs.
std::vector<float> train(int64_t batch, int threads, std::vector<float>* outputs = nullptr) {
    SmallNet net;
    const auto plan = net.plan(batch);
    const std::vector<float> x = ramp(batch * 8 * 8 * 2, 0.1f), target = ramp(batch * 4, 0.02f);
    constexpr int64_t kSteps = 4;
    std::vector<int64_t> order;
    for (int64_t step = 0; step < kSteps; ++step) {
        for (int64_t i = 0; i < batch; ++i) order.push_back((i + step) % batch);
    }
    std::vector<float> y(static_cast<size_t>(kSteps * batch * 4));
    const std::vector<double> rates(kSteps, 0.05);
    Plan::Call call;
    call.feeds = {x.data(), target.data()};
    call.order = order.data();
    call.steps = kSteps;
    call.outputs = {y.data()};
    call.learning_rates = rates.data();
    const int before = num_threads();
    set_num_threads(threads);
    plan->run(call);
    const int64_t allocated = allocation_count();
    const auto totals = plan->run(call);
    CHECK(allocation_count() == allocated);
    CHECK(totals[0][0] == totals[1][0]);
    CHECK(totals[0][1] == static_cast<double>(kSteps * batch));
    set_num_threads(before);
    if (outputs != nullptr) *outputs = y;
    return net.weights();
}

}  // namespace

TEST_CASE("the same bits for any number of threads, and no allocation after the first call") {
    for (int64_t batch : {1, 3, 16, 33}) {
        const std::vector<float> one = train(batch, 1);
        CHECK(train(batch, 1) == one);
        CHECK(train(batch, 2) == one);
        CHECK(train(batch, 5) == one);
    }
}

TEST_CASE("an image's output does not depend on its neighbours' layout") {
    SmallNet net;
    const std::vector<float> x = ramp(40 * 8 * 8 * 2, 0.1f);
    const auto predict = [&](int64_t batch) {
        Graph graph(batch, false, "");
        const int in = graph.input({8, 8, 2}, DType::kFloat32, false);
        int y = graph.add("conv2d", {in, graph.parameter(net.kernel, false, {})}, {});
        y = graph.add("average_pool2d", {y}, {});
        PlanRequest request;
        request.outputs = {y};
        const auto plan = make_plan(graph, request);
        std::vector<int64_t> order(40);
        std::iota(order.begin(), order.end(), 0);
        std::vector<float> out(40 * 3 * 3 * 5);
        Plan::Call call;
        call.feeds = {x.data()};
        call.order = order.data();
        call.steps = 40 / batch;
        call.outputs = {out.data()};
        plan->run(call);
        return out;
    };
    const std::vector<float> single = predict(1), many = predict(40);
    for (size_t i = 0; i < single.size(); ++i) {
        REQUIRE(many[i] == doctest::Approx(single[i]).epsilon(1e-5));
    }
}

TEST_CASE("a tensor that two nodes read gets the sum of their gradients") {
    // loss = mean((w x)^2) + mean((w x - 1)^2) through one shared kernel w used by both.
    Graph graph(3, true, "");
    const int x = graph.input({2}, DType::kFloat32, true);
    const int zero = graph.input({2}, DType::kFloat32, false);
    const int one = graph.input({2}, DType::kFloat32, false);
    const auto weight = buffer({2, 2}, 0.5f, 0.25f);
    const int w = graph.parameter(weight, true, {});
    const int y = graph.add("dense", {x, w}, {});
    const int z = graph.add("dense", {y, graph.parameter(weight, true, {})}, {});
    PlanRequest request;
    request.losses = {{graph.add("mean_squared_error", {y, zero}, {}), -1, "sum", 1.0},
                      {graph.add("mean_squared_error", {z, one}, {}), -1, "sum", 1.0}};
    const auto plan = make_plan(graph, request);
    const std::vector<float> xs = {0.3f, -0.2f, 0.7f, 0.1f, -0.5f, 0.4f};
    const std::vector<float> zeros(6, 0.0f), ones(6, 1.0f);
    const std::vector<int64_t> order = {0, 1, 2};
    const auto loss = [&](const std::vector<double>& in, const std::vector<double>& k) {
        double sum = 0;
        for (size_t i = 0; i < 3; ++i) {
            double h[2], o[2];
            for (size_t j = 0; j < 2; ++j) h[j] = in[2 * i] * k[j] + in[2 * i + 1] * k[2 + j];
            for (size_t j = 0; j < 2; ++j) o[j] = h[0] * k[j] + h[1] * k[2 + j];
            for (size_t j = 0; j < 2; ++j) sum += (h[j] * h[j] + (o[j] - 1) * (o[j] - 1)) / 2;
        }
        return sum;
    };
    Plan::Call call;
    call.feeds = {xs.data(), zeros.data(), ones.data()};
    call.order = order.data();
    call.steps = 1;
    std::vector<float> dx(6), dk(4);
    call.gradients = {dx.data(), dk.data()};
    const auto totals = plan->run(call);
    std::vector<double> in(xs.begin(), xs.end());
    std::vector<double> k(weight->data(), weight->data() + 4);
    CHECK(totals[0][0] / 3 == doctest::Approx(loss(in, k)).epsilon(1e-5));
    const auto slope = [&](std::vector<double>& values, size_t i) {
        const double before = values[i];
        values[i] = before + 1e-5;
        const double above = loss(in, k);
        values[i] = before - 1e-5;
        const double below = loss(in, k);
        values[i] = before;
        return (above - below) / 2e-5;
    };
    for (size_t i = 0; i < 6; ++i) {
        CHECK(dx[i] == doctest::Approx(slope(in, i)).epsilon(1e-4));
    }
    for (size_t i = 0; i < 4; ++i) {
        CHECK(dk[i] == doctest::Approx(slope(k, i)).epsilon(1e-4));
    }
}

TEST_CASE("shares follow each other, none is empty, and both halves of them are alike") {
    for (int64_t count = 1; count <= 16; ++count) {
        for (const int64_t size : {count, 2 * count, 2 * count + 1, int64_t{100}, int64_t{12345}}) {
            int64_t end = 0, half = 0;
            for (int64_t i = 0; i < count; ++i) {
                const Range share = share_of(size, i, count);
                CHECK(share.begin == end);
                CHECK(share.count > 0);
                end += share.count;
                if (2 * i + 2 == count) half = end;
            }
            CHECK(end == size);
            if (count % 2 == 0) CHECK(std::abs(2 * half - size) <= 2 + size / 30);
        }
    }
    CHECK(share_of(800, 0, 8).count > 2 * share_of(800, 3, 8).count);
}

TEST_CASE("wrong graphs are refused with the op's name and both shapes") {
    Graph graph(2, false, "");
    const int x = graph.input({8, 8, 3}, DType::kFloat32, false);
    const int kernel = graph.parameter(buffer({3, 3, 2, 4}, 0, 1), false, {});
    CHECK_THROWS_WITH_AS(graph.add("conv2d", {x, kernel}, {}),
                         "[conv2d] expected a kernel for 3 input channels (3 in 1 groups), got "
                         "(3, 3, 2, 4)",
                         ValueError);
    CHECK_THROWS_AS(graph.add("no_such_op", {x}, {}), ValueError);
    CHECK_THROWS_AS(graph.add("max_pool2d", {x}, {{"pool_sise", int64_t{2}}}), ValueError);
    CHECK_THROWS_AS(graph.add("max_pool2d", {99}, {}), ValueError);
    CHECK_THROWS_AS(graph.add("dense", {x, x}, {}), ValueError);
    CHECK_THROWS_AS(Graph(0, false, ""), ValueError);
    CHECK_THROWS_AS(Graph(1, false, "sse9"), ValueError);
}
