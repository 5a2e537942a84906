"""The process as an operator sees it: cold start, memory, and what a first load sends (spec §11).

    DRIVERCRM_DATA_DIR=/the/same .venv/bin/python -m benchmarks.process

Starts `drivercrm serve` on a free loopback port on the database that `load` filled, signs in like a browser, opens
a few pages, and reads the process's memory from /proc.
"""

import gzip
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.load import ADMIN, PASSWORD
from drivercrm.drivers.models import Driver

TARGETS = {"start": 2.0, "idle": 150.0, "load": 60.0, "font": 50.0}


@dataclass
class Server:
    """A running `drivercrm serve`."""

    process: subprocess.Popen[bytes]
    port: int

    @classmethod
    def start(cls) -> "Server":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [str(Path(sys.executable).with_name("drivercrm")), "serve", "--bind", f"127.0.0.1:{port}"]
        return cls(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), port)

    def wait(self, path: str) -> float:
        """Seconds from now to the first 200; ends when the server does."""
        began = time.perf_counter()
        while self.process.poll() is None:
            try:
                if self.get(path)[0] == 200:
                    return time.perf_counter() - began
            except OSError:
                time.sleep(0.005)
        sys.exit(f"The server ended with {self.process.returncode}.")

    def get(
        self, path: str, cookies: str = "", form: dict[str, str] | None = None
    ) -> tuple[int, bytes, list[tuple[str, str]]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Cookie": cookies, "Accept-Encoding": "gzip", "Host": "localhost"}
        body = None
        if form is not None:
            body, headers["Content-Type"] = urlencode(form), "application/x-www-form-urlencoded"
        connection.request("POST" if form is not None else "GET", path, body, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, data, answer.getheaders()

    def sign_in(self) -> str:
        """Signs in with the form, as people do; returns the cookies."""
        _, page, headers = self.get("/sign-in/")
        jar = _cookies(headers)
        found = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert found
        form = {
            "login": ADMIN,
            "password": PASSWORD,
            "csrfmiddlewaretoken": found[1].decode(),
            "remember": "on",
        }
        status, _, headers = self.get("/sign-in/", _header(jar), form)
        assert status == 302, f"Signing in answered {status}."
        return _header(jar | _cookies(headers))

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> dict[str, float]:
        """Megabytes: all that is resident, and the part that is its own (not files that it has mapped)."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return {
            name: int(re.search(rf"{name}:\s+(\d+)", text)[1]) / 1000
            for name in ("VmRSS", "RssAnon", "RssFile")
        }  # type: ignore[index]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def _cookies(headers: list[tuple[str, str]]) -> dict[str, str]:
    jar: SimpleCookie = SimpleCookie()
    for name, value in headers:
        if name.lower() == "set-cookie":
            jar.load(value)
    return {name: morsel.value for name, morsel in jar.items()}


def _header(jar: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in jar.items())


def first_load(server: Server, cookies: str, path: str) -> tuple[dict[str, float], float]:
    """Kilobytes over the wire of a page and of each file it needs, and apart from them those of the font.

    The page is counted as a proxy with gzip would send it, and files as the server sends them to who takes gzip.
    """
    status, page, headers = server.get(path, cookies)
    assert status == 200, f"{path} answered {status}."
    encoding = dict((name.lower(), value) for name, value in headers).get("content-encoding", "")
    text = gzip.decompress(page) if encoding == "gzip" else page
    kept = {f"HTML of {path} ({len(text) / 1000:.0f} kB plain)": len(gzip.compress(text, 6)) / 1000}
    font = 0.0
    links = set(re.findall(rb'(?:href|src)="(/static/[^"#]+)', text))
    for link in sorted(links):
        name = link.decode()
        _, data, _ = server.get(name)
        if name.endswith(".woff2"):
            font += len(data) / 1000
        else:
            kept[name.rpartition("/")[2]] = len(data) / 1000
    return kept, font


def said(what: str, figure: float, unit: str, target: float) -> str:
    return f"{what:44}{figure:8.1f} {unit:3} (target {target:g})  {'ok' if figure <= target else 'MISSED'}"


def main() -> None:
    """Starts the server three times for the cold start; measures memory and a first load on the last."""
    starts = []
    for _ in range(3):
        server = Server.start()
        wall = server.wait("/sign-in/")
        starts.append((wall, server.cpu()))
        if len(starts) < 3:
            server.stop()
    wall, cpu = min(starts)
    print(f"{Driver.objects.count():,} drivers")
    print(
        said("cold start to the first 200 of /sign-in/", wall, "s", TARGETS["start"])
        + f"; {cpu:.1f} s of CPU"
    )
    time.sleep(3)
    print(said("memory after the start, idle", server.memory()["VmRSS"], "MB", TARGETS["idle"]))
    cookies = server.sign_in()
    driver = Driver.objects.order_by("-pk").values_list("pk", flat=True)[500]
    for path in (
        "/",
        "/drivers/",
        "/pipeline/",
        f"/drivers/{driver}/",
        "/drivers/?q=dlamini",
        "/imports/",
    ) * 5:
        server.get(path, cookies)
    time.sleep(2)
    memory = server.memory()
    print(
        said("memory after a few pages, idle", memory["VmRSS"], "MB", TARGETS["idle"])
        + f"; {memory['RssAnon']:.0f} MB its own, {memory['RssFile']:.0f} MB mapped files"
    )
    for path in ("/drivers/", "/", "/sign-in/"):
        status, _, _ = server.get(path, cookies if path != "/sign-in/" else "")
        if status != 200:
            continue
        kept, font = first_load(server, cookies if path != "/sign-in/" else "", path)
        print(
            said(f"first load of {path}, gzip, without the font", sum(kept.values()), "kB", TARGETS["load"])
        )
        for name, size in kept.items():
            print(f"    {size:6.1f} kB {name}")
        print(said("    the font", font, "kB", TARGETS["font"]))
    server.stop()


if __name__ == "__main__":
    main()
