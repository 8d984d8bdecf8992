//! What the demo says of itself: where things are, the queries, and how to look at it.

use super::{Demo, Figures, folder::Folder};
use crate::{hub::Stage, settings::Bearer};
use indicatif::HumanCount;

/// What is said.
pub(super) struct Shown {
    whole: String,
    folder: String,
}

impl Shown {
    /// All of it. The token stands in it: it reads made-up figures, from this machine.
    pub(super) fn new(
        demo: &Demo,
        figures: &Figures,
        stage: &Stage,
        folder: &Folder,
        bearer: &Bearer,
        tour: &str,
    ) -> Self {
        let (url, token) = (stage.hub.url(), bearer.expose());
        let path = |path: &std::path::Path| path.display().to_string();
        let (home, grafana, file) = (path(folder.path()), path(&folder.grafana()), path(&folder.token()));
        let (agents, days, interval) = (demo.agents, demo.days, demo.interval);
        let (rows, seconds) = (HumanCount(figures.rows), figures.seconds);
        let mut whole = format!(
            "pingup's demo: {agents} agents, {days} days behind them, a sample every {interval} s\n\
             ({rows} samples were signed, pushed and committed in {seconds:.0} s).\n\n  \
             hub       {url}\n  \
             Grafana   its data source is {url}/prometheus\n  \
             token     {token}\n            \
             role viewer, for 30 days; also in {file}\n  \
             folder    {home}\n            \
             the hub's data in hub, all for a Grafana in grafana\n\n\
             Ten queries to begin with, and what they answer at this moment:\n{tour}\n\
             Ask another (any user, the token is the password):\n  \
             curl -s -u \"any:$(cat {file})\" {url}/prometheus/api/v1/query --data-urlencode 'query=pingup_agent_info'\n"
        );
        if !demo.once {
            whole += &format!(
                "\nLook at it in Grafana: one of these, then http://127.0.0.1:3000, user admin, password admin, folder pingup.\n  \
                 docker run --rm --network host --user \"$(id -u)\" -v {grafana}:{grafana}:ro \\\n    \
                 -e GF_PATHS_PROVISIONING={grafana}/provisioning grafana/grafana\n  \
                 GF_PATHS_PROVISIONING={grafana}/provisioning GF_PATHS_DATA=$(mktemp -d) \\\n    \
                 grafana server --homepath /usr/share/grafana\n\n\
                 The agents go on. Ctrl-C ends them and the hub.\n"
            );
        }
        Self { whole, folder: home }
    }

    /// All of it.
    pub(super) fn whole(&self) -> String {
        self.whole.clone()
    }

    /// What is said in the end.
    pub(super) fn farewell(&self, live_rows: u64) -> String {
        format!(
            "\nThe demo has ended; {} samples came while it went on. What it made stays in {}.\n",
            HumanCount(live_rows),
            self.folder
        )
    }
}
