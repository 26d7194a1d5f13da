"""Rules for packets say which, and nothing else."""

from __future__ import annotations

from bench.packets import dropping, redirecting


def test_only_some_connections_are_dropped_in_both_directions() -> None:
    """They are known by where they were opened to and come from, whatever is translated on the way."""
    rules = dropping("10.215.0.9", {40002, 40001})
    assert rules.count("ct original ip daddr 10.215.0.9 ct original proto-src { 40001, 40002 } drop") == 2
    assert "hook output" in rules
    assert "hook input" in rules


def test_connections_are_led_elsewhere_before_kube_proxy_may() -> None:
    """Its own priority is -100."""
    rules = redirecting("10.215.0.9", 6443, to="10.213.0.1", to_port=7000)
    assert "priority -110" in rules
    assert "ip daddr 10.215.0.9 tcp dport 6443 dnat to 10.213.0.1:7000" in rules
