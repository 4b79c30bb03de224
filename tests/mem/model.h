/* SPDX-License-Identifier: MIT
 * model.h - running a model under Relacy, and its results as TAP. */
#ifndef TAC_TESTS_MEM_MODEL_H
#define TAC_TESTS_MEM_MODEL_H

#include <relacy/relacy.hpp>

#include <cstdio>

static int model_count, model_failures;

// True when no assertion of the suite failed, and nothing raced, in so many interleavings.
template <class suite> bool model_holds(unsigned long iterations)
{
    rl::test_params parameters;
    parameters.iteration_count = iterations;
    parameters.search_type = rl::random_scheduler_type;
    std::ostream quiet(nullptr);
    parameters.output_stream = &quiet;
    parameters.progress_stream = &quiet;
    return rl::simulate<suite>(parameters);
}

static inline void model_ok(bool good, const char *name)
{
    model_failures += !good;
    std::printf("%sok %d - %s\n", good ? "" : "not ", ++model_count, name);
}

// After the last: the exit status of the program.
static inline int model_end()
{
    std::printf("1..%d\n", model_count);
    return model_failures != 0;
}

#endif
