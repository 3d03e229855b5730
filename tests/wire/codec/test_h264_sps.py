from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.codec.errors import SpsMalformed
from camgate.wire.codec.h264_sps import HIGH_PROFILES, parse_sps_untrusted
from tests.fakes.bits import BitWriter, escape
from tests.fakes.h264 import OTHER_SPS, PPS, SPS

HIGH_720P = "6764001facd9405005ba10000003001000000303c0f1831960"
HIGH_444 = "67f4000c919b282810fc7c20000003002000000303c1e28532c0"
INTERLACED_576 = "6764001eacd940b024d08000000300800000190f8a14cb"


@pytest.mark.parametrize(
    ("sps", "profile", "level", "size", "fps", "max_reorder"),
    [
        (SPS.hex(), 66, 30, (640, 360), 25, 0),
        (OTHER_SPS.hex(), 77, 40, (1920, 1080), 25, 0),
        (HIGH_720P, 100, 31, (1280, 720), 30, 2),
        (HIGH_444, 244, 12, (320, 242), 15, 2),
        (INTERLACED_576, 100, 30, (704, 576), 25, 2),
    ],
    ids=["baseline", "main", "high", "4:4:4", "interlaced"],
)
def test_what_libx264_writes(
    sps: str, profile: int, level: int, size: tuple[int, int], fps: float, max_reorder: int
) -> None:
    info = parse_sps_untrusted(bytes.fromhex(sps))
    assert (info.profile_idc, info.level_idc) == (profile, level)
    assert (info.width, info.height) == size
    assert (info.fps, info.max_reorder) == (fps, max_reorder)


@dataclass
class Sps:
    """The fields of an SPS that change how it is read."""

    profile: int
    sps_id: int
    chroma: int
    separate_planes: bool
    scaling_lists: list[list[int]]
    order_type: int
    order_cycle: list[int]
    width_mbs: int
    height_units: int
    frame_only: bool
    crop: tuple[int, int, int, int]
    vui: bool
    hrd: bool
    timing: tuple[int, int] | None
    reorder: int | None

    def nal(self) -> bytes:
        w = BitWriter().u(8, self.profile).u(8, 0).u(8, 40).ue(self.sps_id)
        if self.profile in HIGH_PROFILES:
            self._write_chroma(w)
        w.ue(0, self.order_type)
        if self.order_type == 0:
            w.ue(4)
        elif self.order_type == 1:
            w.flag(False).se(-1, 2).ue(len(self.order_cycle)).se(*self.order_cycle)
        w.ue(4).flag(False).ue(self.width_mbs - 1, self.height_units - 1).flag(self.frame_only)
        if not self.frame_only:
            w.flag(False)
        w.flag(True).flag(any(self.crop))
        if any(self.crop):
            w.ue(*self.crop)
        w.flag(self.vui)
        if self.vui:
            self._write_vui(w)
        return b"\x67" + escape(w.rbsp())

    def _write_chroma(self, w: BitWriter) -> None:
        w.ue(self.chroma)
        if self.chroma == 3:
            w.flag(self.separate_planes)
        w.ue(0, 0).flag(False).flag(bool(self.scaling_lists))
        if self.scaling_lists:
            for index in range(12 if self.chroma == 3 else 8):
                deltas = self.scaling_lists[index % len(self.scaling_lists)]
                w.flag(bool(deltas))
                if deltas:
                    self._write_scaling_list(w, deltas, 16 if index < 6 else 64)

    def _write_scaling_list(self, w: BitWriter, deltas: list[int], size: int) -> None:
        last = 8
        for index in range(size):
            delta = deltas[index % len(deltas)]
            w.se(delta)
            last = (last + delta) % 256
            if last == 0:
                return

    def _write_vui(self, w: BitWriter) -> None:
        w.flag(True).u(8, 255).u(16, 1).u(16, 1).flag(True).flag(False)
        w.flag(True).u(4, 5).flag(self.hrd)
        if self.hrd:
            w.u(24, 0x010101)
        w.flag(True).ue(0, 0)
        w.flag(self.timing is not None)
        if self.timing:
            w.u(32, self.timing[0]).u(32, self.timing[1]).flag(True)
        w.flag(self.hrd)
        if self.hrd:
            w.ue(1).u(8, 0).ue(1000, 1000).flag(False).ue(5, 5).flag(True).u(20, 0xABCDE)
        w.flag(False)
        if self.hrd:
            w.flag(False)
        w.flag(True).flag(self.reorder is not None)
        if self.reorder is not None:
            w.flag(True).ue(0, 0, 11, 11, self.reorder, 4)

    def size(self) -> tuple[int, int]:
        chroma = self.chroma if self.profile in HIGH_PROFILES else 1
        if chroma == 3 and self.separate_planes:
            chroma = 0
        fields = 1 if self.frame_only else 2
        unit_x = {0: 1, 1: 2, 2: 2, 3: 1}[chroma]
        unit_y = {0: 1, 1: 2, 2: 1, 3: 1}[chroma] * fields
        left, right, top, bottom = self.crop
        width = 16 * self.width_mbs - unit_x * (left + right)
        return width, 16 * fields * self.height_units - unit_y * (top + bottom)


