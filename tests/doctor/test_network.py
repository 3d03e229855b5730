"""UDP buffers and segmentation offload, as the doctor judges them."""

from camgate.doctor.finding import OK, WARNING
from camgate.doctor.network import Buffer, judge_buffers, judge_gso, look_at_buffers, look_at_gso


def test_small_buffers_come_with_the_lines_for_sysctl() -> None:
    receive, send = Buffer("net.core.rmem_max", 4 << 20, 212_992), Buffer("net.core.wmem_max", 4 << 20, 212_992)
    finding = judge_buffers([receive, send])
    assert finding.verdict is WARNING
    assert finding.what.startswith("208 KiB and 208 KiB")
    assert "sysctl -w net.core.rmem_max=4194304 net.core.wmem_max=4194304;" in finding.to_do
    one = judge_buffers([receive, Buffer("net.core.wmem_max", 4 << 20, 4 << 20)])
    assert "wmem_max" not in one.to_do
    assert "rmem_max" in one.to_do


def test_packets_that_come_as_one_show_that_segmentation_does_not_work() -> None:
    assert judge_gso([1200, 1200]).verdict is OK
    assert judge_gso([2400]).verdict is WARNING
    assert "Protocol not available" in judge_gso([], "Protocol not available").what


def test_this_machine_can_be_looked_at() -> None:
    assert look_at_buffers().check == "UDP buffers"
    assert look_at_gso().check == "UDP segmentation (GSO)"
