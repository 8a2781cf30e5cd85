"""assets.py: the files of the pages, how they are sent, and what a browser has to load at first."""

import gzip
import json
import os
import re
import shutil
from importlib import resources
from pathlib import Path
from urllib.parse import urldefrag, urljoin

from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

import streamrelay
from streamrelay.errors import ConfigError
from streamrelay.platform.auth.grants import KeyRing
from streamrelay.platform.auth.sessions import Sessions
from streamrelay.platform.auth.throttle import Throttle
from streamrelay.platform.http import api
from streamrelay.platform.http import assets as module
from streamrelay.platform.http.assets import has_already, pages, takes_gzip
from streamrelay.platform.http.authenticate import Authenticator
from tests.documented import VIEWER_BYTES, VIEWER_FILES
from tests.fakes.files import folder
from tests.fakes.platform import FakePlatform
from tests.platform.http.test_api import Case

WEB = Path(streamrelay.__file__).parent / "web"
RELAY = "wss://relay.example"
FIRST_LOAD = 150_000
"""Bytes that the console may cost, compressed, before a viewer is used."""
STATIC = re.compile(
    r"""<(?:script|link|img|use)\b[^>]*\b(?:src|href)="([^"]+)"          # tags
    | ^\s*(?:import|export)\b(?:[^'"();]*\bfrom)?\s*['"]([^'"]+)['"]     # statements of modules, not import()
    | ^\s*@import\s+(?:url\(|['"])['"]?([^'"){}]+)                       # stylesheets' own""",
    re.MULTILINE | re.VERBOSE,
)
"""What is loaded along with a file."""


def named(path: str) -> tuple[bytes, ...]:
    return tuple(part.encode() for part in path.split("/"))


