"""main.py: the `streamrelay` command, up to what needs a network."""

import errno
import io
import os
import stat
import sys

from streamrelay import main
from streamrelay.platform.auth.grants import KeyRing
from tests.examples import there
from tests.fakes.commands import CommandCase as Case
from tests.fakes.files import no_room


class Full(io.StringIO):
    """A file on a disk without room."""

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Files(Case):
    """Commands that make files."""

    def test_keygen(self) -> None:
        """`keygen` writes a pair, the private one for its owner alone, and writes over nothing."""
        private, public = self.where / "a.key", self.where / "a.pub"
        arguments = ("keygen", "--private", str(private), "--public", str(public))
        self.assertEqual(self.run_command(*arguments), 0)
        self.assertEqual(stat.S_IMODE(private.stat().st_mode), 0o600)
        self.assertIn(str(public), self.out.getvalue())
        before = private.read_bytes()
        self.assertEqual(self.run_command(*arguments), 2)
        self.assertEqual(private.read_bytes(), before)
        self.assertEqual(self.err.getvalue().count("\n"), 1)

    def test_no_room(self) -> None:
        """Of a pair that can't be written nothing stays, as it would be in the way of the next attempt."""
        private, public = self.where / "a.key", self.where / "a.pub"
        arguments = ("keygen", "--private", str(private), "--public", str(public))
        with no_room():
            self.assertEqual(self.run_command(*arguments), 2)
        self.assertEqual(self.err.getvalue(), f"streamrelay: {private}: can't be written: File too large\n")
        self.assertFalse(private.exists())
        public.write_text("another's")
        self.assertEqual(self.run_command(*arguments), 2)
        self.assertEqual([path.read_text() for path in self.where.iterdir()], ["another's"])
        public.unlink()
        self.assertEqual(self.run_command(*arguments), 0)

    def test_key_add(self) -> None:
        """`key add` prints a key, once and alone on standard output, and the file knows it by its grants."""
        keys = self.where / "keys.toml"
        status = self.run_command(
            "key", "add", "alice", "--keys", str(keys), "--grant", "web-*:log/*", "--grant", "a:b:c"
        )
        self.assertEqual(status, 0)
        key = self.out.getvalue().strip()
        ring = KeyRing(str(keys))
        ring.load()
        user = there(ring.user(key))
        self.assertTrue(user.may("web-1", "log/x") and user.may("a", "b:c"))
        self.assertFalse(user.may("a", "b"))
        self.assertEqual(stat.S_IMODE(keys.stat().st_mode), 0o600)
        self.assertNotIn(key, self.err.getvalue())

    def test_key_list(self) -> None:
        """`key list` prints name, day and grants of each key, and nothing of any key or hash."""
        keys = self.where / "keys.toml"
        for name in ("bob", "alice"):
            self.run_command("key", "add", name, "--keys", str(keys), "--grant", "web-*:log/*", "--grant", "a:b:c")
        key = self.out.getvalue().split()[0]
        self.out.truncate(self.out.seek(0))
        self.assertEqual(self.run_command("key", "list", "--keys", str(keys)), 0)
        lines = [line.split("\t") for line in self.out.getvalue().splitlines()]
        self.assertEqual(
            [(line[0], line[2]) for line in lines], [(name, "web-*:log/* a:b:c") for name in ("alice", "bob")]
        )
        self.assertRegex(lines[0][1], r"^\d{4}-\d\d-\d\d$")
        self.assertNotIn(key, self.out.getvalue())
        self.assertNotIn("sha256", self.out.getvalue())

    def test_key_view(self) -> None:
        """`key add --view` makes a key that may look and not act, and `key list` says so."""
        keys = self.where / "keys.toml"
        self.assertEqual(self.run_command("key", "add", "carol", "--keys", str(keys), "--view", "*:vm/*"), 0)
        ring = KeyRing(str(keys))
        ring.load()
        user = there(ring.user(self.out.getvalue().strip()))
        self.assertTrue(user.may("web-1", "vm/a"))
        self.assertFalse(user.may("web-1", "vm/a", act=True))
        self.assertEqual(self.run_command("key", "list", "--keys", str(keys)), 0)
        self.assertIn("*:vm/*(view)", self.out.getvalue())

    def test_key_share(self) -> None:
        """`key add --share` and `--share-view` make a key for others' terminals, and `key list` says so."""
        keys = self.where / "keys.toml"
        given = ("--share", "web-*:shell", "--share-view", "*:shell")
        self.assertEqual(self.run_command("key", "add", "carol", "--keys", str(keys), *given), 0)
        ring = KeyRing(str(keys))
        ring.load()
        user = there(ring.user(self.out.getvalue().strip()))
        hosts = ("web-1", "db")
        self.assertEqual([user.may_share(host, "shell", act=True) for host in hosts], [True, False])
        self.assertEqual([user.may_share(host, "shell") for host in hosts], [True, True])
        self.assertEqual(self.run_command("key", "list", "--keys", str(keys)), 0)
        self.assertIn("web-*:shell(share) *:shell(view, share)", self.out.getvalue())
        for option in ("--share", "--share-view"):
            self.assertEqual(self.run_command("key", "add", "dora", "--keys", str(keys), option, "shell"), 2)
            self.assertIn(f"{option} 'shell': expected HOST:TARGET", self.err.getvalue())

    def test_key_drain(self) -> None:
        """`key add --drain` makes a key that may drain relays, of these globs, and nothing else; `key list` says so."""
        keys = self.where / "keys.toml"
        words = ("key", "add", "dora", "--keys", str(keys), "--drain", "fra-*", "--drain", 'x"y')
        self.assertEqual(self.run_command(*words), 0)
        ring = KeyRing(str(keys))
        ring.load()
        user = there(ring.user(self.out.getvalue().strip()))
        self.assertTrue(user.may_drain("fra-1") and user.may_drain('x"y'))
        self.assertFalse(user.may_drain("nyc-1") or user.may_drain("FRA-1") or user.may("web-1", "log"))
        self.assertEqual(self.run_command("key", "list", "--keys", str(keys)), 0)
        self.assertIn('fra-*(drain) x"y(drain)', self.out.getvalue())

    def test_key_revoke(self) -> None:
        """`key revoke` takes a key away, and only once."""
        keys = self.where / "keys.toml"
        self.run_command("key", "add", "alice", "--keys", str(keys), "--grant", "*:*")
        self.assertEqual(self.run_command("key", "revoke", "alice", "--keys", str(keys)), 0)
        ring = KeyRing(str(keys))
        ring.load()
        self.assertEqual(ring.content.keys, {})
        self.assertEqual(self.run_command("key", "revoke", "alice", "--keys", str(keys)), 2)
        self.assertIn(f"{keys}: there is no key for alice", self.err.getvalue())

    def test_bad_grants(self) -> None:
        """A grant that isn't HOST:TARGET is a usage error, and no key is made."""
        keys = self.where / "keys.toml"
        for grant in ("web", ":x", "x:", ""):
            self.assertEqual(self.run_command("key", "add", "a", "--keys", str(keys), "--grant", grant), 2)
        self.assertEqual(self.run_command("key", "add", "a", "--keys", str(keys)), 2)
        self.assertFalse(keys.exists())


