"""Instructions by function written in Python, with all that it calls: what callgrind cannot tell.

Callgrind knows the interpreter's functions, not ours. So each of ours is called by a function in C
of its own, of which callgrind says how often it was called and what that took. Such a call takes
about 250 instructions more.
"""

import inspect
import json
import re
import subprocess
import sys
import sysconfig
from collections import Counter
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import FunctionType
from typing import Any, Final

from pipeline import topology

REGIONS_MAX: Final = 2_000
PACKAGES: Final = ("pipeline.", "listeners.", "schemas.")

_HEAD: Final = """
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
typedef struct { PyObject_HEAD PyObject *function; vectorcallfunc call; } Region;
"""
_REGION: Final = """
__attribute__((noinline)) PyObject *region_%d(
    PyObject *self, PyObject *const *given, size_t count, PyObject *names) {
  PyObject *made = PyObject_Vectorcall(((Region *)self)->function, given, count, names);
  __asm__ volatile("");  /* no jump instead of a call */
  return made;
}
"""
_TAIL: Final = """
static PyObject *bind(PyObject *self, PyObject *to, PyObject *type) {
  return to && to != Py_None ? PyMethod_New(self, to) : Py_NewRef(self);
}
static PyObject *attribute(PyObject *self, PyObject *name) {
  return PyObject_GetAttr(((Region *)self)->function, name);
}
static PyTypeObject Type = {
  PyVarObject_HEAD_INIT(NULL, 0) .tp_name = "regions.Region", .tp_basicsize = sizeof(Region),
  .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
  .tp_vectorcall_offset = offsetof(Region, call), .tp_call = PyVectorcall_Call,
  .tp_descr_get = bind, .tp_getattro = attribute };
static PyObject *wrap(PyObject *module, PyObject *given) {
  int number; PyObject *function;
  if (!PyArg_ParseTuple(given, "iO", &number, &function)) return NULL;
  Region *made = PyObject_New(Region, &Type);
  made->function = Py_NewRef(function); made->call = all[number];
  return (PyObject *)made;
}
static PyMethodDef methods[] = {{"wrap", wrap, METH_VARARGS, ""}, {0}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "regions", 0, -1, methods};
PyMODINIT_FUNC PyInit_regions(void) {
  return PyType_Ready(&Type) < 0 ? NULL : PyModule_Create(&definition);
}
"""


def build(folder: Path) -> None:
    """Compile the functions in C into `folder`, for `wrap_all`."""
    numbers = range(REGIONS_MAX)
    every = ",".join(f"region_{number}" for number in numbers)
    regions = "".join(_REGION % number for number in numbers)
    source = f"{_HEAD}{regions}static vectorcallfunc all[] = {{{every}}};{_TAIL}"
    (path := folder / "regions.c").write_text(source)
    include = sysconfig.get_paths()["include"]
    target = folder / "regions.so"
    subprocess.run(
        ["cc", "-O1", "-shared", "-fPIC", f"-I{include}", path, "-o", target], check=True
    )


def wrap_all(folder: Path) -> None:
    """Have each function of ours that is imported by now called through one in C; note which."""
    spec = spec_from_file_location("regions", folder / "regions.so")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(regions := module_from_spec(spec))
    made: dict[Callable[..., Any], Any] = {}

    def wrapped(value: Any) -> Any:
        if not isinstance(value, FunctionType) or inspect.isgeneratorfunction(value):
            return value
        if not f"{value.__module__}.".startswith(PACKAGES) or value.__name__.startswith("__"):
            return value
        if value not in made:
            made[value] = regions.wrap(len(made), value)
        return made[value]

    for module in [one for name, one in sys.modules.items() if f"{name}.".startswith(PACKAGES)]:
        for name, value in list(vars(module).items()):
            if isinstance(value, type) and value.__module__ == module.__name__:
                for inner, method in list(vars(value).items()):
                    if wrapped(method) is not method:
                        setattr(value, inner, wrapped(method))
            elif wrapped(value) is not value:
                setattr(module, name, wrapped(value))
    stages = tuple(topology.Stage(*map(wrapped, stage)) for stage in topology.STAGES)
    for module in list(sys.modules.values()):
        if getattr(module, "STAGES", None) is topology.STAGES and module is not topology:
            module.STAGES = stages  # type: ignore[attr-defined]
    names = [f"{one.__module__}.{one.__qualname__}" for one in made]
    (folder / "names.json").write_text(json.dumps(names))


def told(folder: Path, counts: Path) -> list[tuple[str, int, int]]:
    """Of what callgrind wrote: each function, how often it was called, and all its instructions."""
    names = json.loads((folder / "names.json").read_text())
    called: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    region, calls = None, 0
    with counts.open() as lines:
        for line in lines:
            if line.startswith("cfn="):
                region = re.match(r"cfn=region_(\d+)(?!.*'2)", line)
            elif line.startswith("calls="):
                calls = int(line[6:].split()[0])
            elif calls:
                if region is not None:
                    called[names[int(region[1])]] += calls
                    taken[names[int(region[1])]] += int(line.split()[-1])
                calls = 0
    return [(name, called[name], total) for name, total in taken.most_common()]