class Sending(Case):
    """How a file is sent."""

    def setUp(self) -> None:
        super().setUp()
        self.plain = (WEB / "console.js").read_bytes()

    def get(self, method: str = "GET", path: str = "/console.js", **headers: str) -> tuple[int, dict[str, str], bytes]:
        status, named, body = self.ask(method, path, key=None, **headers)
        return status, named, body.encode("latin-1")

    def test_types(self) -> None:
        """Every file says what it is, and that it must be asked for again; declarations of types are text."""
        for path, kind in (
            ("/", "text/html; charset=utf-8"),
            ("/console.css", "text/css; charset=utf-8"),
            ("/icon.svg", "image/svg+xml"),
            ("/streamrelay.d.ts", "text/plain; charset=utf-8"),
        ):
            status, headers, body = self.get(path=path)
            self.assertEqual((status, headers["content-type"]), (200, kind), path)
            self.assertEqual((headers["cache-control"], headers["x-content-type-options"]), ("no-cache", "nosniff"))
            self.assertEqual(headers["cross-origin-opener-policy"], "same-origin")
            self.assertEqual(int(headers["content-length"]), len(body))

    def test_policy(self) -> None:
        """No script and no style but the platform's own; pictures and sound of viewers; the relay and nobody else."""
        policy = self.get(path="/")[1]["content-security-policy"]
        allowed = dict(each.strip().partition(" ")[::2] for each in policy.split(";"))
        self.assertEqual(
            allowed,
            {
                "default-src": "'none'",
                "script-src": "'self'",
                "style-src": "'self'",
                "img-src": "'self' data: blob:",
                "media-src": "blob:",
                "connect-src": f"'self' {RELAY}",
                "form-action": "'none'",
                "base-uri": "'none'",
                "frame-ancestors": "'none'",
            },
        )

    def test_gzip(self) -> None:
        """Who takes gzip gets it, who doesn't gets the file as it is, and caches are told that there are two."""
        status, plain, body = self.get()
        self.assertEqual((status, body), (200, self.plain))
        self.assertNotIn("content-encoding", plain)
        status, zipped, body = self.get(Accept_Encoding="gzip, deflate, br")
        self.assertEqual((status, zipped["content-encoding"]), (200, "gzip"))
        self.assertEqual(gzip.decompress(body), self.plain)
        self.assertLess(len(body), len(self.plain))
        self.assertEqual((plain["vary"], zipped["vary"]), ("accept-encoding", "accept-encoding"))
        self.assertNotEqual(plain["etag"], zipped["etag"])

    def test_not_modified(self) -> None:
        """A file that the browser has already isn't sent again, whichever of the two it has."""
        for accepted in ({}, {"Accept_Encoding": "gzip"}):
            tag = self.get(**accepted)[1]["etag"]
            for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
                status, headers, body = self.get(If_None_Match=known, **accepted)
                self.assertEqual((status, body, headers["etag"]), (304, b"", tag), known)
                self.assertEqual((headers["cache-control"], headers["vary"]), ("no-cache", "accept-encoding"))
                for name in ("content-length", "content-encoding", "transfer-encoding"):
                    self.assertNotIn(name, headers)
                self.assertEqual(self.get("HEAD", If_None_Match=known, **accepted)[0], 304)
            status, _, body = self.get(If_None_Match='"other"', **accepted)
            self.assertEqual((status, bool(body)), (200, True))
        self.assertEqual(self.get(If_None_Match=tag)[0], 200)  # the compressed one's tag isn't the plain one's

    def test_head(self) -> None:
        """HEAD is answered as GET is, without the body."""
        for accepted in ({}, {"Accept_Encoding": "gzip"}):
            status, headers, body = self.get("HEAD", **accepted)
            self.assertEqual((status, body), (200, b""))
            full = self.get(**accepted)[1]
            for name in ("content-length", "content-type", "etag", "vary", "cache-control"):
                self.assertEqual(headers[name], full[name], name)

    def test_methods(self) -> None:
        """Nothing else is."""
        for method in ("POST", "PUT", "DELETE"):
            status, headers, _ = self.get(method)
            self.assertEqual((status, headers["cache-control"]), (405, "no-store"))

    def test_spellings(self) -> None:
        """A file has one path: no other spelling of it is found."""
        for path in (
            "/streamrelay.js/",
            "//streamrelay.js",
            "/./streamrelay.js",
            "/third-party",
            "/third-party/",
            "/third-party/LIST.json/",
            "/third-party%2fLIST.json",
            "/third-party/../streamrelay.js",
            "/third-party/%2e%2e/streamrelay.js",
            "/console.html",
            "/package.json",
            "/package-lock.json",
            "/__init__.py",
            "/__pycache__/__init__.cpython-311.pyc",
        ):
            self.assertEqual(self.get(path=path)[0], 404, path)


class Negotiation(SynchronousTestCase):
    """Two headers of requests."""

    def test_takes_gzip(self) -> None:
        """gzip is sent where it is named or everything is, and not refused."""
        for accepted, yes in (
            ("", False),
            ("gzip", True),
            ("GZIP;q=0.5", True),
            ("br, gzip ; q=1", True),
            ("*", True),
            ("identity", False),
            ("gzip;q=0", False),
            ("gzip; q=0.000, *", False),
            ("*;q=0", False),
            ("xgzip", False),
            (";;,,;q=", False),
        ):
            self.assertEqual(takes_gzip(accepted), yes, accepted)

    def test_has_already(self) -> None:
        """A tag counts only whole and in its quotes."""
        for known, yes in (
            ('"a"', True),
            ('"b", "a"', True),
            ('W/"a"', True),
            ("a", False),
            ('"ab"', False),
            ("", False),
        ):
            self.assertEqual(has_already(known, '"a"'), yes, known)


