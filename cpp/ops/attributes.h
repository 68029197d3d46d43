// SPDX-License-Identifier: Apache-2.0
// Attributes: the named arguments of an op. Every getter checks the type; finish() refuses names
// that no getter asked for, so a misspelt argument is an error and not a default.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/check.h"

namespace pronghorn {

class HostFunction;

using Attribute = std::variant<bool, int64_t, double, std::string, std::vector<int64_t>,
                               std::vector<double>, std::shared_ptr<HostFunction>>;

class Attributes {
   public:
    Attributes(std::string op, std::map<std::string, Attribute> values)
        : op_(std::move(op)), values_(std::move(values)) {}

    int64_t integer(const std::string& name, int64_t fallback) {
        const Attribute* value = find(name);
        if (value == nullptr) return fallback;
        return expect<int64_t>(*value, name, "an integer");
    }
    bool flag(const std::string& name, bool fallback) {
        const Attribute* value = find(name);
        if (value == nullptr) return fallback;
        return expect<bool>(*value, name, "a bool");
    }
    double number(const std::string& name, double fallback) {
        const Attribute* value = find(name);
        if (value == nullptr) return fallback;
        if (const auto* whole = std::get_if<int64_t>(value)) return static_cast<double>(*whole);
        return expect<double>(*value, name, "a number");
    }
    std::string word(const std::string& name, const std::string& fallback) {
        const Attribute* value = find(name);
        if (value == nullptr) return fallback;
        return expect<std::string>(*value, name, "a string");
    }
    /// A list of integers, each at least `least`; `count` of them (any number where it is 0).
    std::vector<int64_t> integers(const std::string& name, std::vector<int64_t> fallback,
                                  size_t count, int64_t least) {
        const Attribute* value = find(name);
        if (value == nullptr) return fallback;
        auto list = expect<std::vector<int64_t>>(*value, name, "a list of integers");
        check(count == 0 || list.size() == count, op_.c_str(), "expected ", count, " numbers for ",
              name, ", got ", list.size());
        for (int64_t entry : list) {
            check(entry >= least, op_.c_str(), "expected ", name, " of at least ", least, ", got ",
                  entry);
        }
        return list;
    }
    /// A list of numbers.
    std::vector<double> numbers(const std::string& name, std::vector<double> fallback) {
        const Attribute* value = find(name);
        if (value == nullptr) return fallback;
        if (const auto* whole = std::get_if<std::vector<int64_t>>(value)) {
            return {whole->begin(), whole->end()};
        }
        return expect<std::vector<double>>(*value, name, "a list of numbers");
    }
    std::shared_ptr<HostFunction> host_function(const std::string& name) {
        const Attribute* value = find(name);
        if (value == nullptr) return nullptr;
        return expect<std::shared_ptr<HostFunction>>(*value, name, "a function");
    }
    bool is_list(const std::string& name) const {
        const auto at = values_.find(name);
        return at != values_.end() && (std::holds_alternative<std::vector<int64_t>>(at->second) ||
                                       std::holds_alternative<std::vector<double>>(at->second));
    }
    bool is_word(const std::string& name) const {
        const auto at = values_.find(name);
        return at != values_.end() && std::holds_alternative<std::string>(at->second);
    }

    void finish() const {
        for (const auto& [name, value] : values_) {
            check(asked_.count(name) != 0, op_.c_str(), "unknown attribute '", name, "'");
        }
    }

    const char* op() const { return op_.c_str(); }

   private:
    const Attribute* find(const std::string& name) {
        asked_.insert(name);
        const auto at = values_.find(name);
        return at == values_.end() ? nullptr : &at->second;
    }
    template <typename T>
    T expect(const Attribute& value, const std::string& name, const char* what) const {
        const T* typed = std::get_if<T>(&value);
        check(typed != nullptr, op_.c_str(), "expected ", what, " for ", name);
        return *typed;
    }

    std::string op_;
    std::map<std::string, Attribute> values_;
    std::set<std::string> asked_;
};

}  // namespace pronghorn
