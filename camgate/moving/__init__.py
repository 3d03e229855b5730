"""Moving in: configs of MediaMTX and go2rtc as configs of camgate."""
