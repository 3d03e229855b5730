"""The H.264 sequence parameter set, as far as camgate wants to know it (ITU-T H.264 7.3.2.1.1 and E.1.1)."""

from dataclasses import dataclass

from camgate.wire.codec.bits import BitReader
from camgate.wire.codec.errors import BitstreamMalformed, SpsMalformed
from camgate.wire.codec.h264_nal import NAL_SPS, NAL_TYPE_MASK, unescape

MAX_SPS_BYTES = 4096
"""Twelve scaling lists of the longest codes take less; what follows in a longer one is not looked at."""

MAX_SIDE_PIXELS = 16_384
"""Level 6.2 ends at 16,880 (A.3.1: sqrt(8 * MaxFS) macroblocks); anything beyond is a misread SPS."""

MAX_FPS = 300.0
"""Above what level 6.2 allows (A.3.1); VUI of cheap encoders claims far more."""

HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
"""Profiles whose SPS tells the chroma format and may hold scaling lists (7.3.2.1.1)."""

PROFILE_BASELINE = 66
EXTENDED_SAR = 255  # Table E-1
CHROMA_444 = 3  # Table 6-1
CHROMA_420 = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SpsInfo:
    """What an SPS says about its pictures.

    constraint_flags: the byte between profile_idc and level_idc.
    width, height: pixels shown, after cropping.
    fps: from the VUI's timing; None where there is none that can be believed.
    max_reorder: how many pictures may come before one that is shown earlier, 0 = no B-frames; None when unsaid.
    """

    sps_id: int
    profile_idc: int
    constraint_flags: int
    level_idc: int
    width: int
    height: int
    fps: float | None
    max_reorder: int | None


def parse_sps_untrusted(nal: bytes) -> SpsInfo:
    """Parse an SPS NAL unit, without start code. Bytes behind it are ignored, a damaged VUI costs only what it tells.

    Raises SpsMalformed.
    """
    if len(nal) < 4 or nal[0] & NAL_TYPE_MASK != NAL_SPS:
        raise SpsMalformed("it is no SPS NAL unit")
    try:
        return _parse(BitReader(unescape(nal[1:MAX_SPS_BYTES])))
    except BitstreamMalformed as error:
        raise SpsMalformed(error.defect) from None


def _parse(reader: BitReader) -> SpsInfo:
    profile_idc = reader.bits(8)
    constraint_flags = reader.bits(8)
    level_idc = reader.bits(8)
    sps_id = _at_most(31, reader.ue(), "seq_parameter_set_id")
    chroma = _parse_chroma(reader) if profile_idc in HIGH_PROFILES else CHROMA_420
    reader.ue()  # log2_max_frame_num_minus4
    order_type = _skip_picture_order_count(reader)
    reader.ue()  # max_num_ref_frames
    reader.flag()  # gaps_in_frame_num_value_allowed_flag
    width, height = _parse_size(reader, chroma)
    fps, max_reorder = _parse_vui_softly(reader)
    # 8.2.1: with type 2 the output order is the decoding order. A.2.1: Baseline has no B slices.
    if max_reorder is None and (order_type == 2 or profile_idc == PROFILE_BASELINE):
        max_reorder = 0
    return SpsInfo(
        sps_id=sps_id,
        profile_idc=profile_idc,
        constraint_flags=constraint_flags,
        level_idc=level_idc,
        width=width,
        height=height,
        fps=fps,
        max_reorder=max_reorder,
    )


def _at_most(limit: int, value: int, name: str) -> int:
    if value > limit:
        raise SpsMalformed(f"{name} is {value}, above {limit}")
    return value


def _parse_chroma(reader: BitReader) -> int:
    """Return ChromaArrayType (7.4.2.1.1) and read up to the end of the scaling lists."""
    chroma = _at_most(CHROMA_444, reader.ue(), "chroma_format_idc")
    lists = 12 if chroma == CHROMA_444 else 8
    if chroma == CHROMA_444 and reader.flag():  # separate_colour_plane_flag
        chroma = 0
    reader.ue()  # bit_depth_luma_minus8
    reader.ue()  # bit_depth_chroma_minus8
    reader.flag()  # qpprime_y_zero_transform_bypass_flag
    if reader.flag():  # seq_scaling_matrix_present_flag
        for index in range(lists):
            if reader.flag():
                _skip_scaling_list(reader, 16 if index < 6 else 64)
    return chroma


def _skip_scaling_list(reader: BitReader, size: int) -> None:
    # 7.3.2.1.1.1: once the next scale is 0, the rest of the list repeats the last one and is not coded.
    last = 8
    for _ in range(size):
        last = last + reader.se() & 0xFF
        if last == 0:
            return


