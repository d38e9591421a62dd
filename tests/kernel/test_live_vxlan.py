"""Every recorded flow of flannel's vxlan backend, live: the model against this machine's kernel."""

from __future__ import annotations

from tests.kernel.flow_live import live_test

test_the_flow_agrees_live = live_test("vxlan")
