"""Whatever is posted as a camera, only BadCamera and ConfigError come out; what gets through can be kept as TOML."""

import json
import tomllib

import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from camgate.config.errors import ConfigError
from camgate.config.overlay import read_camera
from camgate.config.schema import CAMERA_KEYS
from camgate.serve.http.bodies import json_object_untrusted
from camgate.serve.http.control import BadCamera, new_camera_untrusted, object_untrusted
from tests.fuzz.reach import Reach

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([*CAMERA_KEYS]), inner, max_size=2),
    max_leaves=5,
)
GOOD = {"url": st.sampled_from(["rtsp://192.0.2.1/", "rtsp://u:p@x/", "rtsps://x/${A}"]), "name": st.just("gate")}
CAMERAS = st.fixed_dictionaries(
    GOOD, optional={key: VALUES for key in CAMERA_KEYS if key != "url"} | {"title": st.text(max_size=5)}
)
BODIES = CAMERAS.map(lambda given: json.dumps(given).encode()) | VALUES.map(json.dumps).map(str.encode)


def test_cameras() -> None:
    reach = Reach("cameras of the API")

    @given(BODIES | BODIES | st.binary(max_size=20))
    def fuzz(body: bytes) -> None:
        try:
            name, table = new_camera_untrusted(body)
        except BadCamera:
            reach.seen(False)
            return
        reach.seen(True)
        try:
            camera = read_camera(name, table)
        except ConfigError as error:
            str(error).encode()
            return
        kept = tomllib.loads(tomli_w.dumps({"cameras": {name: table}}))["cameras"][name]
        assert read_camera(name, kept) == camera

    fuzz()
    reach.check()


def test_objects() -> None:
    reach = Reach("objects of the API")

    @given(BODIES | st.binary(max_size=20))
    def fuzz(body: bytes) -> None:
        try:
            table = object_untrusted(body)
            assert isinstance(table, dict)
            assert table == json_object_untrusted(body)
            reach.seen(True)
        except BadCamera:
            reach.seen(False)

    fuzz()
    reach.check()