def _skip_picture_order_count(reader: BitReader) -> int:
    order_type = _at_most(2, reader.ue(), "pic_order_cnt_type")
    if order_type == 0:
        reader.ue()  # log2_max_pic_order_cnt_lsb_minus4
    elif order_type == 1:
        reader.flag()  # delta_pic_order_always_zero_flag
        reader.se()  # offset_for_non_ref_pic
        reader.se()  # offset_for_top_to_bottom_field
        for _ in range(_at_most(255, reader.ue(), "num_ref_frames_in_pic_order_cnt_cycle")):
            reader.se()  # offset_for_ref_frame
    return order_type


def _parse_size(reader: BitReader, chroma: int) -> tuple[int, int]:
    width = 16 * (reader.ue() + 1)
    map_units = reader.ue() + 1
    fields = 1 if reader.flag() else 2  # 2 - frame_mbs_only_flag
    if fields == 2:
        reader.flag()  # mb_adaptive_frame_field_flag
    height = 16 * map_units * fields
    reader.flag()  # direct_8x8_inference_flag
    if reader.flag():  # frame_cropping_flag
        # 7.4.2.1.1: offsets count in units of a chroma sample (Table 6-1: SubWidthC, SubHeightC).
        unit_x = 2 if chroma in (1, 2) else 1
        unit_y = (2 if chroma == CHROMA_420 else 1) * fields
        width -= unit_x * (reader.ue() + reader.ue())
        height -= unit_y * (reader.ue() + reader.ue())
    if not (0 < width <= MAX_SIDE_PIXELS and 0 < height <= MAX_SIDE_PIXELS):
        raise SpsMalformed(f"a picture of {width} x {height} pixels")
    return width, height


def _parse_vui_softly(reader: BitReader) -> tuple[float | None, int | None]:
    """Return (fps, max_num_reorder_frames), either None when unsaid; what stands before the damage counts."""
    fps = max_reorder = None
    try:
        if reader.flag():  # vui_parameters_present_flag
            _skip_vui_picture(reader)
            fps = _parse_timing(reader)
            max_reorder = _parse_bitstream_restriction(reader)
    except BitstreamMalformed:
        pass
    return fps, max_reorder


def _skip_vui_picture(reader: BitReader) -> None:
    if reader.flag() and reader.bits(8) == EXTENDED_SAR:  # aspect_ratio_info_present_flag, aspect_ratio_idc
        reader.bits(32)  # sar_width, sar_height
    if reader.flag():  # overscan_info_present_flag
        reader.flag()
    if reader.flag():  # video_signal_type_present_flag
        reader.bits(4)  # video_format, video_full_range_flag
        if reader.flag():  # colour_description_present_flag
            reader.bits(24)
    if reader.flag():  # chroma_loc_info_present_flag
        reader.ue()
        reader.ue()


def _parse_timing(reader: BitReader) -> float | None:
    if not reader.flag():  # timing_info_present_flag
        return None
    units_in_tick = reader.bits(32)
    time_scale = reader.bits(32)
    reader.flag()  # fixed_frame_rate_flag
    # E.2.1: a tick is the time of a field, two make a frame.
    fps = time_scale / (2 * units_in_tick) if units_in_tick else 0.0
    return fps if 0 < fps <= MAX_FPS else None


def _parse_bitstream_restriction(reader: BitReader) -> int | None:
    nal_hrd = _skip_hrd(reader)
    vcl_hrd = _skip_hrd(reader)
    if nal_hrd or vcl_hrd:
        reader.flag()  # low_delay_hrd_flag
    reader.flag()  # pic_struct_present_flag
    if not reader.flag():  # bitstream_restriction_flag
        return None
    reader.flag()  # motion_vectors_over_pic_boundaries_flag
    for _ in range(4):  # max_bytes_per_pic_denom .. log2_max_mv_length_vertical
        reader.ue()
    return reader.ue()


def _skip_hrd(reader: BitReader) -> bool:
    if not reader.flag():  # nal_hrd_parameters_present_flag, vcl_hrd_parameters_present_flag
        return False
    count = _at_most(31, reader.ue(), "cpb_cnt_minus1") + 1
    reader.bits(8)  # bit_rate_scale, cpb_size_scale
    for _ in range(count):
        reader.ue()  # bit_rate_value_minus1
        reader.ue()  # cpb_size_value_minus1
        reader.flag()  # cbr_flag
    reader.bits(20)  # four lengths of 5 bits each
    return True
