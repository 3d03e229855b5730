"""Whatever stands in X-Forwarded headers, nothing is raised, and what is taken from them is safe to send out."""

import ipaddress

import h11
from hypothesis import given
from hypothesis import strategies as st

from camgate.serve.http.proxies import address_untrusted, prefix_untrusted
from tests.fuzz.reach import Reach


def test_addresses() -> None:
    reach = Reach("forwarded address")
    addresses = st.ip_addresses().map(str) | st.ip_addresses().map(
        lambda each: f"[{each}]:80" if each.version == 6 else f"{each}:1"
    )

    @given(st.text(max_size=40) | addresses)
    def fuzz(text: str) -> None:
        found = address_untrusted(text)
        reach.seen(found is not None)
        if found is not None:
            assert ipaddress.ip_address(str(found)) == found

    fuzz()
    reach.check()


def test_prefixes() -> None:
    reach = Reach("forwarded prefix")

    @given(
        st.text(max_size=40)
        | st.text("/.ab\\%-~", max_size=20)
        | st.from_regex(r"(/[a-z.]{1,5}){1,4}/?", fullmatch=True)
    )
    def fuzz(text: str) -> None:
        prefix = prefix_untrusted(text)
        reach.seen(bool(prefix))
        assert not prefix.startswith("//")
        assert not prefix.endswith("/")
        assert prefix == "" or prefix.startswith("/")
        h11.Response(
            status_code=303, headers=[("Location", f"{prefix}/signin"), ("Set-Cookie", f"a=b; Path={prefix}/")]
        )

    fuzz()
    reach.check()
