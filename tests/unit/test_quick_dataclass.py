"""The quick dataclasses behave like those of the standard library, which the tests use too."""

import copy
import dataclasses
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from runbook.core.run_files import InputLimits
from runbook.quick_dataclass import dataclass as quick


def declare(decorate):
    @decorate(frozen=True, slots=True)
    class Sample:
        number: int
        text: str = "t"
        items: dict[str, int] = dataclasses.field(default_factory=dict, hash=False)
        moment: float | None = dataclasses.field(default=None, compare=False)
        hidden: int = dataclasses.field(default=0, repr=False)

        def __str__(self) -> str:
            return self.text

    @decorate(frozen=True, slots=True)
    class Empty:
        pass

    return Sample, Empty


@pytest.fixture(params=[dataclasses.dataclass, quick], ids=["standard", "quick"])
def kinds(request):
    return declare(request.param)


def test_an_object_takes_its_arguments_and_defaults(kinds):
    sample, empty = kinds
    one, other = sample(1, "x", hidden=4), sample(number=2)
    assert (one.number, one.text, one.items, one.moment, one.hidden) == (1, "x", {}, None, 4)
    assert other.items is not one.items
    assert sample(1, items=one.items).items is one.items
    assert str(one) == "x"
    assert empty() == empty()
    assert hash(empty()) == hash(())


@pytest.mark.parametrize(
    ("given", "named"), [((), {}), ((1, "t", {}, None, 0, 9), {}), ((1,), {"other": 2})]
)
def test_wrong_arguments_are_refused_each_time(kinds, given, named):
    for _ in range(2):
        with pytest.raises(TypeError, match="__init__"):
            kinds[0](*given, **named)


def test_equality_and_hash_are_those_of_the_fields(kinds):
    sample, _ = kinds
    assert sample(1, moment=1.0) == sample(1, moment=2.0)
    assert sample(1) != sample(1, items={"a": 1})
    assert sample(1).__eq__((1, "t", {}, None, 0)) is NotImplemented
    assert hash(sample(1)) == hash(sample(1, items={"a": 1})) == hash((1, "t", 0))


def test_it_shows_its_fields(kinds):
    name = kinds[0].__qualname__
    assert repr(kinds[0](1)) == f"{name}(number=1, text='t', items={{}}, moment=None)"


def test_it_can_be_neither_changed_nor_extended(kinds):
    one = kinds[0](1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="number"):
        one.number = 2
    with pytest.raises(dataclasses.FrozenInstanceError, match="number"):
        del one.number
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
        one.new = 1
    assert not hasattr(one, "__dict__")


def test_the_functions_of_the_standard_library_know_it(kinds):
    sample, _ = kinds
    one = sample(1, moment=2.0)
    assert dataclasses.replace(one, text="new") == sample(1, "new")
    assert dataclasses.asdict(one) == {
        "number": 1,
        "text": "t",
        "items": {},
        "moment": 2.0,
        "hidden": 0,
    }
    match one:
        case sample(number, text):
            assert (number, text) == (1, "t")
    assert copy.deepcopy(one) == copy.copy(one) == one


def test_it_can_be_pickled():
    assert pickle.loads(pickle.dumps(InputLimits(1, 2))) == InputLimits(1, 2)


def test_the_first_objects_may_be_made_by_many_threads():
    sample, _ = declare(quick)
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(sample, [1] * 64))
    assert set(made) == {sample(1)}


def test_other_options_are_left_to_the_standard_library():
    @quick(slots=True, order=True)
    class Changing:
        number: int

    one = Changing(1)
    one.number = 2
    assert one > Changing(1)


def with_own_method():
    class Own:
        def __repr__(self) -> str:
            return "own"

    return Own


def with_post_init():
    class Late:
        number: int = 0

        def __post_init__(self) -> None:
            pass

    return Late


def with_base():
    class Heir(declare(quick)[1]):
        number: int = 0

    return Heir


def with_init_var():
    class Variable:
        number: dataclasses.InitVar[int] = 0

    return Variable


def with_keywords():
    class Keywords:
        _: dataclasses.KW_ONLY
        number: int = 0

    return Keywords


def without_init():
    class Unset:
        number: int = dataclasses.field(default=0, init=False)

    return Unset


@pytest.mark.parametrize(
    "make",
    [with_own_method, with_post_init, with_base, with_init_var, with_keywords, without_init],
)
def test_what_is_not_supported_is_refused(make):
    with pytest.raises(TypeError, match="use dataclasses"):
        quick(frozen=True, slots=True)(make())
