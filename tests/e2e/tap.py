# SPDX-License-Identifier: MIT
"""Results of a test script in TAP: ok() for each, end() for its exit status."""

_results = []


def ok(good, name, detail="", skip=None):
    """Prints one result, and what is known of a bad one. skip: the reason why it was not tested."""
    _results.append(bool(good or skip))
    if not _results[-1]:
        print("# " + str(detail).replace("\n", "\n# "))
    line = f"{'ok' if _results[-1] else 'not ok'} {len(_results)} - {name}"
    print(line + (f" # SKIP {skip}" if skip else ""), flush=True)


def end():
    """Prints the plan; 0 when all were good, else 1."""
    print(f"1..{len(_results)}")
    return 0 if all(_results) else 1
