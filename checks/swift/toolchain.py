"""Debian trixie's Swift in a folder: fetched by apt with a state of its own, run in namespaces.

Nothing is installed and no root is needed, where users may make namespaces. What was fetched or
unpacked once is not fetched or unpacked again, so that a set-up which was stopped goes on.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

MIRROR = "http://deb.debian.org/debian"
SUITE = "trixie"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# base-files holds the links /bin and /lib, so it must be unpacked before all others.
FIRST = "base-files"
PACKAGES = (FIRST, "bash", "coreutils", "dash", "libc6-dev", "libstdc++-14-dev", "swiftlang")
# Which Debian package brings a command.
TOOLS = {"apt-get": "apt", "dpkg-deb": "dpkg", "unshare": "util-linux", "chroot": "coreutils"}
NEEDED_BYTES = 4_500_000_000  # packages, root and builds together

_APT = """\
Dir::State "{0}"; Dir::State::lists "{0}/lists"; Dir::State::status "{0}/status";
Dir::Cache "{0}"; Dir::Cache::archives "{0}/archives";
Dir::Etc "{0}/etc"; Dir::Etc::sourcelist "{0}/etc/sources.list"; Dir::Log "{0}";
APT::Architecture "{1}"; APT::Architectures {{ "{1}"; }};
APT::Install-Recommends "false"; APT::Sandbox::User ""; APT::Update::Error-Mode "any";
Acquire::Languages "none"; Acquire::Retries "2"; Acquire::http::Timeout "30";
Debug::NoLocking "true";
"""
_ENTER = (
    'root="$1"; shift; while [ "$1" != -- ]; do mkdir -p "$root$2" '
    '&& mount --bind "$1" "$root$2" || exit 125; shift 2; done; shift; '
    'mount --rbind /dev "$root/dev" || exit 125; '
    'mount -t proc proc "$root/proc" 2> /dev/null || mount --rbind /proc "$root/proc" || exit 125; '
    'exec chroot "$root" "$@"'
)


class ToolchainError(Exception):
    """What is missing, in a sentence."""


class Toolchain:
    """Swift in a folder.

    Attributes:
        folder: that holds everything.
        root: of the small Debian in it.
    """

    def __init__(self, folder: Path, mirror: str = MIRROR) -> None:
        self.folder = folder.resolve()
        self.root = self.folder / "root"
        self._mirror = mirror
        self._apt = self.folder / "apt"
        self._ready = self.folder / "ready"
        self._unshare: list[str] = []

    def set_up(self) -> None:
        """Fetch and unpack what is not there yet.

        Raises:
            ToolchainError: something is missing.
        """
        check_tools()
        self._unshare = namespaces()
        if not self._ready.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._check_room()
            self._configure()
            self._fetch()
            self._unpack()
        version = self.run(["swiftc", "--version"], {}, {}, 120)
        if version.returncode != 0 or "Swift version" not in version.stdout:
            self._ready.unlink(missing_ok=True)
            raise ToolchainError(
                f"Swift in {self.root} does not start ({_last(version.stdout)}); remove "
                f"{self.folder} and run it again"
            )
        self._ready.write_text(version.stdout)
        shutil.rmtree(self._apt / "archives", ignore_errors=True)

    @property
    def version(self) -> str:
        """What the compiler calls itself."""
        return self._ready.read_text().splitlines()[0]

    def run(
        self,
        command: Sequence[str],
        binds: Mapping[Path, str],
        environment: Mapping[str, str],
        limit_s: float,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the root, its output and errors together.

        Args:
            command: and its arguments.
            binds: folders of this machine, and where they are seen; the first is where it runs.
            environment: beside what is set always.
            limit_s: after which it is stopped, with exit code 124.
        """
        places = [word for host, inside in binds.items() for word in (str(host), inside)]
        values = {"HOME": "/tmp", "LANG": "C.UTF-8", **environment}
        values["PATH"] = "/usr/bin:/bin:/usr/libexec/swift/bin"
        work = next(iter(binds.values()), "/")
        inside = ["/usr/bin/env", "-i", "-C", work, *(f"{k}={v}" for k, v in values.items())]
        line = [*self._unshare, "sh", "-ec", _ENTER, "sh", str(self.root), *places, "--"]
        try:
            return subprocess.run(
                [*line, *inside, *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            words = f"{shlex.join(command)} took more than {limit_s:.0f} s\n"
            return subprocess.CompletedProcess(list(command), 124, words)

    def _check_room(self) -> None:
        have = sum(each.stat().st_blocks * 512 for each in _files(self.folder))
        free = shutil.disk_usage(self.folder).free
        if free + have < NEEDED_BYTES:
            raise ToolchainError(
                f"{self.folder} has {free / 1e9:.1f} GB free and Swift needs "
                f"{(NEEDED_BYTES - have) / 1e9:.1f}; name another folder with --cache"
            )

    def _configure(self) -> None:
        if not KEYRING.exists():
            raise ToolchainError(
                f"{KEYRING} is missing, with which Debian's packages are checked; install the "
                "package debian-archive-keyring"
            )
        for name in ("lists/partial", "archives/partial", "etc/apt.conf.d", "etc/preferences.d"):
            (self._apt / name).mkdir(parents=True, exist_ok=True)
        (self._apt / "etc/sources.list.d").mkdir(exist_ok=True)
        (self._apt / "status").touch()
        architecture = _output(["dpkg", "--print-architecture"]).strip()
        (self._apt / "apt.conf").write_text(_APT.format(self._apt, architecture))
        source = f"deb [signed-by={KEYRING}] {self._mirror} {SUITE} main\n"
        (self._apt / "etc/sources.list").write_text(source)

    def _fetch(self) -> None:
        """Let apt fetch what is needed; what it holds already is taken as it is."""
        _say(f"fetching Swift from {self._mirror}: 550 MB, less what is there")
        if not list((self._apt / "lists").glob("*_Packages*")):
            self._apt_get("update")
        try:
            self._install("--download-only")
        except ToolchainError:
            self._apt_get("update")  # the mirror may have newer packages than the lists
            self._install("--download-only")

    def _install(self, how: str) -> str:
        return self._apt_get("--yes", how, "install", *PACKAGES)

    def _apt_get(self, *arguments: str) -> str:
        done = subprocess.run(
            ["apt-get", "--quiet=2", *arguments],
            env={**os.environ, "APT_CONFIG": str(self._apt / "apt.conf"), "LANG": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if line.startswith("E:")]
            said = errors[0] if errors else _last(done.stderr)
            raise ToolchainError(
                f"apt-get could not fetch {SUITE}'s swiftlang from {self._mirror} ({said}); check "
                "the network or name another mirror with --mirror, and run it again: what has "
                "come is kept"
            )
        return done.stdout

    def _unpack(self) -> None:
        """Unpack all packages; each that is done leaves a stamp."""
        stamps = self.folder / "unpacked"
        stamps.mkdir(exist_ok=True)
        self.root.mkdir(exist_ok=True)
        archives = (self._apt / "archives").glob("*.deb")
        packages = sorted(archives, key=lambda each: (not each.name.startswith(FIRST), each.name))
        _say(f"unpacking {len(packages)} packages into {self.root}")
        for package in packages:
            if (stamps / package.name).exists():
                continue
            done = subprocess.run(
                ["dpkg-deb", "-x", str(package), str(self.root)],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                package.unlink()
                raise ToolchainError(
                    f"{package.name} could not be unpacked ({_last(done.stderr)}); run it again, "
                    "which fetches that package anew"
                )
            (stamps / package.name).touch()


def check_tools() -> None:
    """Raise ToolchainError for the first command that is missing here."""
    if sys.platform != "linux":
        raise ToolchainError(
            "swift-test runs on Linux; on a Mac, use the real Core ML: cd ios && swift test"
        )
    for tool, package in TOOLS.items():
        if shutil.which(tool) is None:
            raise ToolchainError(
                f"{tool} is missing, with which Swift is set up; on Debian or Ubuntu, install the "
                f"package {package}"
            )


def namespaces() -> list[str]:
    """Return the beginning of a command that runs with mounts of its own.

    Raises:
        ToolchainError: this user may not have any.
    """
    plain = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    for command in ([*plain, "--map-root-user"], plain):
        probe = [*command, "mount", "--bind", "/dev/null", "/dev/null"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return command
    raise ToolchainError(
        "unshare may not make namespaces here, in which Swift runs; run it as root, or let users "
        "make them: sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    )


def _files(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file() and not each.is_symlink()]


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else "it said nothing"


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")
