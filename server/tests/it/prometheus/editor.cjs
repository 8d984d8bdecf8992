// What the editor of Prometheus's own web page asks, by its own client. HUB and TOKEN are in the environment; what it
// was told is printed as JSON.
const { HTTPPrometheusClient } = require("@prometheus-io/codemirror-promql/dist/cjs/client/prometheus");

const failures = [];
const client = (httpMethod, lookbackInterval) =>
  new HTTPPrometheusClient({
    url: `${process.env.HUB}/prometheus`,
    requestHeaders: new Headers({ Authorization: `Bearer ${process.env.TOKEN}` }),
    httpErrorHandler: (error) => failures.push(String(error)),
    httpMethod,
    lookbackInterval,
  });

async function main() {
  const told = {};
  const agent = [{ type: 57, name: "agent_id", value: "A", matchesEmpty: () => false }];
  for (const method of ["POST", "GET"]) {
    const editor = client(method, 12 * 60 * 60 * 1000);
    told[method] = {
      metrics: await editor.metricNames(),
      labels: await editor.labelNames("pingup_cpu_percent"),
      agents: await editor.labelValues("agent_id", "pingup_cpu_percent"),
      series: await editor.series("pingup_cpu_percent", agent, "job"),
      metadata: (await editor.metricMetadata()).pingup_cpu_percent,
      flags: await editor.flags(),
    };
  }
  console.log(JSON.stringify({ told, failures }));
}

main();
