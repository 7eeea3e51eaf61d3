"""Inputs of type device and devices, and the problems if their devices can't be used."""

import pytest

from runbook.core.document import Input, InputType
from runbook.core.inputs import devices
from runbook.core.inventory.selector import MOST_SELECTED, read_selector

ROUTER = Input("ROUTER", "", 3, type=InputType.DEVICE, kind="routeros")
FLEET = Input("FLEET", "", 4, type=InputType.DEVICES)
INPUTS = (Input("NAME", "", 1), ROUTER, FLEET)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"ROUTER": "a", "FLEET": '["b", "c"]'}, {"ROUTER": ("a",), "FLEET": ("b", "c")}),
        ({"ROUTER": "", "NAME": "x"}, {}),
    ],
)
def test_the_devices_of_values(values, found):
    assert devices.devices_of(INPUTS, values) == found


@pytest.mark.parametrize(
    ("problem", "code", "params"),
    [
        (devices.not_found(ROUTER, "x" * 90), "device_not_found", {"device": "x" * 80}),
        (devices.not_allowed(ROUTER, "a", ["roles"]), "device_not_allowed", {"device": "a"}),
        (devices.unfitting(ROUTER, "a", "has another tag"), "wrong_device", {"device": "a"}),
        (
            devices.without_connection(ROUTER, "a"),
            "device_without_connection",
            {"device": "a", "kind": "routeros"},
        ),
        (
            devices.none_selected(FLEET, read_selector("all, a, tag:core, site:fra")),
            "no_devices",
            {"selection": "all, a, tag:core, site:fra"},
        ),
        (devices.too_many(FLEET), "too_many_devices", {"limit": MOST_SELECTED}),
    ],
)
def test_a_problem_names_the_input_and_what_is_wrong(problem, code, params):
    item = FLEET if code in ("no_devices", "too_many_devices") else ROUTER
    assert (problem.code, problem.params) == (code, {"variable": item.name, **params})
