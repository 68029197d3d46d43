// SPDX-License-Identifier: Apache-2.0
// The op contract. An op says what its output is (infer), then how its work is cut (plan), and then
// only runs tasks on pointers it is given: it never allocates, threads or throws in run().
//
// Gradients: out is y, d_out is dy. Gradients of activations are written; gradients of parameters
// are written where !accumulate, added where accumulate. A null gradient pointer is not wanted.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/shape.h"
#include "kernels/kernels.h"
#include "ops/attributes.h"

namespace pronghorn {

/// kRows: images one after the other, channels innermost. kLanes: groups of Kernels::lanes images,
/// the image innermost. kPlanes: images one after the other, channels outermost. See kernels.h.
enum class Layout : uint8_t { kRows, kLanes, kPlanes };

struct Tensor {
    Shape shape;  // with the batch in front
    DType dtype = DType::kFloat32;
    bool parameter = false;  // no batch in front: a weight, or computed from weights alone

    /// The shape of one image, or of the parameter.
    Shape image_shape() const {
        return Shape(std::vector<int64_t>(shape.begin() + (parameter ? 0 : 1), shape.end()));
    }
};

/// The first rows and columns of every image.
struct Extent {
    int64_t height, width;
};

/// What an input of an op may be.
enum class Takes : uint8_t { kActivation, kParameter, kEither };

/// kPrepare: before the stage that reads what it packs, whenever parameters changed. kForward,
/// kBackward: the passes. kGradient: gradients of parameters that need nothing later; all of them
/// run side by side when the backward pass is over.
enum class Phase : uint8_t { kPrepare, kForward, kBackward, kGradient };

constexpr size_t kNoBlock = SIZE_MAX;
/// Floats, from which on what is packed lives only while it is read, if weights change every step.
constexpr int64_t kLargeBlock = (1 << 20) / sizeof(float);

/// A piece of an op's work. By image: the executor cuts the batch into slices and runs neighbouring
/// by-image stages depth first on each. Otherwise `tasks` pieces, cut by shapes alone, in any
/// order.
struct Stage {
    Phase phase = Phase::kForward;
    bool by_image = true;
    int64_t tasks = 1;         // not by image
    int64_t scratch = 0;       // floats a running task may write
    double flops = 0;          // of the whole stage, for profiles and cost decisions
    bool reads_d_out = true;   // backward and gradient stages
    bool reads_out = true;     // the same, where the signature says backward_reads_output
    bool reads_in = true;      // the same, of activations, where it says backward_reads
    bool reads_kernel = true;  // in[1], of passes, and not what is packed of it instead
    bool writes_d_in = true;   // backward stages: gradients of activations
    /// What it writes, d_in[0] backward and out forward, may lie where in[0] does: a value is read
    /// by nobody else once it is written.
    bool in_place = false;
    size_t packed = 0;  // which of Signature::packed it writes or reads; kNoBlock: none
};

/// Elements [begin, begin + count) of a parameter, finished by one task.
struct Range {
    int64_t begin = 0, count = 0;
};

constexpr int kMaxInputs = 8;

/// How the gradient of a parameter comes about: as one partial sum per part of the batch, from a
/// by-image backward stage, or whole, block by block, each block finished by the task that owns it.
/// kState: no gradient at all; forward stages move the parameter itself, which d_in then points to
/// (moving statistics).
enum class GradientBy : uint8_t { kNothing, kParts, kOwner, kState };

struct Signature {
    Layout in_layout = Layout::kRows;  // of every activation input
    Layout out_layout = Layout::kRows;
    bool view = false;  // the output is the input under another shape: no stages
    std::vector<Stage> stages;
    int64_t saved = 0;                              // floats per image from forward to backward
    std::vector<int64_t> packed;                    // floats of blocks for the batch's whole pass
    std::array<bool, kMaxInputs> backward_reads{};  // inputs that backward and gradient stages read
    bool backward_reads_output = false;
    int recompute = -1;  // the cheap forward stage by image that makes the output once more
    std::array<GradientBy, kMaxInputs> gradient{};
    std::array<bool, kMaxInputs> passes_gradient{};  // activations whose gradient is d_out itself
};

/// batch_norm in inference: channel by channel an affine map. Which inputs there are besides
/// moving_mean and moving_variance.
struct ChannelAffine {
    bool gamma, beta;
    double epsilon;
};

/// An op that makes each channel's cells from that channel's alone, all channels alike: copies of
/// cells, or means of them by weights whose sum is 1.
enum class Resampling : uint8_t { kNone, kCopies, kMeans };

/// An op that makes the channels of a cell from those of that cell of input 0 alone, all cells
/// alike: as an affine map, or in any way.
enum class CellByCell : uint8_t { kNever, kAffine, kAlways };

/// An op in the place of another, and the op on parameters that makes its kernel from the other's.
struct Unrepeated {
    std::unique_ptr<class Op> op, kernel;
};

/// An op in the place of another, reading input 0 through the op `first` if there is one.
struct Instead {
    std::unique_ptr<class Op> op, first;
};

/// What plan() may look at: everything that is a function of shapes and machine.
struct PlanContext {
    const Kernels* kernels;
    std::vector<Tensor> inputs;
    Tensor output;
    std::vector<Layout> layouts;  // the inputs come in
    bool training = false;        // a backward pass follows
    bool predicts = false;        // neither that nor a loss does
    bool spreads = false;         // weights and what moves them need more than one L2
    std::array<bool, kMaxInputs> wants_gradient;
    std::string conv_algorithm;  // "auto" or a forced one

