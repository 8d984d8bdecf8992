"""What a program sends with OpenTelemetry's own SDK for Python (PyPI's opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http).
HUB and TOKEN are in the environment."""
import os

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

for name, compression in [("plain", Compression.NoCompression), ("packed", Compression.Gzip)]:
    exporter = OTLPMetricExporter(
        endpoint=os.environ["HUB"] + "/otlp/v1/metrics",
        headers={"Authorization": "Bearer " + os.environ["TOKEN"]},
        compression=compression,
    )
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    resource = Resource.create({"service.name": name, "service.instance.id": "i-1", "deployment.environment": "test"})
    provider = MeterProvider([reader], resource=resource)
    meter = provider.get_meter("client")
    meter.create_counter("orders", unit="{order}", description="Orders that were placed.").add(7, {"shop.area": "eu"})
    meter.create_up_down_counter("carts").add(-2)
    meter.create_histogram("checkout.duration", unit="s").record(0.3)
    meter.create_observable_gauge("stock.fill", callbacks=[lambda _: [Observation(0.75)]], unit="1")
    assert provider.force_flush(), "the hub did not take it"
    provider.shutdown()