class Listed(SynchronousTestCase):
    """Which files there are."""

    def test_ours(self) -> None:
        """Every page, module, style, picture and declaration of ours is served, and nothing else of the package."""
        found = {"/".join(part.decode() for part in path) for path in pages(lambda: RELAY) if path[0] != b"third-party"}
        on_disk = {path.relative_to(WEB).as_posix() for path in WEB.rglob("*") if path.is_file()}
        wanted = {
            path
            for path in on_disk
            if path.endswith((".html", ".css", ".js", ".svg", ".d.ts")) and not path.startswith("third-party/")
        }
        self.assertEqual(found, wanted - {"console.html"} | {""})
        self.assertIn("streamrelay.js", found)

    def test_theirs(self) -> None:
        """Every third-party file that the build has listed is served as it came, licences among them."""
        place = WEB / "third-party"
        if not (place / "LIST.json").is_file():
            raise SkipTest("needs the third-party viewers (built with STREAMRELAY_VIEWERS=no)")
        served = pages(lambda: RELAY)
        listed = json.loads((place / "LIST.json").read_text())["packages"]
        self.assertEqual({package["folder"] for package in listed}, set(module.VIEWERS))
        for package in listed:
            for path in package["files"]:
                page = served[named(f"third-party/{package['folder']}/{path}")]
                self.assertEqual(page.content, (place / package["folder"] / path).read_bytes())
            self.assertTrue([path for path in package["files"] if path.startswith(("LICENSE", "COPYING"))], package)
        for path in (
            "novnc/core/rfb.js",
            "xterm/lib/xterm.mjs",
            "addon-fit/lib/addon-fit.mjs",
            "addon-search/lib/addon-search.mjs",
            "addon-unicode-graphemes/lib/addon-unicode-graphemes.mjs",
            "addon-web-links/lib/addon-web-links.mjs",
            "spice-html5/src/main.js",
        ):
            page = served[named(f"third-party/{path}")]
            self.assertEqual(page.content_type, "text/javascript; charset=utf-8")
        self.assertEqual(served[named("third-party/xterm/css/xterm.css")].content_type, "text/css; charset=utf-8")
        self.assertEqual(served[named("third-party/spice-html5/COPYING")].content_type, "text/plain; charset=utf-8")

    def test_not_installed(self) -> None:
        """Without third-party files the rest is served, and the log names what is missing."""
        where = folder(self)
        (where / "console.html").write_text("the console")
        self.patch(resources, "files", lambda name: where)
        told: list[str] = []
        self.patch(module.log, "warn", lambda text, **named: told.append(text.format(**named)))
        self.assertEqual(list(pages(lambda: RELAY)), [(b"",)])
        xterm = "xterm, addon-fit, addon-search, addon-unicode-graphemes, addon-web-links"
        expected = f"viewers not installed: novnc, {xterm}, spice-html5; "
        self.assertEqual(told, [expected + "the console can't show their targets (setting viewers)"])


