"""Compiles the hot modules into a wheel, when asked: docs/decisions/0012-compiled-when-asked.md.

    HATCH_BUILD_HOOK_ENABLE_CUSTOM=true pip install .

Only a wheel gets them, beside the Python they were made from. A tree that is being worked in never
does: what was compiled there would go on being imported after the source has changed.
"""

import re
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SLOTS: Final = """
#if CYTHON_COMPILING_IN_CPYTHON && CYTHON_USE_TYPE_SLOTS && !defined(Py_GIL_DISABLED)
#include <structmember.h>

typedef struct {
    uint64_t version;  /* of the object's type, or of its module's names; 0 for none */
    Py_ssize_t offset; /* of the slot in the object */
    PyObject *value;   /* the module's, borrowed: it stays while the names are those of then */
} Slots_Place;

static PyObject *slots_find(PyObject *object, PyObject *name, Slots_Place *place) {
    PyTypeObject *type = Py_TYPE(object);
    if (type->tp_getattro == PyObject_GenericGetAttr) {
        PyObject *found = _PyType_Lookup(type, name);
        if (found != NULL && Py_TYPE(found) == &PyMemberDescr_Type) {
            PyMemberDef *member = ((PyMemberDescrObject *)found)->d_member;
            if (member->type == T_OBJECT_EX && !member->flags && type->tp_version_tag
                && PyType_HasFeature(type, Py_TPFLAGS_VALID_VERSION_TAG)) {
                place->version = type->tp_version_tag;
                place->offset = member->offset;
                place->value = NULL;
            }
        }
    }
#if PY_VERSION_HEX < 0x030C0000
    else if (PyModule_CheckExact(object)) {
        PyObject *names = PyModule_GetDict(object);
        if (place->value != NULL && place->version == ((PyDictObject *)names)->ma_version_tag) {
            Py_INCREF(place->value);
            return place->value;
        }
        PyObject *value = __Pyx_PyObject_GetAttrStr(object, name);
        if (value != NULL && PyDict_GetItemWithError(names, name) == value) {
            place->version = ((PyDictObject *)names)->ma_version_tag;
            place->value = value;
        }
        return value;
    }
#endif
    return __Pyx_PyObject_GetAttrStr(object, name);
}

static CYTHON_INLINE PyObject *slots_load(PyObject *object, PyObject *name, Slots_Place *place) {
    if (likely(place->version == Py_TYPE(object)->tp_version_tag && place->version
               && place->value == NULL)) {
        PyObject *value = *(PyObject **)((char *)object + place->offset);
        if (likely(value != NULL)) {
            Py_INCREF(value);
            return value;
        }
    }
    return slots_find(object, name, place);
}
#define SLOTS_GETATTR(object, name) \\
    __extension__({ static Slots_Place place; slots_load((object), (name), &place); })
#else
#define SLOTS_GETATTR(object, name) __Pyx_PyObject_GetAttrStr(object, name)
#endif
"""
"""What CPython's interpreter does to load an attribute, and Cython does not: each place in the code
remembers where it found its attribute last (there LOAD_ATTR_SLOT and LOAD_ATTR_MODULE). A type's
version is never another's, and changes with the type, so what is remembered cannot be wrong. A
quarter of what compiled code does is to look for the fields of structs."""

_PLACE: Final = re.compile(
    r"= __Pyx_PyObject_GetAttrStr\((?=[\w>-]+, __pyx_mstate_global->__pyx_n_u_\w+\);)"
)
_BEHIND: Final = "#define __Pyx_PyObject_GetAttrStr(o,n) PyObject_GetAttr(o,n)\n#endif\n"


def with_slots(written: str) -> str:
    """A module in C, as Cython wrote it, that remembers where attributes are.

    Raises:
        ValueError: Cython writes them in another way than known here.
    """
    head, found, body = written.partition(_BEHIND)
    if not found and _PLACE.search(written):
        message = f"expected C as Cython 3.1 to 3.3 writes it; found no {_BEHIND!r}"
        raise ValueError(message)
    return head + found + SLOTS + _PLACE.sub("= SLOTS_GETATTR(", body) if found else written


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
                    extra_compile_args=["-O2", "-g0"],
                )
                for path in paths
            ],
            build_dir=folder,
            compiler_directives={"language_level": 3, "annotation_typing": False},
            quiet=True,
        )
        for extension in extensions:
            (written,) = map(Path, extension.sources)
            written.write_text(with_slots(written.read_text()))
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
