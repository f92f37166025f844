"""Addresses and ports of compose.yaml: whom servers trust, and where browsers are sent."""

from ipaddress import IPv4Network, ip_address

import pytest
import yaml

from tests.repository.test_deployment import COMPOSE_TEXT, DEMO, SERVICES, resolved, settings_of


def test_gateway_of_the_proxy_network_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker passes some clients on from there, and nginx appends it to what they say of themselves."""
    (config,) = yaml.safe_load(COMPOSE_TEXT)["networks"]["front"]["ipam"]["config"]
    subnet, containers = IPv4Network(config["subnet"]), IPv4Network(config["ip_range"])
    assert containers.subnet_of(subnet)
    assert ip_address(config["gateway"]) in subnet
    trusted = [IPv4Network(network) for network in settings_of("server", monkeypatch, DEMO).trusted_proxies]
    assert trusted == [containers]
    assert ip_address(config["gateway"]) not in containers
    assert "ipv4_address" not in COMPOSE_TEXT, "an address outside the range would not be trusted"


def test_addresses_for_browsers_follow_the_published_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = {"HTTP_PORT": "80", "S3_PORT": "9001"}
    settings = settings_of("server", monkeypatch, DEMO | ports)
    assert (settings.address, settings.s3_public_url) == ("http://localhost:80", "http://localhost:9001")
    published = [resolved(SERVICES[name]["ports"][0], ports) for name in ("proxy", "minio")]
    assert published == ["80:8080", "9001:9000"]
    chosen = {"PUBLIC_URL": "https://example.com", "S3_PUBLIC_URL": "https://s3.example.com"}
    settings = settings_of("server", monkeypatch, DEMO | ports | chosen)
    assert (settings.address, settings.s3_public_url) == tuple(chosen.values())
