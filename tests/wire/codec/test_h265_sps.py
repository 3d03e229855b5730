from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.codec.errors import SpsMalformed
from camgate.wire.codec.h265_sps import parse_h265_sps_head_untrusted, parse_h265_sps_untrusted
from tests.fakes.bits import BitWriter, escape
from tests.fakes.h265 import B_FRAMES_SPS, MAIN10_SPS, OTHER_SPS, PPS, SPS

HIGH_TIER_444 = "4201010408000003009e0800000300003c9001510080e3e3f2dd25261734040000030004000003006420"


@pytest.mark.parametrize(
    ("sps", "profile", "level", "size", "fps", "max_reorder"),
    [
        (SPS, 1, 63, (640, 360), 25, 0),
        (OTHER_SPS, 1, 120, (1920, 1080), 25, 0),
        (MAIN10_SPS, 2, 63, (640, 360), 25, 0),
        (B_FRAMES_SPS, 1, 63, (640, 360), 30, 2),
        (bytes.fromhex(HIGH_TIER_444), 4, 60, (322, 242), 25, 0),
    ],
    ids=["main", "1080p", "main 10", "b-frames, scaling lists", "4:4:4"],
)
def test_what_libx265_writes(
    sps: bytes, profile: int, level: int, size: tuple[int, int], fps: float, max_reorder: int
) -> None:
    info = parse_h265_sps_untrusted(sps)
    assert (info.profile_idc, info.level_idc, info.tier_flag) == (profile, level, 0)
    assert (info.width, info.height) == size
    assert (info.fps, info.max_reorder) == (fps, max_reorder)
    head = parse_h265_sps_head_untrusted(sps)
    assert (head.profile_idc, head.level_idc, head.sps_id, head.vps_id) == (profile, level, 0, 0)


@dataclass
class ReferenceSet:
    """A short-term reference picture set: told whole, or by its difference from the one before."""

    negative: list[int]
    positive: list[int]
    predicted: bool
    step: int
    keep: list[tuple[bool, bool]]

    def write(self, w: BitWriter, index: int, before: list[int]) -> list[int]:
        """Return the distances, as H.265 (7-61) to (7-64) derive them, worked out the other way round."""
        if index:
            w.flag(self.predicted)
        if not (index and self.predicted):
            w.ue(len(self.negative), len(self.positive))
            for deltas in (self.negative, self.positive):
                for delta in deltas:
                    w.ue(delta - 1).flag(True)
            return [-sum(self.negative[: i + 1]) for i in range(len(self.negative))] + [
                sum(self.positive[: i + 1]) for i in range(len(self.positive))
            ]
        w.flag(self.step < 0).ue(abs(self.step) - 1)
        kept = []
        for place, delta in enumerate([*before, 0]):
            used, taken = self.keep[place % len(self.keep)]
            # A picture cannot refer to itself.
            used, taken = used and delta + self.step != 0, taken and delta + self.step != 0
            w.flag(used)
            if not used:
                w.flag(taken)
            if used or taken:
                kept.append(delta + self.step)
        return sorted((d for d in kept if d < 0), reverse=True) + sorted(d for d in kept if d > 0)


