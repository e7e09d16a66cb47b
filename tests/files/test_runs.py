"""A run's folder is complete under its name, or not there; never half-written."""

import os
import subprocess
from pathlib import Path

import pytest

from remanence.errors import RemanenceError
from remanence.files import environment, run_folder, runs, write_json


def tree(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*")}


def make_run(path: Path, text: str = "old") -> None:
    path.mkdir(parents=True)
    (path / "result.json").write_text(text)


def refusal(path, **options) -> str:
    with pytest.raises(RemanenceError) as caught, run_folder(path, **options):
        pytest.fail("the block must not run")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def fail_in(
    path: Path, error: BaseException, *, overwrite: bool = False, beside: str = ""
) -> None:
    with run_folder(path, overwrite=overwrite) as folder:
        (folder / "result.json").write_text("half")
        if beside:
            (path.parent / beside).mkdir()
        raise error


def test_a_run_appears_when_complete(tmp_path):
    target = tmp_path / "deep" / "run"
    with run_folder(target) as folder:
        assert folder.parent == target.parent
        assert folder.name.startswith(".run.partial-")
        (folder / "figures").mkdir()
        write_json(folder / "result.json", {"a": 1})
        assert not target.exists()
    assert tree(tmp_path) == {"deep", "deep/run", "deep/run/result.json", "deep/run/figures"}
    # Not the private mode of a temporary folder.
    assert target.stat().st_mode == target.parent.stat().st_mode


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("target", ["run", "deep/er/run"])
def test_nothing_is_left_after(tmp_path, error, target):
    with pytest.raises(error):
        fail_in(tmp_path / target, error())
    assert tree(tmp_path) == set()


def test_parents_that_someone_else_uses_stay(tmp_path):
    with pytest.raises(ValueError, match="stop"):
        fail_in(tmp_path / "deep" / "run", ValueError("stop"), beside="other")
    assert tree(tmp_path) == {"deep", "deep/other"}


def test_an_existing_folder_is_kept(tmp_path):
    make_run(tmp_path / "run")
    message = refusal(tmp_path / "run")
    assert "already exists" in message
    assert "another --out or pass --overwrite" in message
    assert (tmp_path / "run" / "result.json").read_text() == "old"
    assert tree(tmp_path) == {"run", "run/result.json"}


def test_overwriting_a_run(tmp_path):
    make_run(tmp_path / "run")
    with run_folder(tmp_path / "run", overwrite=True) as folder:
        (folder / "result.json").write_text("new")
        assert (tmp_path / "run" / "result.json").read_text() == "old"
    assert (tmp_path / "run" / "result.json").read_text() == "new"
    assert tree(tmp_path) == {"run", "run/result.json"}


def test_overwriting_an_empty_folder(tmp_path):
    (tmp_path / "run").mkdir()
    with run_folder(tmp_path / "run", overwrite=True) as folder:
        (folder / "result.json").write_text("new")
    assert tree(tmp_path) == {"run", "run/result.json"}


def test_a_failed_run_keeps_the_old_one(tmp_path):
    make_run(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        fail_in(tmp_path / "run", KeyboardInterrupt(), overwrite=True)
    assert (tmp_path / "run" / "result.json").read_text() == "old"
    assert tree(tmp_path) == {"run", "run/result.json"}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_the_old_run_comes_back_if_the_new_one_cannot_be_put_in_place(
    tmp_path, monkeypatch, error
):
    make_run(tmp_path / "run")
    rename = Path.rename

    def fail(self, target):
        if ".partial-" in self.name:
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with (
        pytest.raises((RemanenceError, KeyboardInterrupt)),
        run_folder(tmp_path / "run", overwrite=True),
    ):
        pass
    assert (tmp_path / "run" / "result.json").read_text() == "old"
    assert tree(tmp_path) == {"run", "run/result.json"}


def test_a_name_taken_in_the_meantime(tmp_path):
    with pytest.raises(RemanenceError, match="already exists"), run_folder(tmp_path / "run"):
        make_run(tmp_path / "run", "theirs")
    assert (tmp_path / "run" / "result.json").read_text() == "theirs"
    assert tree(tmp_path) == {"run", "run/result.json"}


def test_what_is_no_run_is_never_overwritten(tmp_path, monkeypatch):
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "thesis.tex").write_text("years")
    (tmp_path / "file").write_text("x")
    make_run(tmp_path / "run")
    (tmp_path / "link").symlink_to("run")
    (tmp_path / "dangling").symlink_to("nowhere")
    before = tree(tmp_path)
    assert "no result.json" in refusal(tmp_path / "papers", overwrite=True)
    assert "not a folder of a run" in refusal(tmp_path / "file", overwrite=True)
    assert "not a folder of a run" in refusal(tmp_path / "link", overwrite=True)
    assert "already exists" in refusal(tmp_path / "dangling")
    monkeypatch.chdir(tmp_path / "run")
    assert "working folder" in refusal(".", overwrite=True)
    assert tree(tmp_path) == before


def test_a_place_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    message = refusal(tmp_path / "file" / "run")
    assert f"cannot be written, {tmp_path / 'file'} is not a folder open to writing" in message

    def deny(self, *args, **kwargs):
        if self.name.startswith("."):
            raise PermissionError(13, "Permission denied")
        return os.mkdir(self)

    monkeypatch.setattr(Path, "mkdir", deny)
    assert "cannot be written (Permission denied)" in refusal(tmp_path / "deep" / "run")
    assert tree(tmp_path) == {"file"}


def test_environment(tmp_path):
    record = environment(seed=7, wall_time=1.5)
    assert record["seed"] == 7
    assert record["wall_seconds"] == 1.5
    assert record["date"].endswith("+00:00")
    assert record["device"].startswith("cpu")
    for name in ("remanence", "jax", "jaxlib", "numpy", "scipy", "equinox"):
        assert record["versions"][name]
    write_json(tmp_path / "environment.json", record)


def test_the_commit_is_that_of_the_checkout(tmp_path):
    def git(*arguments):
        command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)

    source = tmp_path / "module.py"
    source.write_text("")
    assert runs._git_state(source) == (None, None)
    git("init")
    assert runs._git_state(source) == (None, None)
    git("add", ".")
    git("commit", "-m", "first")
    commit = git("rev-parse", "HEAD").stdout.strip()
    assert runs._git_state(source) == (commit, False)
    source.write_text("changed = True")
    assert runs._git_state(source) == (commit, True)
