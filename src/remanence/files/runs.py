"""A run's folder appears under its name when it is complete, or not at all."""

import os
import platform
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from remanence._version import __version__
from remanence.errors import RemanenceError

MARK = "result.json"
"""A folder that holds this file is a run of ours, and may be overwritten when asked."""

PACKAGES = ("jax", "jaxlib", "numpy", "scipy", "equinox", "pyarrow", "safetensors")


@contextmanager
def run_folder(path: str | os.PathLike, *, overwrite: bool = False) -> Iterator[Path]:
    """Write a run into a temporary sibling folder that takes the name `path` when complete.

    Yields the folder to write into, `.<name>.partial-<random>` beside `path`. When the block
    ends well it is renamed; after any exception, an interrupt from the keyboard included, it is
    deleted, with every parent folder made for it. With `overwrite`, an earlier run at `path`
    stays in place until the new one is complete.

    Raises `RemanenceError` if `path` exists (without `overwrite`), is not a run of ours (with
    it), or cannot be written.

        with run_folder("runs/first") as folder:
            write_json(folder / "result.json", {"loss": 0.5})
    """
    target = Path(os.path.abspath(path))
    check_run_folder(target, overwrite=overwrite)
    made: list[Path] = []
    partial = _sibling(target, "partial")
    try:
        try:
            for parent in reversed(_absent(target.parent)):
                parent.mkdir()
                made.append(parent)
            partial.mkdir()
        except OSError as error:
            raise RemanenceError(
                f"{target}: cannot be written ({error.strerror}); choose another --out"
            ) from error
        yield partial
        _publish(partial, target, overwrite)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        for parent in reversed(made):
            with suppress(OSError):
                parent.rmdir()
        raise


def _sibling(target: Path, role: str) -> Path:
    return target.with_name(f".{target.name}.{role}-{secrets.token_hex(4)}")


def _absent(folder: Path) -> list[Path]:
    """The folders that have to be made for `folder` to exist, innermost first."""
    absent = []
    while not os.path.lexists(folder):
        absent.append(folder)
        folder = folder.parent
    return absent


def check_run_folder(path: str | os.PathLike, *, overwrite: bool = False) -> None:
    """Raise the `RemanenceError` that `run_folder` would, before long work is spent on it."""
    target = Path(os.path.abspath(path))
    if not os.path.lexists(target):
        home = target.parent
        while not os.path.lexists(home):
            home = home.parent
        # Asked by doing: permissions alone do not say what a file system takes.
        try:
            os.rmdir(tempfile.mkdtemp(prefix=".remanence-", dir=home))
        except OSError as error:
            raise RemanenceError(
                f"{target}: cannot be written, {home} is not a folder open to writing; "
                "choose another --out"
            ) from error
        return
    if not overwrite:
        raise RemanenceError(f"{target}: already exists; choose another --out or pass --overwrite")
    if target.is_symlink() or not target.is_dir():
        raise RemanenceError(f"{target}: is not a folder of a run; choose another --out")
    try:
        ours = (target / MARK).is_file() or not any(target.iterdir())
    except OSError as error:
        raise RemanenceError(
            f"{target}: cannot be read ({error.strerror}); choose another --out"
        ) from error
    if not ours:
        raise RemanenceError(
            f"{target}: holds files but no {MARK}, so it is not a run and is not overwritten; "
            "choose another --out"
        )
    if target == Path.cwd() or target in Path.cwd().parents:
        raise RemanenceError(
            f"{target}: is the working folder or holds it, so it is not overwritten; "
            "choose another --out"
        )


def _publish(partial: Path, target: Path, overwrite: bool) -> None:
    # Checked again: another run may have finished under this name in the meantime.
    check_run_folder(target, overwrite=overwrite)
    try:
        if not os.path.lexists(target):
            partial.rename(target)
            return
        old = _sibling(target, "old")
        target.rename(old)
        try:
            partial.rename(target)
        except BaseException:
            old.rename(target)
            raise
    except OSError as error:
        raise RemanenceError(
            f"{target}: cannot be put in place ({error.strerror}); choose another --out"
        ) from error
    shutil.rmtree(old, ignore_errors=True)


def environment(*, seed: int | None = None, wall_time: float | None = None) -> dict[str, Any]:
    """What a run ran on: versions, git commit, device, seed, wall time (s), date (UTC).

    `git_commit` is null where Remanence is not run from a checkout of its source, and
    `git_modified` says whether that checkout had uncommitted changes.
    """
    import jax

    device = jax.devices()[0]
    commit, modified = _git_state(Path(__file__).resolve())
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "wall_seconds": wall_time,
        "device": f"{device.platform}: {device.device_kind}",
        "cpu_count": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {"remanence": __version__, **{name: _version(name) for name in PACKAGES}},
        "git_commit": commit,
        "git_modified": modified,
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git_state(source: Path) -> tuple[str | None, bool | None]:
    """The commit of the checkout that tracks `source`, and whether it is modified."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(source.parent), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()

    try:
        # An installed copy may lie inside an unrelated repository that does not track it.
        git("ls-files", "--error-unmatch", source.name)
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--", "."))
    except (OSError, subprocess.SubprocessError):
        return None, None
