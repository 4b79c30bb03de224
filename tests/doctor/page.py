#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The report as a page: opened in Chromium, clicked, and looked at through its DOM; and the JSON
against its schema.

usage: page.py TACTUS PROVE_TARGET SCHEMA
"""
import html
import json
import os
import re
import subprocess
import sys
import tempfile

import browser

CLICK = """<script>
addEventListener('error', e => document.body.setAttribute('data-error', e.message));
addEventListener('load', () => {
  const strip = document.querySelector('canvas.strip'), box = strip.getBoundingClientRect();
  const chip = () => [...document.querySelectorAll('.chip')].findIndex(c => c.getAttribute('aria-pressed') === 'true');
  const at = f => strip.dispatchEvent(new MouseEvent('click', {bubbles: true,
    clientX: box.left + box.width * f, clientY: box.top + 20}));
  at(.2); const one = chip() + ':' + document.querySelector('.story').textContent;
  at(.8); const two = chip() + ':' + document.querySelector('.story').textContent;
  document.body.setAttribute('data-jumps', one !== two);
  document.body.setAttribute('data-wide', document.documentElement.scrollWidth > innerWidth + 1);
});
</script>"""


def check_schema(value, schema, path="$"):
    """The part of JSON Schema that the file uses. Returns what is wrong, as a list of lines."""
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
             "boolean": bool, "null": type(None)}
    wanted = schema.get("type")
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if wanted and not any(isinstance(value, kinds[k]) and
                          not (isinstance(value, bool) and k != "boolean") for k in wanted):
        return [f"{path}: is no {wanted}"]
    wrong = []
    if "enum" in schema and value not in schema["enum"]:
        wrong.append(f"{path}: {value!r} is not allowed")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < schema.get("minimum", value) or value > schema.get("maximum", value):
            wrong.append(f"{path}: {value} is out of range")
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            wrong.append(f"{path}: is too short")
        for i, item in enumerate(value):
            wrong += check_schema(item, schema.get("items", {}), f"{path}[{i}]")
    if isinstance(value, dict):
        wrong += [f"{path}: lacks {k}" for k in schema.get("required", []) if k not in value]
        known = schema.get("properties", {})
        for k, v in value.items():
            if k in known:
                wrong += check_schema(v, known[k], f"{path}.{k}")
            elif "additionalProperties" in schema:
                wrong += check_schema(v, schema["additionalProperties"], f"{path}.{k}")
            elif known:
                wrong.append(f"{path}: {k} is not in the schema")
    return wrong


def dom_of(page, folder, width):
    words = [browser.name(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             f"--user-data-dir={folder}/chromium-{width}", f"--window-size={width},2000",
             "--virtual-time-budget=2000", "--dump-dom", "file://" + page]
    return subprocess.run(words, capture_output=True, timeout=60).stdout.decode()


def the_page_shows_and_jumps(page, folder, width):
    dom = dom_of(page, folder, width)
    error = re.search(r'<body[^>]*data-error="([^"]*)"', dom)
    assert not error, error.group(1)
    headline = html.unescape(re.search(r'<h1 id="headline">([^<]*)</h1>', dom).group(1))
    assert "deadlines were missed" in headline, headline
    assert len(re.findall(r'class="chip"', dom)) >= 5, "chips of the worst misses"
    rects = len(re.findall(r"<rect", dom))
    assert rects >= 3 and "deadline</text>" in dom, f"the timeline has {rects} boxes"
    assert re.search(r"What the lost time went to.*<td", dom, re.S), "the table of causes"
    assert "Evidence, and what could not be seen" in dom
    assert 'data-jumps="true"' in dom, "a click on the strip shows that miss"
    assert 'data-wide="false"' in dom, f"wider than a window of {width}"


def main():
    tactus, target, schema = sys.argv[1:4]
    cases, bad = [], 0
    with tempfile.TemporaryDirectory() as folder:
        page, recording = os.path.join(folder, "report.html"), os.path.join(folder, "run.tac")
        run = subprocess.run([tactus, "doctor", "--json", "--html", page, "-o", recording, "--", target,
                              "touch", "160"], capture_output=True, timeout=60)
        report = json.loads(run.stdout)
        with open(schema, encoding="utf-8") as file:
            wrong = check_schema(report, json.load(file))
        cases.append(("the JSON keeps to its schema", wrong[:5]))
        misses = report["runs"][0]["misses"]
        sums = [m["cycle"] for m in misses if sum(v["ns"] for v in m["verdicts"]) != m["late_ns"]]
        cases.append(("shares of every miss sum to its lateness", sums))
        if browser.name():
            with open(page, "a", encoding="utf-8") as file:
                file.write(CLICK)
            for width in (1280, 500):
                try:
                    the_page_shows_and_jumps(page, folder, width)
                    cases.append((f"the page in a window of {width}", []))
                except AssertionError as error:
                    cases.append((f"the page in a window of {width}", [str(error)]))
        else:
            cases.append(("the page # SKIP there is no Chromium", []))
    for i, (name, wrong) in enumerate(cases, 1):
        bad += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {i} - {name}")
        for line in wrong:
            print("#", line)
    print(f"1..{len(cases)}")
    return 1 if bad else 0


sys.exit(main())
