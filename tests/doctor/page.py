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
from json_schema import check_schema

CLICK = """<script>
addEventListener('error', e => document.body.setAttribute('data-error', e.message));
addEventListener('load', () => {
  const strip = document.querySelector('canvas.strip');
  const pictures = JSON.parse(document.getElementById('pictures').textContent);
  const bars = pictures.pictures[0].strip;
  const told = f => {
    const box = strip.getBoundingClientRect(); // a timeline more or less moves it
    strip.dispatchEvent(new MouseEvent('click', {bubbles: true, clientX: box.left + box.width * f, clientY: box.top + 20}));
    return document.querySelector('.story').textContent;
  };
  const late = ([, verdict]) => verdict !== 0 && verdict !== 255;
  const astray = bars.filter((bar, i) => late(bar) && !told((i + .5) / bars.length).match('^Cycle ' + bar[0] + '[ ,]'));
  document.body.setAttribute('data-astray', bars.filter(late).length > 12 ? astray.length : 'few');
  document.querySelector('.chip').click();
  const style = getComputedStyle(document.documentElement);
  const colours = new Set(pictures.rules.map(r => style.getPropertyValue('--rule-' + r.name)));
  document.body.setAttribute('data-alike', pictures.rules.length - colours.size + (colours.has('') ? 1 : 0));
  document.body.setAttribute('data-wide', document.documentElement.scrollWidth > innerWidth + 1);
});
</script>"""


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
    assert 'data-astray="0"' in dom, "a click on the strip tells of another cycle: " + re.search(r'data-astray="\w*"', dom).group(0)
    assert 'data-alike="0"' in dom, "two verdicts have one colour"
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
        cases.append(("it tells of the machine's set-up", [] if report["setup"] else ["it does not"]))
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
