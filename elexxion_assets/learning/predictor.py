"""Answers from a LightGBM text model, for serving: the model is read once, one row is answered in microseconds.

LightGBM's C API is called directly (it is the documented and stable one). Its Python package takes two seconds to
import and, for every row, sets up again what `Predictor` sets up once.

Source: https://lightgbm.readthedocs.io/en/latest/C-API.html
"""

from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_FLOAT64 = 1
_SCORE, _CONTRIBUTIONS = 0, 3
_NAME_BYTES = 1024

MISSING = float("nan")

_Seat = tuple[Callable[..., None], tuple[Any, ...], ctypes.c_double]


class FeaturesRefused(ValueError):
    """A row that does not hold exactly the model's features as numbers, said in words."""


class ModelRefused(ValueError):
    """A text that is no LightGBM model."""


class Predictor:
    """A model, read once, that answers rows; safe to share between threads.

    Args:
        text: LightGBM's text of a model with one output.

    Raises:
        ModelRefused: The text is no such model.

    Attributes:
        features: Names of the features, in the order of the columns of a batch.
    """

    def __init__(self, text: str) -> None:
        if not text.startswith("tree\n"):
            raise ModelRefused("this text is no LightGBM model: it does not begin with « tree »")
        self._library = _library()
        self._handle, self._fast = ctypes.c_void_p(), list[ctypes.c_void_p]()
        trees = ctypes.c_int()
        try:
            self._call("BoosterLoadModelFromString", text.encode(), ctypes.byref(trees), ctypes.byref(self._handle))
        except RuntimeError as error:
            raise ModelRefused(f"LightGBM cannot read this model: {error}") from error
        self.features = self._names()
        if (outputs := self._number("BoosterGetNumClasses")) != 1:
            raise ModelRefused(f"this model has {outputs} outputs; one is served")
        # It works in C, over all features at once.
        self._values = itemgetter(*self.features) if len(self.features) > 1 else lambda row: (row[self.features[0]],)
        self._predict_row = self._library.LGBM_BoosterPredictForMatSingleRowFast
        # Seats are taken and given back without a lock: a list does both in one step.
        self._free = [self._seat()]

    def __del__(self) -> None:
        for fast in self.__dict__.get("_fast", ()):
            self._library.LGBM_FastConfigFree(fast)
        if self.__dict__.get("_handle"):
            self._library.LGBM_BoosterFree(self._handle)

    def one(self, row: Mapping[str, float | None]) -> float:
        """The answer for one row.

        Args:
            row: A number per feature, or None where it is not known; every feature and no other.

        Raises:
            FeaturesRefused: A feature is missing, unknown, or no number.
        """
        try:
            values = self._values(row)
        except KeyError:
            raise FeaturesRefused(self._differences(row)) from None
        if len(row) != len(values):
            raise FeaturesRefused(self._differences(row))
        try:
            seat = self._free.pop()
        except IndexError:  # as many threads are being answered as there are seats
            seat = self._seat()
        fill, arguments, answer = seat
        try:
            try:
                fill(*values)
            except struct.error:
                fill(*_numbers(row, values))
            if self._predict_row(*arguments):
                raise RuntimeError(self._said())
            return answer.value
        finally:
            self._free.append(seat)

    def many(self, rows: Floats, *, threads: int = 0) -> Floats:
        """The answers for a batch.

        Args:
            rows: One row per line, one column per feature in the order of `features`; NaN where it is not known.
            threads: Threads to use; all cores for 0.

        Returns:
            One answer per line.

        Raises:
            FeaturesRefused: The number of columns is not the number of features.
        """
        return self._batch(rows, _SCORE, 1, threads)[:, 0]

    def contributions(self, rows: Floats, *, threads: int = 0) -> Floats:
        """What each feature adds to the answer (SHAP values), and in the last column the answer of an average row.

        Args:
            rows: As for `many`.
            threads: Threads to use; all cores for 0.

        Returns:
            One line per row whose sum is the raw score; one column per feature and one more.
        """
        return self._batch(rows, _CONTRIBUTIONS, len(self.features) + 1, threads)

    def table(self, rows: list[Mapping[str, float | None]]) -> Floats:
        """Rows by name as a batch.

        Raises:
            FeaturesRefused: A row lacks a feature, has an unknown one, or one that is no number; its place is said.
        """
        import numpy as np

        made = np.empty((len(rows), len(self.features)))
        known = set(self.features)
        for place, row in enumerate(rows):
            if row.keys() != known:
                raise FeaturesRefused(f"row {place}: {self._differences(row)}")
            try:
                made[place] = _numbers(row, self._values(row))
            except FeaturesRefused as refused:
                raise FeaturesRefused(f"row {place}: {refused}") from None
        return made

    def _batch(self, rows: Floats, what: int, width: int, threads: int) -> Floats:
        import numpy as np

        if rows.ndim != 2 or rows.shape[1] != len(self.features):
            raise FeaturesRefused(
                f"a batch has one column for each of the {len(self.features)} features; this one is {rows.shape}"
            )
        rows = np.ascontiguousarray(rows, dtype=np.float64)
        answers = np.empty((len(rows), width))
        if not len(rows):
            return answers
        self._call(
            "BoosterPredictForMat",
            self._handle,
            rows.ctypes.data_as(ctypes.c_void_p),
            _FLOAT64,
            ctypes.c_int32(rows.shape[0]),
            ctypes.c_int32(rows.shape[1]),
            1,
            what,
            0,
            -1,
            f"num_threads={threads}".encode(),
            ctypes.byref(ctypes.c_int64()),
            answers.ctypes.data_as(ctypes.c_void_p),
        )
        return answers

    def _seat(self) -> _Seat:
        """What answers one row at a time: the cells of a row, and a call whose addresses are worked out once."""
        width, fast = len(self.features), ctypes.c_void_p()
        # More than one thread costs one row ten times what it takes.
        one = b"num_threads=1"
        self._call(
            "BoosterPredictForMatSingleRowFastInit",
            self._handle,
            _SCORE,
            0,
            -1,
            _FLOAT64,
            ctypes.c_int32(width),
            one,
            ctypes.byref(fast),
        )
        self._fast.append(fast)
        cells, answer = (ctypes.c_double * width)(), ctypes.c_double()
        arguments = fast, ctypes.byref(cells), ctypes.byref(ctypes.c_int64()), ctypes.byref(answer)
        return partial(struct.Struct(f"{width}d").pack_into, cells, 0), arguments, answer

    def _differences(self, row: Mapping[str, Any]) -> str:
        missing = [name for name in self.features if name not in row]
        unknown = [str(name) for name in row if name not in self.features]
        said = [
            f"{words}: {', '.join(names[:8])}{' …' if len(names) > 8 else ''}"
            for words, names in (("missing features", missing), ("unknown features", unknown))
            if names
        ]
        return "; ".join(said)

    def _names(self) -> tuple[str, ...]:
        count = self._number("BoosterGetNumFeature")
        buffers = [ctypes.create_string_buffer(_NAME_BYTES) for _ in range(count)]
        given, longest = ctypes.c_int(), ctypes.c_size_t()
        self._call(
            "BoosterGetFeatureNames",
            self._handle,
            count,
            ctypes.byref(given),
            ctypes.c_size_t(_NAME_BYTES),
            ctypes.byref(longest),
            (ctypes.c_char_p * count)(*(ctypes.cast(buffer, ctypes.c_char_p) for buffer in buffers)),
        )
        return tuple(buffer.value.decode() for buffer in buffers)

    def _number(self, function: str) -> int:
        found = ctypes.c_int()
        self._call(function, self._handle, ctypes.byref(found))
        return found.value

    def _call(self, function: str, *arguments: Any) -> None:
        if getattr(self._library, f"LGBM_{function}")(*arguments):
            raise RuntimeError(self._said())

    def _said(self) -> str:
        return str(self._library.LGBM_GetLastError().decode(errors="replace"))


def _numbers(row: Mapping[str, Any], values: tuple[Any, ...]) -> list[float]:
    """The values with NaN for None; a text is no number, even where it reads like one."""
    try:
        return [MISSING if value is None else value + 0.0 for value in values]
    except TypeError:
        wrong = {name: value for name, value in row.items() if not (value is None or isinstance(value, int | float))}
        said = ", ".join(f"{name} is {str(value)[:40]!r}" for name, value in list(wrong.items())[:8])
        raise FeaturesRefused(f"no numbers: {said}") from None


@cache
def _library() -> ctypes.CDLL:
    """LightGBM's own library, from the installed package, which is not imported."""
    spec = find_spec("lightgbm")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("lightgbm is not installed: install elexxion-assets[learning]")
    name = {"win32": "lib_lightgbm.dll", "darwin": "lib_lightgbm.dylib"}.get(sys.platform, "lib_lightgbm.so")
    folder = Path(spec.origin).parent
    [path] = [path for path in (folder / "lib" / name, folder / "bin" / name) if path.is_file()]
    library = ctypes.CDLL(str(path))
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    return library
