"""Compiles the hot modules into a wheel, when asked: docs/decisions/0012-compiled-when-asked.md.

    HATCH_BUILD_HOOK_ENABLE_CUSTOM=true pip install .

Only a wheel gets them, beside the Python they were made from. A tree that is being worked in never
does: what was compiled there would go on being imported after the source has changed.
"""

from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledModules(BuildHookInterface):
    """Cython takes the modules as they are: annotations stay comments, semantics stay Python's."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile what the pyproject's `modules` name, unless the install is an editable one."""
        if version == "editable":
            return
        from Cython.Build import cythonize
        from setuptools import Extension
        from setuptools.dist import Distribution

        root, folder = Path(self.root), mkdtemp(prefix="touchpoints-")
        paths = [
            path.relative_to(root)
            for pattern in self.config["modules"]
            for path in sorted(root.glob(pattern))
            if path.name != "__init__.py"
        ]
        extensions = cythonize(
            [
                Extension(
                    ".".join(path.with_suffix("").parts),
                    [str(path)],
                    extra_compile_args=["-O3", "-g0"],
                )
                for path in paths
            ],
            build_dir=folder,
            compiler_directives={"language_level": 3, "annotation_typing": False},
            quiet=True,
        )
        distribution = Distribution({"name": "touchpoints", "ext_modules": extensions})
        command = distribution.get_command_obj("build_ext")
        command.build_lib, command.build_temp, command.parallel = folder, folder, True
        command.ensure_finalized()
        command.run()
        for extension in extensions:
            built = command.get_ext_filename(extension.name)
            build_data["force_include"][str(Path(folder, built))] = built
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
