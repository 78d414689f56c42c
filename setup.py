"""What pyproject.toml can't say: which modules are compiled, and that nothing breaks where they can't be.

Two kinds of modules are compiled, by Cython:

- twins: every `.pyx` under `nogil_df`; modules of their own that do what others do in Python, with data in C;
- sources as they are: the `.py` named in `AS_THEY_ARE` below. A `.pxd` beside one of them declares C types
  for its classes and functions; the `.py` stays the only source.

The extension modules land beside the sources and are found before them. With them goes `compiled.txt`, which
tells from what sources they were made: `nogil_df.base.compiled` lets none be imported if one of those has
changed since.

Without a C compiler, or with NOGIL_DF_PURE=1 in the environment, nothing is compiled, and the server runs
from its sources: slower, otherwise the same.

    python setup.py build_ext --inplace      in a checkout; `make run` and `make test` do that
"""

from __future__ import annotations

import os
import sys
from importlib.util import source_hash
from pathlib import Path
from tempfile import TemporaryDirectory

from setuptools import Extension, setup  # first, as it is where distutils comes from
from setuptools.command.build_ext import build_ext

from distutils.ccompiler import new_compiler  # isort: skip
from distutils.sysconfig import customize_compiler  # isort: skip

ROOT = Path(__file__).resolve().parent
PACKAGE = ROOT / "nogil_df"
MANIFEST = "compiled.txt"
# What Cython would write into each module: the type of functions, how arguments are read, how errors are
# raised. Once for all of them, it spares gcc a fifth of its time. It has no source of its own.
SHARED = "nogil_df.base._cython"
PURE = os.environ.get("NOGIL_DF_PURE", "") not in ("", "0")

# Modules below `nogil_df`, compiled because the profile of a benchmark says that it pays.
AS_THEY_ARE = """
base.numbers base.rdb_strings
commands.arguments commands.at_once commands.bitfield commands.bitmaps commands.bulk commands.dispatch
commands.expiry_commands commands.generic commands.geo commands.hashes commands.hyperloglog
commands.lists commands.lists_blocking commands.lists_multi commands.lone commands.object
commands.ordering commands.pubsub commands.scan commands.script_quick commands.script_single
commands.sets commands.sets_multi commands.sort commands.sorted_sets commands.sorted_sets_blocking
commands.sorted_sets_multi commands.sorted_sets_ranges commands.streams commands.streams_groups
commands.streams_ids commands.streams_info commands.streams_read commands.string_options
commands.strings commands.strings_many commands.strings_multi commands.strings_numeric
commands.subscriptions
memcached.replies memcached.storage
net.connection net.loop net.tls
rdb.listpack rdb.reader
scripting.runtime
shard.bits shard.eviction shard.hashes shard.hyperloglog shard.keyspace shard.lists shard.member_index
shard.memory shard.score_order shard.sets shard.shard_state shard.sorted_sets shard.stream_groups
shard.streams shard.values
snapshot.big_values snapshot.rdb_scan snapshot.records
vll.columns vll.engine vll.part vll.proactor vll.squash vll.transaction vll.txqueue
wire.memcached wire.reply wire.request
""".split()

# Packages whose sources, compiled as they are, gcc need not work at so hard: a third less of its time. What
# they do is mostly calls into the interpreter. Those of sorted sets walk their orders in C, and got slower.
LIGHTLY = ("commands", "memcached", "rdb")
WITH_CARE = ("sorted_sets", "sorted_sets_ranges")
# Nor at what only tests and DEBUG call.
RARELY = ("_dash_check", "_segment_view")

DIRECTIVES = {
    "language_level": 3,
    # The GIL stays off when such a module is imported.
    "freethreading_compatible": True,
    # Hints are for readers and mypy; what is to be a C type stands in a .pxd.
    "annotation_typing": False,
    "embedsignature": False,
    # Nobody reads the C, and copying the source into it makes it a third longer; nor pickles these classes.
    "emit_code_comments": False,
    "auto_pickle": False,
}


def sources() -> list[Path]:
    """The file of every module to compile."""
    listed = [PACKAGE.joinpath(*name.split(".")).with_suffix(".py") for name in AS_THEY_ARE]
    twins = set(PACKAGE.rglob("*.pyx"))
    if not sys.platform.startswith("linux"):
        # They are made of epoll.
        twins -= set((PACKAGE / "net").glob("*.pyx"))
    return sorted([*twins, *listed])


