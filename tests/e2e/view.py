# SPDX-License-Identifier: MIT
"""tactus view: the server answers, tells nothing to who does not know the key, and ends when it is told
to; the page draws, moves and names what is picked.

usage: view.py TACTUS LATE    Prints TAP. LATE (tests/doctor/prove_target.c) has late cycles.
"""
import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import audio_servers
import browser
from audio_servers import Skip

LATE = str(pathlib.Path(sys.argv.pop(2)).resolve())


def record(tactus, folder):
    path = os.path.join(folder, "r.tac")
    if not os.path.exists(path):
        subprocess.run([tactus, "doctor", "-o", path, "--", LATE, "touch", "120"], check=False, timeout=60,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path


class View:
    def __init__(self, tactus, path, *words):
        self.process = subprocess.Popen([tactus, "view", path, *words], stdout=subprocess.PIPE, text=True,
                                        stdin=subprocess.DEVNULL)
        line = self.process.stdout.readline()
        assert line.startswith("look at http://127.0.0.1:") and line.endswith("/\n"), line
        self.url = line.split()[2]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def ask(self, words):
        with urllib.request.urlopen(self.url + words, timeout=20) as answer:
            assert answer.headers["Cache-Control"] == "no-store", answer.headers
            return json.load(answer)


def the_server_answers(tactus, folder):
    with View(tactus, record(tactus, folder)) as view:
        about = view.ask("about")
        assert about["cycles"] > 50 and about["late"] > 0, about
        assert len(about["misses"]) == 5 * about["late"], about["misses"]
        threads = [i for i, t in enumerate(about["threads"]) if t["m"] or t["s"] or t["z"]]
        names = ["y0"] + [k + str(i) for i in threads for k in "zsmlg"] + ["c0", "u"]
        lanes = view.ask(f"lanes?lanes={','.join(names)}&from=0&to={about['length']}&pixels=300")
        assert lanes[0][0] == "y0" and sum(lanes[0][2][2::6]) == about["cycles"], lanes[0]
        item = view.ask(f"item?lane=y&index={about['misses'][0]}")
        assert "because" in [row[0] for row in item["rows"]], item
        assert view.ask("item?lane=y&index=99999999")["title"] is None
        assert view.ask("find?name=no%20such%20zone&at=0") == {"index": None}
        for nonsense in ("lanes", "lanes?lanes=%00,zz,y-1,p9999999999999&from=x&to=99999999999999999999",
                         "item?lane=&index=-1", "find"):
            view.ask(nonsense)


def strangers_get_nothing(tactus, folder):
    with View(tactus, record(tactus, folder)) as view:
        host, key = view.url.split("/")[2:4]
        for method, path, status in (("GET", "/", 404), ("GET", "/about", 404), ("GET", f"/{key[:-1]}x/", 404),
                                     ("GET", f"/{key}", 404), ("GET", f"/{key}/../{key}/x", 404),
                                     ("POST", f"/{key}/", 405), ("PUT", f"/{key}/about", 405)):
            connection = http.client.HTTPConnection(host, timeout=20)
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == status and b"cycle" not in body, (method, path, answer.status, body)
            connection.close()


def it_ends_when_it_is_told_to(tactus, folder):
    for number in (signal.SIGINT, signal.SIGTERM):
        with View(tactus, record(tactus, folder), "--listen", "127.0.0.1:0") as view:
            view.process.send_signal(number)
            assert view.process.wait(timeout=20) == 0, number


def refusals_are_one_line(tactus, folder):
    with View(tactus, record(tactus, folder)) as view:
        port = view.url.split(":")[2].split("/")[0]
        cases = (((os.path.join(folder, "none"),), 3, "No such file"), ((LATE,), 3, "not a Tactus recording"),
                 ((record(tactus, folder), "--listen", f"127.0.0.1:{port}"), 3, "port 0"),
                 ((record(tactus, folder), "--listen", "unix:/tmp/x"), 2, "HOST:PORT"),
                 ((record(tactus, folder), "--listen", "no port"), 2, "no address"), ((), 2, "usage"))
        for words, code, says in cases:
            result = subprocess.run([tactus, "view", *words], capture_output=True, text=True, timeout=30,
                                    check=False)
            lines = result.stderr.splitlines()
            assert result.returncode == code and len(lines) == 1 and says in lines[0], (words, result)


def the_page_draws_and_moves(tactus, folder):
    if not browser.name():
        raise Skip("there is no Chromium")
    painted = ("(() => { const c = document.getElementById('lanes'), d = c.getContext('2d')"
               ".getImageData(0, 0, c.width, c.height).data, seen = new Set();"
               "for (let i = 0; i < d.length; i += 4) seen.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]);"
               "return seen.size; })()")
    for width in (1280, 420):
        with View(tactus, record(tactus, folder)) as view, browser.Page(view.url, folder, width, 800) as page:
            page.wait("document.getElementById('where').textContent")
            assert page.wait(f"{painted} > 6"), "lanes are drawn"
            whole = page.value("document.getElementById('where').textContent")
            page.key("n")
            title = page.wait("document.getElementById('title').textContent")
            assert title.startswith("cycle "), title
            assert "late by" in page.value("document.getElementById('rows').textContent")
            assert page.value("document.getElementById('where').textContent") != whole
            page.key("0")
            page.wait(f"document.getElementById('where').textContent === {json.dumps(whole)}")
            facts = page.value("document.getElementById('facts').textContent")
            assert "late" in facts and "mistake" not in facts, facts
            assert not page.value("document.documentElement.scrollWidth > innerWidth + 1"), "it is too wide"


if __name__ == "__main__":
    version = subprocess.run([sys.argv[1], "--version"], capture_output=True, text=True, check=True).stdout
    if not any(line.split()[:2] == ["view", "yes"] for line in version.splitlines()):
        print("1..0 # SKIP built without libmicrohttpd")
        sys.exit(0)
    sys.exit(audio_servers.main((the_server_answers, strangers_get_nothing, it_ends_when_it_is_told_to,
                                 refusals_are_one_line, the_page_draws_and_moves)))
