"""The H.265 sequence parameter set, as far as camgate wants to know it (ITU-T H.265 7.3.2.2, 7.3.3 and E.2.1)."""

from dataclasses import dataclass

from camgate.wire.codec.bits import BitReader
from camgate.wire.codec.errors import BitstreamMalformed, SpsMalformed
from camgate.wire.codec.h265_nal import NAL_HEADER_BYTES, NAL_SPS, type_of
from camgate.wire.codec.nal import unescape

MAX_SPS_BYTES = 4096
"""All scaling lists and 64 reference picture sets take less; what follows in a longer one is not looked at."""

MAX_SIDE_PIXELS = 16_888
"""Level 6.2 ends there (A.4.1: sqrt(8 * MaxLumaPs)); anything beyond is a misread SPS."""

MAX_FPS = 300.0
"""The highest rate of any level (A.4.2: 300 pictures a second)."""

MAX_SPS_ID = 15  # 7.4.3.2.1

_CHROMA_420 = 1
_CHROMA_444 = 3  # Table 6-1
_EXTENDED_SAR = 255  # Table E.1
_PROFILE_BITS = 88
_LEVEL_BITS = 8
_MAX_REFERENCE_SETS = 64  # 7.4.3.2.1
_MAX_REFERENCES = 16  # sps_max_dec_pic_buffering_minus1 is at most 15 (A.4.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class H265SpsInfo:
    """What an SPS says about its pictures.

    profile_idc, tier_flag, level_idc: the general ones (7.3.3); level_idc is the level times 30.
    width, height: pixels shown, inside of the conformance window.
    fps: from the VUI's timing; None where there is none that can be believed.
    max_reorder: how many pictures may come before one that is shown earlier, 0 = no B-frames.
    """

    vps_id: int
    sps_id: int
    profile_idc: int
    tier_flag: int
    level_idc: int
    width: int
    height: int
    fps: float | None
    max_reorder: int


@dataclass(frozen=True, slots=True)
class SpsHead:
    """The beginning of an SPS, which names it and its profile."""

    vps_id: int
    sps_id: int
    max_sub_layers: int
    profile_idc: int
    tier_flag: int
    level_idc: int


def parse_h265_sps_untrusted(nal: bytes) -> H265SpsInfo:
    """Parse an SPS NAL unit, without start code. Bytes behind it are ignored, a damaged VUI costs only what it tells.

    Raises SpsMalformed.
    """
    reader = _reader(nal)
    try:
        return _parse(reader)
    except BitstreamMalformed as error:
        raise SpsMalformed(error.defect) from None


def parse_h265_sps_head_untrusted(nal: bytes) -> SpsHead:
    """Parse an SPS NAL unit as far as its id, which stands behind profile, tier and level. Raises SpsMalformed."""
    reader = _reader(nal)
    try:
        return _parse_head(reader)
    except BitstreamMalformed as error:
        raise SpsMalformed(error.defect) from None


def _reader(nal: bytes) -> BitReader:
    if len(nal) <= NAL_HEADER_BYTES or type_of(nal) != NAL_SPS:
        raise SpsMalformed("it is no SPS NAL unit")
    return BitReader(unescape(nal[NAL_HEADER_BYTES:MAX_SPS_BYTES]))


def _parse_head(reader: BitReader) -> SpsHead:
    vps_id = reader.bits(4)
    more_sub_layers = reader.bits(3)  # sps_max_sub_layers_minus1
    reader.flag()  # sps_temporal_id_nesting_flag
    reader.bits(2)  # general_profile_space
    tier_flag = reader.bits(1)
    profile_idc = reader.bits(5)
    reader.bits(_PROFILE_BITS - 8)
    level_idc = reader.bits(8)
    _skip_sub_layers(reader, more_sub_layers)
    sps_id = _at_most(MAX_SPS_ID, reader.ue(), "sps_seq_parameter_set_id")
    return SpsHead(vps_id, sps_id, more_sub_layers + 1, profile_idc, tier_flag, level_idc)


