"""What scripts ask with PyPI's prometheus-api-client. HUB, TOKEN and BEGIN are in the environment; what came is printed as JSON."""
import json
import os
from datetime import datetime, timedelta, timezone

from prometheus_api_client import PrometheusConnect

hub = os.environ["HUB"] + "/prometheus"
begin = datetime.fromtimestamp(int(os.environ["BEGIN"]), timezone.utc)
end = begin + timedelta(minutes=1)


def told(method):
    client = PrometheusConnect(url=hub, auth=("script", os.environ["TOKEN"]), method=method)
    return {
        "metrics": client.all_metrics(),
        "labels": client.get_label_names(params={"match[]": "pingup_cpu_percent"}),
        "agents": client.get_label_values("agent_id"),
        "series": client.get_series(begin, end, params={"match[]": ["pingup_cpu_percent", "pingup_load1"]}),
        "value": client.custom_query("sum(pingup_cpu_percent)", params={"time": end.timestamp()}),
        "steps": client.custom_query_range("max(pingup_cpu_percent)", begin, end, "30"),
        "samples": client.get_metric_range_data("pingup_cpu_percent", {"agent_id": "A"}, begin, end),
        "metadata": client.get_metric_metadata("pingup_cpu_percent"),
    }


print(json.dumps({method: told(method) for method in ("GET", "POST")}))
