"""What is done to the C that Cython writes. That it works, `make test-compiled` shows."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]

DEFINED = "#define __Pyx_PyObject_GetAttrStr(o,n) PyObject_GetAttr(o,n)\n#endif\n"
LOADED = "t = __Pyx_PyObject_GetAttrStr(v_one, __pyx_mstate_global->__pyx_n_u_at); if (!t)\n"
NAMED_BY_A_VARIABLE = "value = __Pyx_PyObject_GetAttrStr(module, name);\n"


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_place_that_always_asks_for_one_attribute_remembers_it_and_no_other_does(build):
    made = build.with_slots(DEFINED + LOADED + NAMED_BY_A_VARIABLE)

    remembering = LOADED.replace("__Pyx_PyObject_GetAttrStr", "SLOTS_GETATTR")
    assert made == DEFINED + build.SLOTS + remembering + NAMED_BY_A_VARIABLE


def test_a_module_that_loads_no_attribute_stays_as_it_is(build):
    assert build.with_slots(NAMED_BY_A_VARIABLE) == NAMED_BY_A_VARIABLE


def test_c_that_is_written_in_another_way_is_refused(build):
    with pytest.raises(ValueError, match=r"expected C as Cython 3\.1 to 3\.3 writes it"):
        build.with_slots(LOADED)