    int64_t batch() const { return output.shape[0]; }
};

/// The block of a parameter that a task owns, to be moved by SGD as its gradient is found.
struct SgdBlock {
    Sgd sgd;
    float *w, *velocity;  // null without momentum
};

/// Pointers of one call. By-image tensors begin at image `first_image` and hold `images` images
/// (whole groups in lanes layout); in stages that are not by image they hold the batch.
struct Args {
    std::array<const float*, kMaxInputs> in{};
    std::array<float*, kMaxInputs> d_in{};  // owner tasks: the block that the task owns begins here
    float* out = nullptr;
    const float* d_out = nullptr;
    float* saved = nullptr;
    float* packed = nullptr;
    float* scratch = nullptr;
    int64_t images = 0;
    int64_t first_image = 0;
    bool accumulate = false;
    const SgdBlock* moves = nullptr;  // of the input that Op::moved says
    const int64_t* rows = nullptr;    // of the caller's arrays, for each image of this slice
    uint64_t step = 0;                // training steps done before this one
};

class Op {
   public:
    virtual ~Op() = default;

    /// The output's shape. Throws ValueError "[name] expected ..., got ...".
    virtual Tensor infer(const std::vector<Tensor>& inputs) = 0;
    virtual Takes takes(int /*input*/) const { return Takes::kActivation; }

    /// Whether it reads kPlanes; the others are never told of them and get rows.
    virtual bool takes_planes() const { return false; }

    /// Chooses the algorithm and cuts the work. May be called again with other layouts.
    virtual Signature plan(const PlanContext& context) = 0;

    /// One task of signature.stages[stage]; 0 where it is by image.
    virtual void run(int stage, const Args& args, int64_t task) const noexcept = 0;

    /// The block of parameter input `input` that `task` of `stage` finishes (GradientBy::kOwner).
    virtual Range owned(int /*stage*/, int /*input*/, int64_t /*task*/) const { return {}; }

    /// The parameter input whose blocks the tasks of `stage` can move themselves, or -1. They do so
    /// where Args::moves is set, and then leave its gradient alone.
    virtual int moved(int /*stage*/) const { return -1; }

    /// Where an input is looked up: its numbers are whole, from 0 to below this; 0 for the rest.
    /// The caller's arrays are checked before a step; anything else must not lead out of bounds.
    virtual int64_t ids_below(int /*input*/) const { return 0; }

    /// Whether a gradient goes through it at all: not through comparisons or argmax.
    virtual bool differentiable() const { return true; }

    /// For losses: terms averaged per image (Keras's "sum" reduction multiplies by it).
    virtual int64_t terms() const { return 1; }

    /// A function outside of this library that run() calls; the plan stops if it fails.
    virtual HostFunction* host_function() const { return nullptr; }

    // What fusion asks. Takes `activation` into this op where it can (conv + bias + ReLU):
    virtual bool fuse_activation(Activation /*activation*/) { return false; }
    virtual bool fuse_clipped_relu(float /*ceiling*/, bool /*training*/) { return false; }
    /// The ReLU of the op before is undone where it is read: the gradient of input 0 is 0 where
    /// input 0 is not above 0, and the op before, which gives up its gate, need not see to it.
    virtual bool gives_gate() const { return false; }
    virtual void give_gate() {}
    virtual bool take_gate() { return false; }
    /// Computes that much of the output, if it can, and says what of input 0 it reads for it, which
    /// is all that infer() may find when it is called again. 4-D tensors only.
    virtual std::optional<Extent> crop(Extent /*output*/) { return std::nullopt; }
    /// Goes into the weights of the op before, where there is one that takes it:
    virtual std::optional<ChannelAffine> folds_into_kernel() const { return std::nullopt; }
    /// The kernel's last axes are the output's channels, and nothing comes behind the bias yet.
    virtual bool takes_fold() const { return false; }
    /// Reads logits instead of probabilities from now on, where it can (cross-entropy, accuracy):
    virtual bool accept_logits() { return false; }
    virtual std::optional<Activation> as_activation() const { return std::nullopt; }
    /// The ceiling of min(max(x, 0), ceiling).
    virtual std::optional<float> as_clipped_relu() const { return std::nullopt; }
    virtual bool is_softmax() const { return false; }
    virtual Resampling resampling() const { return Resampling::kNone; }
    virtual CellByCell cell_by_cell() const { return CellByCell::kNever; }
    /// How many times each cell of a map comes, by spatial axis (nearest upsampling); empty for the
    /// rest.
    virtual std::vector<int64_t> repeats() const { return {}; }
    /// For the map whose cells come that many times in input 0: what reads the map itself, if that
    /// is less work.
    virtual std::optional<Unrepeated> unrepeated(const std::vector<int64_t>& /*repeats*/,
                                                 bool /*training*/) const {
        return std::nullopt;
    }
    /// What makes the same of the same inputs, if that is faster.
    virtual std::optional<Instead> instead(const Kernels& /*kernels*/, bool /*training*/) const {
        return std::nullopt;
    }
};

using OpMaker = std::unique_ptr<Op> (*)(Attributes& attributes);

/// Makes the op of that name; throws ValueError for an unknown name or attribute.
std::unique_ptr<Op> make_op(const std::string& name, std::map<std::string, Attribute> attributes);

/// All registered names, in the order of op_list.inc.
std::vector<std::string> op_names();

/// The table of an instruction set; "" is the widest this CPU runs or the one PRONGHORN_ISA forces.
/// Throws ValueError for a name it does not know or that this CPU cannot run.
const Kernels& kernel_table(const std::string& isa);

}  // namespace pronghorn
