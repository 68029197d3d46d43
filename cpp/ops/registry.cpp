// SPDX-License-Identifier: Apache-2.0
// The registries: ops by name (op_list.inc) and kernel tables by instruction set.
#include <algorithm>
#include <cstdlib>

#include "core/cpu.h"
#include "ops/op.h"

namespace pronghorn {

#define PRONGHORN_OP(name) std::unique_ptr<Op> make_##name(Attributes&);
#include "ops/op_list.inc"
#undef PRONGHORN_OP

namespace avx512 {
extern const Kernels kTable;
}
namespace avx2 {
extern const Kernels kTable;
}
namespace baseline {
extern const Kernels kTable;
}

namespace {

struct Entry {
    const char* name;
    OpMaker make;
};
constexpr Entry kOps[] = {
#define PRONGHORN_OP(name) {#name, make_##name},
#include "ops/op_list.inc"
#undef PRONGHORN_OP
};

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
    return out;
}

}  // namespace

std::unique_ptr<Op> make_op(const std::string& name, std::map<std::string, Attribute> attributes) {
    for (const Entry& entry : kOps) {
        if (name != entry.name) continue;
        Attributes named(name, std::move(attributes));
        auto op = entry.make(named);
        named.finish();
        return op;
    }
    throw ValueError(text("[graph] no op is called '", name, "'; there are ", joined(op_names())));
}

std::vector<std::string> op_names() {
    std::vector<std::string> names;
    for (const Entry& entry : kOps) names.emplace_back(entry.name);
    return names;
}

const Kernels& kernel_table(const std::string& isa) {
    const char* forced = std::getenv("PRONGHORN_ISA");
    const bool by_environment = isa.empty() && forced != nullptr && *forced != '\0';
    const std::vector<std::string> supported = supported_isas();
    const std::string wanted = by_environment ? forced : isa.empty() ? supported.front() : isa;
    const std::string source = by_environment ? "PRONGHORN_ISA: " : "";
    for (const Kernels* table : {&avx512::kTable, &avx2::kTable, &baseline::kTable}) {
        if (wanted != table->isa) continue;
        check(std::count(supported.begin(), supported.end(), wanted) > 0, "isa", source,
              "this CPU cannot run ", wanted, "; it runs ", joined(supported));
        return *table;
    }
    throw ValueError(
        text("[isa] ", source, "expected avx512, avx2 or baseline, got '", wanted, "'"));
}

}  // namespace pronghorn