class Lines(Case):
    """Command lines."""

    def test_usage(self) -> None:
        """A command line that is wrong ends with 2 and says so on standard error."""
        for arguments in ((), ("nonsense",), ("connect",), ("connect", "a"), ("key",), ("hosts", "-x")):
            self.assertEqual(self.run_command(*arguments), 2, arguments)
        self.assertEqual(self.out.getvalue(), "")

    def test_one_line(self) -> None:
        """A command line that is wrong is told in one line, which begins as all others do and leads to the help."""
        for arguments, line in (
            (("nonsense",), "streamrelay: argument COMMAND: invalid choice: 'nonsense'"),
            (("hosts", "--bogus"), "streamrelay: unrecognized arguments: --bogus (streamrelay --help tells more)"),
            (("connect", "a", "b", "--mask", "x"), "streamrelay: argument --mask: invalid choice: 'x'"),
            (
                ("key", "add"),
                "streamrelay: the following arguments are required: NAME (streamrelay key add --help tells",
            ),
        ):
            self.err.truncate(self.err.seek(0))
            self.assertEqual(self.run_command(*arguments), 2)
            self.assertTrue(self.err.getvalue().startswith(line), self.err.getvalue())
            self.assertEqual(self.err.getvalue().count("\n"), 1)

    def test_not_utf8(self) -> None:
        """An argument that is no text is a usage error in one line, whatever the command would do with it."""
        odd = os.fsdecode(b"\xff")
        keys = str(self.where / "keys.toml")
        for arguments in (
            (odd,),
            ("connect", "a", odd),
            ("connect", odd, "b"),
            ("connect", "a", "b", "--listen", f"{odd}:1"),
            ("connect", "a", "b", "--platform", f"http://localhost/{odd}"),
            ("hosts", "--platform", f"https://{odd}"),
            ("key", "add", odd, "--keys", keys, "--grant", "*:*"),
            ("key", "add", "x", "--keys", keys, "--grant", f"*:{odd}"),
            ("key", "add", "x", "--keys", keys, "--view", f"*:{odd}"),
            ("key", "revoke", odd, "--keys", keys),
            ("host", "add", odd),
            ("host", "add", "x", "--nats", odd),
            ("host", "remove", odd),
        ):
            self.err.truncate(self.err.seek(0))
            self.assertEqual(self.run_command(*arguments), 2, arguments)
            self.assertRegex(self.err.getvalue(), r"\Astreamrelay: [^\n\udc80-\udcff]+\n\Z")
        self.assertEqual(list(self.where.iterdir()), [])

    def test_odd_paths(self) -> None:
        """A file's name is bytes: one that is no text works."""
        odd = os.fsdecode(bytes(self.where) + b"/\xff")
        self.assertEqual(self.run_command("keygen", "--private", odd, "--public", f"{odd}.pub"), 0)
        self.assertTrue(os.path.exists(odd))

    def test_version(self) -> None:
        """The version is told."""
        self.assertEqual(self.run_command("--version"), 0)
        self.assertTrue(self.out.getvalue().startswith("streamrelay "))

    def test_help_untold(self) -> None:
        """Help and version that standard output doesn't take end with 1 and one line."""
        for arguments in (("--version",), ("--help",), ("connect", "--help")):
            self.err.truncate(self.err.seek(0))
            self.patch(sys, "stdout", Full())
            self.assertEqual(self.run_command(*arguments), 1, arguments)
            self.assertEqual(self.err.getvalue(), "streamrelay: standard output: No space left on device\n")

    def test_bad_host(self) -> None:
        """A host that can't be is a usage error before anything is asked."""
        self.assertEqual(self.run_command("connect", "a..b", "x", "--platform", "http://localhost"), 2)
        self.assertIn("'a..b'", self.err.getvalue())

    def test_no_short_options(self) -> None:
        """No option can be cut short, so `--key KEY` isn't taken for `--key-file`."""
        for command in (("hosts",), ("connect", "a", "b")):
            self.assertEqual(self.run_command(*command, "--platform", "http://localhost", "--key", "x"), 2)
            self.assertIn("unrecognized arguments", self.err.getvalue())

    def test_twice(self) -> None:
        """An option of which only one counts is refused when it is given twice; those that repeat may."""
        self.assertEqual(self.run_command("connect", "h", "t", "--listen", "1", "--listen=2"), 2)
        self.assertIn("argument --listen: given twice; only one counts", self.err.getvalue())
        self.assertEqual(self.err.getvalue().count("\n"), 1)
        arguments = main.parser().parse_args(["key", "add", "alice", "--grant", "a:b", "--grant", "c:d"])
        self.assertEqual(arguments.grant, ["a:b", "c:d"])

    def test_environment(self) -> None:
        """The platform, the key's file and the certificates may stand in the environment."""
        self.patch(
            os, "environ", {"STREAMRELAY_PLATFORM": "https://p", "STREAMRELAY_KEY_FILE": "k", "STREAMRELAY_CA": "c"}
        )
        arguments = main.parser().parse_args(["hosts"])
        self.assertEqual((arguments.platform, arguments.key_file, arguments.ca), ("https://p", "k", "c"))