@dataclass
class Sps:
    """The fields of an SPS that change how it is read."""

    vps_id: int
    sub_layers: list[tuple[bool, bool]]
    tier: bool
    profile: int
    level: int
    sps_id: int
    chroma: int
    separate_planes: bool
    width: int
    height: int
    window: tuple[int, int, int, int]
    poc_bits: int
    ordering: bool
    reorder: list[int]
    lists: list[int] | None
    pcm: bool
    references: list[ReferenceSet]
    long_term: int
    vui: bool
    timing: tuple[int, int] | None

    def nal(self) -> bytes:
        w = BitWriter().u(4, self.vps_id).u(3, len(self.sub_layers)).flag(True)
        w.u(2, 0).flag(self.tier).u(5, self.profile).u(32, 0x60000000).u(48, 0x900000000000).u(8, self.level)
        self._write_sub_layers(w)
        w.ue(self.sps_id, self.chroma)
        if self.chroma == 3:
            w.flag(self.separate_planes)
        w.ue(self.width, self.height).flag(any(self.window))
        if any(self.window):
            w.ue(*self.window)
        w.ue(0, 0, self.poc_bits - 4).flag(self.ordering)
        for reorder in self._reorders():
            w.ue(4, reorder, 0)
        w.ue(0, 3, 0, 3, 0, 0)
        self._write_tools(w)
        w.ue(len(self.references))
        before: list[int] = []
        for index, references in enumerate(self.references):
            before = references.write(w, index, before)
        w.flag(bool(self.long_term))
        if self.long_term:
            w.ue(self.long_term)
            for _ in range(self.long_term):
                w.u(self.poc_bits, 5).flag(True)
        w.flag(True).flag(False).flag(self.vui)
        if self.vui:
            self._write_vui(w)
        return b"\x42\x01" + escape(w.rbsp())

    def _reorders(self) -> list[int]:
        count = len(self.sub_layers) + 1 if self.ordering else 1
        return [self.reorder[i % len(self.reorder)] for i in range(count)]

    def _write_sub_layers(self, w: BitWriter) -> None:
        if self.sub_layers:
            for has_profile, has_level in self.sub_layers:
                w.flag(has_profile).flag(has_level)
            w.u(2 * (8 - len(self.sub_layers)), 0)
        for has_profile, has_level in self.sub_layers:
            if has_profile:
                w.u(8, 0x41).u(80, 7)
            if has_level:
                w.u(8, 90)

    def _write_tools(self, w: BitWriter) -> None:
        w.flag(self.lists is not None)
        if self.lists is not None:
            w.flag(bool(self.lists))
            if self.lists:
                self._write_lists(w, self.lists)
        w.flag(True).flag(False).flag(self.pcm)
        if self.pcm:
            w.u(4, 7).u(4, 7).ue(0, 1).flag(True)

    def _write_lists(self, w: BitWriter, deltas: list[int]) -> None:
        for size_id in range(4):
            for matrix in range(2 if size_id == 3 else 6):
                coded = (matrix + size_id) % 2 == 0
                w.flag(coded)
                if not coded:
                    w.ue(0)
                    continue
                if size_id > 1:
                    w.se(3)
                w.se(*(deltas[i % len(deltas)] for i in range(16 if size_id == 0 else 64)))

    def _write_vui(self, w: BitWriter) -> None:
        w.flag(self.ordering)
        if self.ordering:
            w.u(8, 255).u(16, 1).u(16, 1)
        w.flag(self.tier)
        if self.tier:
            w.flag(False)
        w.flag(not self.tier)
        if not self.tier:
            w.u(4, 5).flag(self.pcm)
            if self.pcm:
                w.u(24, 0x010101)
        w.flag(not self.ordering)
        if not self.ordering:
            w.ue(0, 0)
        w.u(3, 0).flag(self.separate_planes)
        if self.separate_planes:
            w.ue(0, 1, 2, 3)
        w.flag(self.timing is not None)
        if self.timing:
            w.u(32, self.timing[0]).u(32, self.timing[1])
        w.u(9, 0)

    def size(self) -> tuple[int, int]:
        chroma = 0 if self.chroma == 3 and self.separate_planes else self.chroma
        unit_x = {0: 1, 1: 2, 2: 2, 3: 1}[chroma]
        unit_y = {0: 1, 1: 2, 2: 1, 3: 1}[chroma]
        left, right, top, bottom = self.window
        return self.width - unit_x * (left + right), self.height - unit_y * (top + bottom)


distances = st.lists(st.integers(1, 5), max_size=4)
references = st.builds(
    ReferenceSet,
    negative=distances,
    positive=distances,
    predicted=st.booleans(),
    step=st.integers(-4, 4).filter(bool),
    keep=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=6),
)
sps_fields = st.builds(
    Sps,
    vps_id=st.integers(0, 15),
    sub_layers=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=6),
    tier=st.booleans(),
    profile=st.integers(1, 4),
    level=st.sampled_from([30, 93, 120, 153, 186]),
    sps_id=st.integers(0, 15),
    chroma=st.integers(0, 3),
    separate_planes=st.booleans(),
    width=st.integers(32, 16_000),
    height=st.integers(32, 16_000),
    window=st.tuples(*[st.integers(0, 3)] * 4),
    poc_bits=st.integers(4, 16),
    ordering=st.booleans(),
    reorder=st.lists(st.integers(0, 4), min_size=1, max_size=7),
    lists=st.none() | st.lists(st.integers(-128, 127), max_size=16),
    pcm=st.booleans(),
    references=st.lists(references, max_size=6),
    long_term=st.integers(0, 4),
    vui=st.booleans(),
    timing=st.none() | st.tuples(st.integers(1, 1000), st.integers(1, 2000)),
)