def _skip_sub_layers(reader: BitReader, count: int) -> None:
    """Skip profile and level of all sub-layers but the highest (7.3.3)."""
    if not count:
        return
    # sub_layer_profile_present_flag and sub_layer_level_present_flag, filled up to eight pairs.
    present = [(reader.flag(), reader.flag()) for _ in range(count)]
    reader.bits(2 * (8 - count))
    for has_profile, has_level in present:
        reader.bits(_PROFILE_BITS * has_profile + _LEVEL_BITS * has_level)


def _parse(reader: BitReader) -> H265SpsInfo:
    head = _parse_head(reader)
    chroma = _at_most(_CHROMA_444, reader.ue(), "chroma_format_idc")
    if chroma == _CHROMA_444 and reader.flag():  # separate_colour_plane_flag
        chroma = 0
    width, height = _parse_size(reader, chroma)
    reader.ue()  # bit_depth_luma_minus8
    reader.ue()  # bit_depth_chroma_minus8
    poc_bits = _at_most(12, reader.ue(), "log2_max_pic_order_cnt_lsb_minus4") + 4
    max_reorder = _parse_ordering(reader, head.max_sub_layers)
    return H265SpsInfo(
        vps_id=head.vps_id,
        sps_id=head.sps_id,
        profile_idc=head.profile_idc,
        tier_flag=head.tier_flag,
        level_idc=head.level_idc,
        width=width,
        height=height,
        fps=_parse_fps_softly(reader, poc_bits),
        max_reorder=max_reorder,
    )


def _at_most(limit: int, value: int, name: str) -> int:
    if value > limit:
        raise SpsMalformed(f"{name} is {value}, above {limit}")
    return value


def _parse_size(reader: BitReader, chroma: int) -> tuple[int, int]:
    width, height = reader.ue(), reader.ue()
    if reader.flag():  # conformance_window_flag
        # 7.4.3.2.1: offsets count in units of a chroma sample (Table 6-1: SubWidthC, SubHeightC).
        unit_x = 2 if chroma in (1, 2) else 1
        unit_y = 2 if chroma == _CHROMA_420 else 1
        width -= unit_x * (reader.ue() + reader.ue())
        height -= unit_y * (reader.ue() + reader.ue())
    if not (0 < width <= MAX_SIDE_PIXELS and 0 < height <= MAX_SIDE_PIXELS):
        raise SpsMalformed(f"a picture of {width} x {height} pixels")
    return width, height


def _parse_ordering(reader: BitReader, max_sub_layers: int) -> int:
    """Return sps_max_num_reorder_pics of the highest sub-layer, which comes last."""
    max_reorder = 0
    for _ in range(max_sub_layers if reader.flag() else 1):  # sps_sub_layer_ordering_info_present_flag
        reader.ue()  # sps_max_dec_pic_buffering_minus1
        max_reorder = reader.ue()
        reader.ue()  # sps_max_latency_increase_plus1
    return max_reorder


def _parse_fps_softly(reader: BitReader, poc_bits: int) -> float | None:
    """Return what the VUI claims; None when it is unsaid, or the way there is damaged."""
    try:
        _skip_coding_tools(reader)
        _skip_reference_sets(reader)
        _skip_long_term(reader, poc_bits)
        reader.bits(2)  # sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
        return _parse_vui(reader) if reader.flag() else None  # vui_parameters_present_flag
    except BitstreamMalformed:
        return None


def _skip_coding_tools(reader: BitReader) -> None:
    for _ in range(6):  # log2_min_luma_coding_block_size_minus3 .. max_transform_hierarchy_depth_intra
        reader.ue()
    if reader.flag() and reader.flag():  # scaling_list_enabled_flag, sps_scaling_list_data_present_flag
        _skip_scaling_lists(reader)
    reader.bits(2)  # amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if reader.flag():  # pcm_enabled_flag
        reader.bits(8)  # pcm_sample_bit_depth_luma_minus1, pcm_sample_bit_depth_chroma_minus1
        reader.ue()  # log2_min_pcm_luma_coding_block_size_minus3
        reader.ue()  # log2_diff_max_min_pcm_luma_coding_block_size
        reader.flag()  # pcm_loop_filter_disabled_flag