def module_of(path: Path) -> str:
    """The dotted name of the module that a source file makes."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def extensions() -> list[Extension]:
    """One extension for each source, not yet translated to C; none where nothing is to be compiled."""
    if PURE:
        return []
    return [
        Extension(
            module_of(path),
            [str(path.relative_to(ROOT))],
            extra_compile_args=arguments(optimisation(path)),
        )
        for path in sources()
    ]


def arguments(optimisation: str) -> list[str]:
    """What the C compiler is told. Without -g, a build takes a third less time."""
    return [optimisation, "-g0", "-fno-strict-aliasing", "-w"]


def optimisation(path: Path) -> str:
    """How hard the C compiler is to work at a source."""
    if path.suffix == ".py" and path.parent.name in LIGHTLY and path.stem not in WITH_CARE:
        return "-O1"
    return "-O1" if path.stem in RARELY else "-O2"


class BuildCompiled(build_ext):
    """`build_ext` that does without what can't be built, and tells what the modules were made from."""

    def run(self) -> None:
        """Translate, compile, and leave the manifest; or leave nothing compiled behind."""
        manifest = self._target() / MANIFEST
        manifest.unlink(missing_ok=True)
        if not self.extensions:
            return
        made_from = [
            f"{source_hash(path.read_bytes()).hex()} {path.relative_to(PACKAGE).as_posix()}\n"
            for path in sorted([*sources(), *PACKAGE.rglob("*.pxd")])
        ]
        self.parallel = self.parallel or os.cpu_count() or 1
        self._built: list[str] = []
        try:
            self._try_compiler()
            self._translate()
            super().run()
        except Exception as error:
            # Whatever it is, and distutils has many: no compiler, no headers, no memory.
            print(f"nogil-df: running from source, as compiling failed: {error}", file=sys.stderr)
            if os.environ.get("NOGIL_DF_MUST_COMPILE"):
                raise
            self.extensions = []
            return
        self._remove_leftovers()
        manifest.parent.mkdir(parents=True, exist_ok=True)
        manifest.write_text("".join(made_from), encoding="ascii")

    def build_extension(self, ext: Extension) -> None:
        """Compile one, and tell how far that is: whoever waits wants to know."""
        super().build_extension(ext)
        self._built.append(ext.name)
        print(f"[{len(self._built):2}/{len(self.extensions)}] Compiled {ext.name}", flush=True)

    def _remove_leftovers(self) -> None:
        """Delete what was compiled of modules that are not compiled any more: it would be imported."""
        target = self._target()
        built = {extension.name for extension in self.extensions}
        for path in [*target.rglob("*.so"), *target.rglob("*.pyd")]:
            package = path.parent.relative_to(target.parent).parts
            if ".".join((*package, path.name.split(".", 1)[0])) not in built:
                path.unlink()

    def _target(self) -> Path:
        return PACKAGE if self.inplace else Path(self.build_lib) / "nogil_df"

    def _try_compiler(self) -> None:
        """Raise what is in the way of compiling, before minutes of translating are spent."""
        compiler = new_compiler()
        customize_compiler(compiler)
        with TemporaryDirectory() as room:
            probe = Path(room, "probe.c")
            probe.write_text("#include <Python.h>\n", encoding="ascii")
            try:
                compiler.compile([str(probe)], output_dir=room, include_dirs=self.include_dirs)
            except Exception as error:
                raise RuntimeError(
                    "there is no C compiler that works, or Python's headers are missing"
                ) from error

    def _translate(self) -> None:
        from Cython.Build import cythonize

        shared = Extension(SHARED, [f"{SHARED.replace('.', '/')}.c"], extra_compile_args=arguments("-O2"))
        self.extensions[:] = cythonize(
            [*self.extensions, shared],
            nthreads=min(self.parallel, len(self.extensions)),
            shared_utility_qualified_name=SHARED,
            build_dir="build/cython",
            compiler_directives=DIRECTIVES,
            show_all_warnings=False,
        )
        # The longest first, so that no processor waits for the last one.
        self.extensions.sort(key=lambda extension: -Path(extension.sources[0]).stat().st_size)
        self.swig_opts = []
        for extension in self.extensions:
            extension._needs_stub = False
            extension._full_name = self.get_ext_fullname(extension.name)
            extension._links_to_dynamic = False


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildCompiled})