class Chosen(SynchronousTestCase):
    """A folder of the operator's own."""

    def setUp(self) -> None:
        self.where = folder(self)
        self.put("novnc/core/rfb.js", "export default 1;")

    def put(self, path: str, content: str = "x") -> None:
        (self.where / path).parent.mkdir(parents=True, exist_ok=True)
        (self.where / path).write_text(content)

    def theirs(self) -> dict[str, bytes]:
        found = {b"/".join(path).decode(): page.content for path, page in pages(lambda: RELAY, str(self.where)).items()}
        return {path[12:]: content for path, content in found.items() if path.startswith("third-party/")}

    def test_replaces(self) -> None:
        """Its files are served in place of the package's, and only what browsers load, and licences."""
        for path in (
            "novnc/LICENSE.txt",
            "novnc/vendor/x.wasm",
            "LIST.json",
            "secret.js",
            "other/module.js",
            "novnc/.git/config",
            "novnc/.hidden.js",
            "novnc/setup.py",
            "novnc/vnc.html",
            "novnc/key.pem",
        ):
            self.put(path)
        self.assertEqual(
            self.theirs(),
            {
                "novnc/core/rfb.js": b"export default 1;",
                "novnc/LICENSE.txt": b"x",
                "novnc/vendor/x.wasm": b"x",
                "LIST.json": b"x",
            },
        )
        self.assertEqual(
            pages(lambda: RELAY, str(self.where))[named("third-party/novnc/vendor/x.wasm")].compressible, False
        )

    def test_fixed(self) -> None:
        """What is changed or added in it after the start isn't seen."""
        authenticator = Authenticator(KeyRing(""), Sessions(Clock(), 1, 1), Throttle(Clock()))
        site = api.Root(FakePlatform(), authenticator, str(self.where))
        self.put("novnc/core/rfb.js", "export default 2;")
        self.put("novnc/core/new.js")
        page = site.pages[named("third-party/novnc/core/rfb.js")]
        self.assertEqual(gzip.decompress(page.compressed), b"export default 1;")
        self.assertNotIn(named("third-party/novnc/core/new.js"), site.pages)

    def test_wrong(self) -> None:
        """A folder that isn't there or holds no viewer is a mistake; the message says what is expected."""
        for where in (self.where / "nowhere", self.where / "novnc", self.where / "novnc/core/rfb.js"):
            error = self.assertRaises(ConfigError, pages, RELAY, str(where))
            self.assertIn(f"viewers: {where} has none of the folders novnc, xterm", str(error))

    def test_most(self) -> None:
        """A folder of 2000 files, or of 64 MiB, is served; one file or byte more is refused."""
        for number in range(VIEWER_FILES - 1):
            self.put(f"novnc/{number}.js")
        self.assertEqual(len(self.theirs()), VIEWER_FILES)
        self.put("novnc/more.js")
        self.assertIn("more than 2000 files", str(self.assertRaises(ConfigError, self.theirs)))
        shutil.rmtree(self.where / "novnc")
        self.put("novnc/big.wasm", "")
        os.truncate(self.where / "novnc/big.wasm", VIEWER_BYTES)
        self.assertEqual(len(self.theirs()["novnc/big.wasm"]), VIEWER_BYTES)
        os.truncate(self.where / "novnc/big.wasm", VIEWER_BYTES + 1)
        self.assertIn("64 MiB", str(self.assertRaises(ConfigError, self.theirs)))

    def test_bounded(self) -> None:
        """A folder that is too big to be a viewer's is refused, one that leads into itself too."""
        self.patch(module, "MOST_FILES", 10)
        (self.where / "novnc" / "again").symlink_to(".")
        self.assertIn("viewers: ", str(self.assertRaises(ConfigError, pages, RELAY, str(self.where))))
        (self.where / "novnc" / "again").unlink()
        self.theirs()
        self.patch(module, "MOST_BYTES", 10)
        self.assertIn("viewers: ", str(self.assertRaises(ConfigError, pages, RELAY, str(self.where))))


class FirstLoad(SynchronousTestCase):
    """What a browser loads before anybody has chosen a target."""

    def test_weight(self) -> None:
        """The console with all that it loads statically is there, without a viewer, and under 150 KB compressed."""
        served = pages(lambda: RELAY)
        sizes: dict[str, int] = {}
        wanted = [""]
        while wanted:
            path = wanted.pop()
            if path in sizes:
                continue
            self.assertIn(named(path), served, f"{path} is loaded at first, and not served")
            page = served[named(path)]
            sizes[path] = len(page.compressed)
            for found in STATIC.findall(page.content.decode()):
                address = urldefrag(urljoin(f"http://x/{path}", "".join(found))).url
                wanted.append(address.removeprefix("http://x/"))
        self.assertTrue({"", "console.js", "console.css"} <= set(sizes), sizes)
        self.assertEqual([path for path in sizes if path.startswith(("third-party/", "viewers/"))], [])
        self.assertLess(sum(sizes.values()), FIRST_LOAD, sizes)

    def test_static(self) -> None:
        """Statements and tags count, what is imported when it is needed doesn't."""
        code = """<link rel="stylesheet" href="a.css"><script src="b.js"></script><img alt="" src="m.svg">
import { c,
  d } from './c.js';
import './e.js';
export * from "./f.js";
export { g } from './g.js';
const h = await import('./h.js'); // import x from './i.js'
import('./j.js');
export const k = (x) => 'k.js';
@import "l.css";
"""
        found = ["".join(each) for each in STATIC.findall(code)]
        self.assertEqual(found, ["a.css", "b.js", "m.svg", "./c.js", "./e.js", "./f.js", "./g.js", "l.css"])