@given(sps_fields)
def test_any_sps(fields: Sps) -> None:
    info = parse_h265_sps_untrusted(fields.nal())
    assert (info.vps_id, info.sps_id) == (fields.vps_id, fields.sps_id)
    assert (info.profile_idc, info.tier_flag, info.level_idc) == (fields.profile, fields.tier, fields.level)
    assert (info.width, info.height) == fields.size()
    assert info.max_reorder == fields._reorders()[-1]
    fps = fields.timing[1] / fields.timing[0] if fields.vui and fields.timing else None
    assert info.fps == (fps if fps is None or fps <= 300 else None)


def test_bytes_behind_the_sps_are_ignored() -> None:
    assert parse_h265_sps_untrusted(SPS + b"\x12\x34\x00\x00\x07") == parse_h265_sps_untrusted(SPS)


@pytest.mark.parametrize("cut", range(27, len(OTHER_SPS) - 1))
def test_a_cut_end_costs_only_the_frame_rate(cut: int) -> None:
    info = parse_h265_sps_untrusted(OTHER_SPS[:cut])
    assert (info.width, info.height, info.fps, info.max_reorder) == (1920, 1080, None, 0)


def test_a_frame_rate_of_no_ticks_is_none() -> None:
    timed = Sps(
        0, [], False, 1, 93, 0, 1, False, 640, 360, (0, 0, 0, 0), 8, True, [0], None, False, [], 0, True, (0, 1)
    )
    assert parse_h265_sps_untrusted(timed.nal()).fps is None


def sps_of(w: BitWriter) -> bytes:
    return b"\x42\x01" + escape(b"\x01\x01" + bytes(10) + b"\x5d" + w.rbsp())


@pytest.mark.parametrize(
    ("nal", "defect"),
    [
        (b"", "no SPS"),
        (b"\x42\x01", "no SPS"),
        (PPS, "no SPS"),
        (SPS[:10], "ends too early"),
        (sps_of(BitWriter().ue(16)), "sps_seq_parameter_set_id"),
        (sps_of(BitWriter().ue(0, 4)), "chroma_format_idc"),
        (sps_of(BitWriter().ue(0, 1, 20_000, 10)), "pixels|early"),
        (sps_of(BitWriter().ue(0, 1, 640, 0).flag(False)), "pixels"),
        (sps_of(BitWriter().ue(0, 1, 640, 360).flag(False).ue(0, 0, 13)), "log2_max_pic_order_cnt_lsb"),
    ],
)
def test_malformed(nal: bytes, defect: str) -> None:
    with pytest.raises(SpsMalformed, match=defect):
        parse_h265_sps_untrusted(nal)


def test_the_head_needs_less() -> None:
    assert parse_h265_sps_head_untrusted(sps_of(BitWriter().ue(3, 4))).sps_id == 3
    with pytest.raises(SpsMalformed, match="too early"):
        parse_h265_sps_head_untrusted(SPS[:9])


def _with_references(*values: int) -> bytes:
    w = BitWriter().ue(0, 1, 640, 360).flag(False).ue(0, 0, 4).flag(True).ue(4, 0, 0).ue(0, 3, 0, 3, 0, 0)
    return sps_of(w.flag(False).u(3, 0).ue(*values))


def test_reference_sets_that_cannot_be_cost_only_the_frame_rate() -> None:
    for sps in (_with_references(65), _with_references(1, 17), _with_references(1, 0, 17)):
        assert parse_h265_sps_untrusted(sps).fps is None


def test_a_reference_set_cannot_grow_without_end() -> None:
    w = BitWriter().ue(0, 1, 640, 360).flag(False).ue(0, 0, 4).flag(True).ue(4, 0, 0).ue(0, 3, 0, 3, 0, 0)
    w.flag(False).u(3, 0).ue(30, 16, 0)
    for _ in range(16):
        w.ue(0).flag(True)
    for grown in range(17, 22):
        w.flag(True).flag(True).ue(0)
        for _ in range(grown):
            w.flag(True)
    w.u(3, 0).flag(True).u(5, 0).flag(True).u(32, 1).u(32, 25)
    assert parse_h265_sps_untrusted(sps_of(w)).fps is None