def _skip_scaling_lists(reader: BitReader) -> None:
    # 7.3.4: the 32x32 lists are only two.
    for size_id in range(4):
        for _ in range(0, 6, 3 if size_id == 3 else 1):
            if not reader.flag():  # scaling_list_pred_mode_flag
                reader.ue()  # scaling_list_pred_matrix_id_delta
                continue
            if size_id > 1:
                reader.se()  # scaling_list_dc_coef_minus8
            for _ in range(min(64, 1 << (4 + (size_id << 1)))):
                reader.se()  # scaling_list_delta_coef


def _skip_reference_sets(reader: BitReader) -> None:
    count = _at_most(_MAX_REFERENCE_SETS, reader.ue(), "num_short_term_ref_pic_sets")
    deltas: list[int] = []
    for index in range(count):
        # 7.3.7: all but the first may be told by their difference from the one before.
        deltas = _predicted_set(reader, deltas) if index and reader.flag() else _plain_set(reader)


def _plain_set(reader: BitReader) -> list[int]:
    """Read a reference picture set, and return its distances in pictures: the earlier ones, then the later ones."""
    negative = _at_most(_MAX_REFERENCES, reader.ue(), "num_negative_pics")
    positive = _at_most(_MAX_REFERENCES, reader.ue(), "num_positive_pics")
    deltas = []
    for count, sign in ((negative, -1), (positive, 1)):
        delta = 0
        for _ in range(count):
            delta += sign * (reader.ue() + 1)  # delta_poc_s0_minus1, delta_poc_s1_minus1
            reader.flag()  # used_by_curr_pic_s0_flag, used_by_curr_pic_s1_flag
            deltas.append(delta)
    return deltas


def _predicted_set(reader: BitReader, reference: list[int]) -> list[int]:
    is_negative = reader.flag()  # delta_rps_sign
    distance = reader.ue() + 1  # abs_delta_rps_minus1
    step = -distance if is_negative else distance
    deltas = []
    # Each picture of the other set, and that set's own picture, moved by `step` (7-61 and 7-62).
    for delta in [*reference, 0]:
        is_used = reader.flag() or reader.flag()  # used_by_curr_pic_flag, else use_delta_flag
        if is_used and delta + step:
            deltas.append(delta + step)
    if len(deltas) > _MAX_REFERENCES:
        raise SpsMalformed("a reference picture set that grows too long")
    return sorted((delta for delta in deltas if delta < 0), reverse=True) + sorted(
        delta for delta in deltas if delta > 0
    )


def _skip_long_term(reader: BitReader, poc_bits: int) -> None:
    if reader.flag():  # long_term_ref_pics_present_flag
        for _ in range(_at_most(32, reader.ue(), "num_long_term_ref_pics_sps")):
            reader.bits(poc_bits + 1)  # lt_ref_pic_poc_lsb_sps, used_by_curr_pic_lt_sps_flag


def _parse_vui(reader: BitReader) -> float | None:
    if reader.flag() and reader.bits(8) == _EXTENDED_SAR:  # aspect_ratio_info_present_flag, aspect_ratio_idc
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
    reader.bits(3)  # neutral_chroma_indication_flag, field_seq_flag, frame_field_info_present_flag
    if reader.flag():  # default_display_window_flag
        for _ in range(4):
            reader.ue()
    if not reader.flag():  # vui_timing_info_present_flag
        return None
    units_in_tick, time_scale = reader.bits(32), reader.bits(32)
    fps = time_scale / units_in_tick if units_in_tick else 0.0
    return fps if 0 < fps <= MAX_FPS else None
