"""Libraries compiled at first use: kept, made anew, and never half there."""

import shutil
import subprocess
import sys

import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.spmv import native

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
SOURCE = 'extern "C" int answer() { return 42; }\n'


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    native.build.cache_clear()
    yield tmp_path / "xorweave"
    native.build.cache_clear()


def test_what_was_compiled_is_kept(cache, monkeypatch):
    assert native.build(SOURCE, ("-O0",)).answer() == 42
    (kept,) = cache.iterdir()
    native.build.cache_clear()
    monkeypatch.setattr(native, "_compile", lambda *_: pytest.fail("it is there"))
    assert native.build(SOURCE, ("-O0",)).answer() == 42
    assert list(cache.iterdir()) == [kept]


def test_other_flags_and_sources_are_other_libraries(cache):
    native.build(SOURCE, ("-O0",))
    native.build(SOURCE, ("-O1",))
    assert native.build(SOURCE.replace("42", "43"), ("-O0",)).answer() == 43
    assert len(list(cache.iterdir())) == 3


def test_a_damaged_library_is_made_anew(cache):
    cache.mkdir(parents=True)
    name = _name_of(cache)
    (cache / name).write_bytes(b"cut off")
    assert native.build(SOURCE, ("-O0",)).answer() == 42


def _name_of(cache):
    native.build(SOURCE, ("-O0",))
    native.build.cache_clear()
    (kept,) = cache.iterdir()
    # another file: what is loaded stays mapped, and may not be written over
    kept.unlink()
    return kept.name


def test_a_source_in_error_leaves_nothing(cache):
    with pytest.raises(RuntimeError, match=r"says:\n.*error"):
        native.build("no program", ("-O0",))
    assert not list(cache.iterdir())


def test_without_a_cache_libraries_pass(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    native.build.cache_clear()
    assert native.build(SOURCE, ("-O0",)).answer() == 42
    native.build.cache_clear()


def test_processes_side_by_side(cache):
    script = f"""
from xorweave.golden.spmv import native
print(native.build({SOURCE!r}, ("-O0",)).answer())
"""
    running = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [process.communicate()[0] for process in running] == ["42\n"] * 3
    assert len(list(cache.iterdir())) == 1


def test_sets_are_named(monkeypatch):
    assert native.available_sets()[-1] == "plain"
    monkeypatch.setenv("XORWEAVE_INSTRUCTIONS", "plain")
    assert native.instruction_set() == "plain"
    monkeypatch.setenv("XORWEAVE_INSTRUCTIONS", "sse9")
    with pytest.raises(InputError, match=r"must be one of .*plain on this processor, not 'sse9'"):
        native.instruction_set()


def test_no_compiler_is_said(monkeypatch):
    monkeypatch.setenv("XORWEAVE_CXX", "")
    with pytest.raises(InputError, match="must be on the PATH"):
        native.build(SOURCE + "// not made before", ("-O0",))