crops = st.tuples(*[st.integers(0, 3)] * 4)
sps_fields = st.builds(
    Sps,
    profile=st.sampled_from([66, 77, 88, 100, 110, 122, 244, 44]),
    sps_id=st.integers(0, 31),
    chroma=st.integers(0, 3),
    separate_planes=st.booleans(),
    scaling_lists=st.lists(st.lists(st.integers(-128, 127), max_size=16), max_size=12),
    order_type=st.integers(0, 2),
    order_cycle=st.lists(st.integers(-100, 100), max_size=20),
    width_mbs=st.integers(2, 1024),
    height_units=st.integers(2, 512),
    frame_only=st.booleans(),
    crop=crops,
    vui=st.booleans(),
    hrd=st.booleans(),
    timing=st.none() | st.tuples(st.integers(1, 1000), st.integers(1, 2000)),
    reorder=st.none() | st.integers(0, 16),
)


@given(sps_fields)
def test_any_sps(fields: Sps) -> None:
    info = parse_sps_untrusted(fields.nal())
    assert (info.sps_id, info.profile_idc) == (fields.sps_id, fields.profile)
    assert (info.width, info.height) == fields.size()
    fps = fields.timing[1] / (2 * fields.timing[0]) if fields.vui and fields.timing else None
    assert info.fps == (fps if fps is None or fps <= 300 else None)
    reorder = fields.reorder if fields.vui else None
    if reorder is None and (fields.order_type == 2 or fields.profile == 66):
        reorder = 0
    assert info.max_reorder == reorder


def test_bytes_behind_the_sps_are_ignored() -> None:
    # Reolink.
    assert parse_sps_untrusted(SPS + b"\x12\x34\x00\x00\x07") == parse_sps_untrusted(SPS)


def test_a_cut_vui_costs_only_what_it_tells() -> None:
    info = parse_sps_untrusted(bytes.fromhex(HIGH_720P)[:14])
    assert (info.width, info.height, info.fps, info.max_reorder) == (1280, 720, None, None)


@pytest.mark.parametrize(
    ("nal", "defect"),
    [
        (b"", "no SPS"),
        (PPS, "no SPS"),
        (SPS[:6], "ends too early"),
        (b"\x67\x42\xc0\x1e" + BitWriter().ue(32).rbsp(), "seq_parameter_set_id"),
        (b"\x67\x64\x00\x1e" + BitWriter().ue(0, 4).rbsp(), "chroma_format_idc"),
        (b"\x67\x42\x00\x1e" + BitWriter().ue(0, 0, 3).rbsp(), "pic_order_cnt_type"),
        (b"\x67\x42\x00\x1e" + BitWriter().ue(0, 0, 2, 1).flag(False).ue(2000, 10).u(4, 0b1100).rbsp(), "pixels"),
        (b"\x67\x42\x00\x1e" + bytes(40), "too long"),
    ],
)
def test_malformed(nal: bytes, defect: str) -> None:
    with pytest.raises(SpsMalformed, match=defect):
        parse_sps_untrusted(nal)
