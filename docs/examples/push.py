"""An agent in twenty lines: one signed sample. HUB, AGENT_ID, KEY_UP and TOKEN come from POST /api/v1/agents."""
import base64, hashlib, hmac, json, os, urllib.request
from datetime import datetime, timezone

sample = {
    "agentId": os.environ["AGENT_ID"],
    "timestamp": datetime.now(timezone.utc).isoformat().replace("+00:00", "Z"),
    "metrics": {"load1": json.loads(f"{round(os.getloadavg()[0], 2):g}")},  # 1.0 is written 1, as RFC 8785 wants it
    "status": "online",
}
signed = json.dumps(sample, sort_keys=True, separators=(",", ":"))
mac = hmac.new(base64.b64decode(os.environ["KEY_UP"]), signed.encode(), hashlib.sha256)
sample["signature"] = base64.b64encode(mac.digest()).decode()
headers = {"Authorization": "Bearer " + os.environ["TOKEN"], "Content-Type": "application/json"}
request = urllib.request.Request(os.environ["HUB"] + "/api/v1/metrics", json.dumps(sample).encode(), headers)
with urllib.request.urlopen(request) as answer:
    print(answer.read().decode())
