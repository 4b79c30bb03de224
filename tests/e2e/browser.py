# SPDX-License-Identifier: MIT
"""A page in a browser without a window, for tests that look at what is drawn and press keys. It speaks
Chromium's protocol through two pipes (--remote-debugging-pipe): one JSON message after the other, each
with a zero byte behind it."""
import json
import os
import shutil
import subprocess
import time


def name():
    """The browser's command, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page:
    def __init__(self, url, folder, width, height):
        ours, theirs = os.pipe(), os.pipe()  # it reads 3 and writes 4

        def pipes():
            ends = os.dup(ours[0]), os.dup(theirs[1])  # neither of them is in the way of the other
            high = os.dup2(ends[0], 30), os.dup2(ends[1], 31)
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            [name(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             f"--user-data-dir={folder}/browser", "--remote-debugging-pipe", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            close_fds=False, preexec_fn=pipes)
        os.close(ours[0])
        os.close(theirs[1])
        self.to, self.answers, self.rest, self.count = ours[1], theirs[0], b"", 0
        target = self.send("Target.createTarget", url="about:blank")
        self.session = {}
        self.session = {"sessionId": self.send("Target.attachToTarget", flatten=True, **target)["sessionId"]}
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)
        self.send("Page.navigate", url=url)
        self.wait("location.href !== 'about:blank' && document.readyState === 'complete'")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.to)
        os.close(self.answers)

    def read(self):
        while b"\0" not in self.rest:
            more = os.read(self.answers, 65536)
            assert more, "the browser has ended"
            self.rest += more
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def send(self, method, **words):
        self.count += 1
        message = {"id": self.count, "method": method, "params": words, **getattr(self, "session", {})}
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.count:
                assert "error" not in answer, f"{method}: {answer}"
                return answer["result"]

    def value(self, script):
        result = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, f"{script}: {result}"
        return result["result"].get("value")

    def wait(self, script, seconds=20):
        """Until the script has a value that is true; returns it."""
        end = time.monotonic() + seconds
        while not (value := self.value(script)):
            assert time.monotonic() < end, f"never: {script}"
            time.sleep(0.05)
        return value

    def key(self, key):
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key,
                      **({"text": key} if kind == "keyDown" and len(key) == 1 else {}))
