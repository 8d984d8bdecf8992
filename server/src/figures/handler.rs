//! `GET /metrics`: the hub's own figures for a scraper.

use super::{
    Figures, LoginRefusal,
    text::{CONTENT_TYPE, Text},
};
use crate::{
    generations::KeyFigures,
    http::problem::Refusal,
    storage::{Sqlite, StorageError},
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header;
use pingup_protocol::problem::ProblemType;
use std::sync::Arc;

/// How many of something there are in each of its states; asked on each scrape.
pub type CountByStatus = fn(&rusqlite::Connection) -> rusqlite::Result<Vec<(String, u64)>>;

/// How agents' keys do; asked on each scrape.
pub type AskKeys = Arc<dyn Fn(&rusqlite::Connection) -> rusqlite::Result<KeyFigures> + Send + Sync>;

/// How those who keep the history in order do.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeeperFigures {
    /// Files that nobody needs and that are not deleted yet.
    pub files: u64,
    /// How long a backup or an export has kept them.
    pub held_seconds: u64,
    /// How long ago all was well.
    pub unwell_seconds: u64,
}

/// Asks how they do; asked on each scrape.
pub type AskKeeper = Box<dyn Fn() -> KeeperFigures + Send + Sync>;

/// How many series others write.
#[derive(Clone, Debug, Default)]
pub struct WrittenFigures {
    /// All.
    pub series: u64,
    /// What their labels take in memory.
    pub bytes: u64,
    /// By who wrote them first.
    pub senders: Vec<(String, u64)>,
}

/// Asks how many there are; asked on each scrape.
pub type AskWritten = Box<dyn Fn() -> WrittenFigures + Send + Sync>;

/// Senders that are told by their names: those with most series.
const SENDERS_TOLD_MAX: usize = 16;

/// The room behind `GET /metrics`.
pub struct FiguresRoom {
    figures: Arc<Figures>,
    sqlite: Sqlite,
    agents_by_status: CountByStatus,
    commands_by_status: CountByStatus,
    keys: AskKeys,
    keeper: AskKeeper,
    written: AskWritten,
}

impl FiguresRoom {
    /// The room that tells `figures`, and counts agents and commands in `sqlite`.
    pub const fn new(
        figures: Arc<Figures>,
        sqlite: Sqlite,
        agents_by_status: CountByStatus,
        commands_by_status: CountByStatus,
        keys: AskKeys,
        keeper: AskKeeper,
        written: AskWritten,
    ) -> Self {
        Self { figures, sqlite, agents_by_status, commands_by_status, keys, keeper, written }
    }
}

/// `GET /metrics`.
pub async fn get(State(room): State<Arc<FiguresRoom>>) -> Result<Response, Refusal> {
    let (count_agents, count_commands) = (room.agents_by_status, room.commands_by_status);
    let ask_keys = Arc::clone(&room.keys);
    let count = move |connection: &rusqlite::Connection| {
        let keys = ask_keys(connection)?;
        Ok::<_, StorageError>((count_agents(connection)?, count_commands(connection)?, keys))
    };
    let (agents, commands, keys) = room.sqlite.read(count).await?;
    let mut text = Text::default();
    write_connections(&mut text, &room.figures);
    write_ingest(&mut text, &room.figures);
    write_events(&mut text, &room.figures);
    write_refusals(&mut text, &room.figures);
    write_keeper(&mut text, (room.keeper)());
    write_keys(&mut text, keys);
    write_written(&mut text, (room.written)());
    text.family("pingup_agents", "Agents, by status.", "gauge", "status", counts(&agents));
    text.family("pingup_commands", "Commands kept, by status.", "gauge", "status", counts(&commands));
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text.finish()).into_response())
}

#[rustfmt::skip]
fn write_connections(text: &mut Text, figures: &Figures) {
    text.gauge("pingup_connections", "Connections that are open, parked and held ones included.", figures.connections.get());
    text.gauge("pingup_connections_parked", "Connections that wait for their next request.", figures.connections_parked.get());
    text.gauge("pingup_connections_multiplexed", "Connections that speak HTTP/2.", figures.connections_multiplexed.get());
    text.counter("pingup_tls_failed_handshakes_total", "Connections that ended before their TLS handshake was over.", figures.handshakes_failed.get());
    if let ends @ 1.. = figures.certificate_ends.get() {
        text.gauge("pingup_tls_certificate_end_timestamp_seconds", "When the hub's certificate ends, in seconds since 1970.", ends);
    }
    text.gauge("pingup_connections_held", "Connections whose request is held open until something happens.", figures.connections_held.get());
    text.counter("pingup_connections_evicted_total", "Connections ended without a good token, since places were short.", figures.connections_evicted.get());
    text.counter("pingup_connections_refused_total", "Connections turned away, since their address has or opens too many.", figures.connections_refused.get());
    text.gauge("pingup_unfinished_head_bytes", "What unfinished heads of requests take in memory.", figures.unfinished_heads.get());
    text.counter("pingup_requests_slowed_total", "Answers held back, since whoever asked asks too often.", figures.requests_slowed.get());
}

#[rustfmt::skip]
fn write_ingest(text: &mut Text, figures: &Figures) {
    let rows = [("metrics", figures.samples.get()), ("discovery", figures.scans.get()), ("series", figures.points.get())];
    text.family("pingup_ingest_rows_total", "Samples, scans, and samples of written series committed to disk.", "counter", "kind", rows);
    text.counter("pingup_ingest_batches_total", "Groups committed, one transaction each.", figures.batches.get());
    text.counter("pingup_ingest_failed_batches_total", "Groups that could not be committed.", figures.failed_batches.get());
    text.histogram("pingup_ingest_commit_seconds", "How long committing a group took.", &figures.commit_seconds.read());
    text.gauge("pingup_ingest_queue_depth", "Requests that wait for their commit.", figures.queued_requests.get());
    text.gauge("pingup_ingest_queue_bytes", "What waiting requests take in memory.", figures.queued_bytes.get());
    text.counter("pingup_ingest_duplicates_total", "Samples and scans that had been committed before.", figures.duplicates.get());
    text.counter("pingup_ingest_expired_total", "Samples and scans older than the hub keeps.", figures.expired.get());
    text.counter("pingup_ingest_rejected_total", "Samples of batches that could not be accepted.", figures.rejected.get());
    text.counter("pingup_ingest_gaps_total", "Jumps in the numbers of a stream.", figures.gaps.get());
}

fn write_events(text: &mut Text, figures: &Figures) {
    text.counter("pingup_events_total", "Events told.", figures.events.get());
    text.gauge("pingup_event_streams", "Streams of events that are open.", figures.event_streams.get());
    let behind = figures.event_streams_behind.get();
    text.counter(
        "pingup_event_streams_behind_total",
        "Streams cut since their readers were too slow.",
        behind,
    );
}

fn write_refusals(text: &mut Text, figures: &Figures) {
    let refusals = ProblemType::ALL.iter().map(|&kind| (kind.name(), figures.refusals(kind)));
    text.family("pingup_refusals_total", "Requests refused, by problem.", "counter", "problem", refusals);
    let logins = LoginRefusal::ALL.map(|why| (why.as_str(), figures.logins_refused(why)));
    let what = "Tokens that did not open an operators' door, by why.";
    text.family("pingup_operator_tokens_refused_total", what, "counter", "reason", logins);
}

#[rustfmt::skip]
fn write_keeper(text: &mut Text, keeper: KeeperFigures) {
    text.gauge("pingup_history_unneeded_files", "Files of the history that nobody needs and that are not deleted yet.", keeper.files);
    text.gauge("pingup_history_held_seconds", "How long a backup or an export has kept such files; 0 when none does.", keeper.held_seconds);
    text.gauge("pingup_history_unwell_seconds", "How long ago sealing, merging and letting go were last well.", keeper.unwell_seconds);
}

#[rustfmt::skip]
fn write_keys(text: &mut Text, keys: KeyFigures) {
    let states = [("in-use", keys.in_use), ("offered", keys.offered), ("ending", keys.ending)];
    text.family("pingup_agent_keys", "Generations of agents' keys, by state.", "gauge", "state", states);
    text.gauge("pingup_agent_keys_former_master", "Generations of agents' keys that come from the former master key.", keys.former_master);
    text.gauge("pingup_agent_key_oldest_seconds", "The age of the oldest keys that are in use.", keys.oldest_seconds);
}

fn write_written(text: &mut Text, mut written: WrittenFigures) {
    text.gauge("pingup_written_series", "Series that others write.", written.series);
    let what = "What the labels of series that others write take in memory.";
    text.gauge("pingup_written_series_bytes", what, written.bytes);
    written.senders.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    written.senders.truncate(SENDERS_TOLD_MAX);
    let what = "Series that a sender wrote first, of the 16 senders with most.";
    text.family("pingup_sender_series", what, "gauge", "sender", counts(&written.senders));
}

fn counts(counts: &[(String, u64)]) -> impl Iterator<Item = (&str, u64)> {
    counts.iter().map(|(status, count)| (status.as_str(), *count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::scratch::Scratch;
    use axum::body::to_bytes;
    use std::time::Duration;

    #[tokio::test]
    async fn everything_counted_is_told() {
        let figures = Arc::<Figures>::default();
        figures.samples.add(3);
        figures.queued_requests.add(2);
        figures.connections.add(7);
        figures.connections_parked.add(4);
        figures.connections_held.add(2);
        figures.refused(ProblemType::Overloaded);
        figures.login_refused(LoginRefusal::Locked);
        figures.commit_seconds.observe(Duration::from_millis(1));
        let sqlite = Scratch::new().sqlite();
        let room = FiguresRoom::new(
            figures,
            sqlite,
            |_| Ok(vec![("online".to_owned(), 4), ("pending".to_owned(), 0)]),
            |connection| {
                connection.query_row("SELECT count(*) FROM commands", [], |row| {
                    Ok(vec![("pending".to_owned(), row.get(0)?)])
                })
            },
            Arc::new(|_| {
                Ok(KeyFigures { in_use: 4, offered: 1, oldest_seconds: 90, ..KeyFigures::default() })
            }),
            Box::new(|| KeeperFigures { files: 5, held_seconds: 700, unwell_seconds: 1 }),
            Box::new(|| {
                let senders = (1..=SENDERS_TOLD_MAX as u64 + 1).map(|n| (format!("s\"{n}"), n)).collect();
                WrittenFigures { series: 153, bytes: 7, senders }
            }),
        );
        let response = get(State(Arc::new(room))).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_TYPE], CONTENT_TYPE);
        let text =
            String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap();
        for line in [
            "pingup_ingest_rows_total{kind=\"metrics\"} 3",
            "pingup_ingest_rows_total{kind=\"discovery\"} 0",
            "pingup_ingest_rows_total{kind=\"series\"} 0",
            "pingup_ingest_queue_depth 2",
            "pingup_connections 7",
            "pingup_connections_parked 4",
            "pingup_connections_held 2",
            "pingup_ingest_commit_seconds_bucket{le=\"0.001\"} 1",
            "pingup_ingest_commit_seconds_count 1",
            "pingup_refusals_total{problem=\"overloaded\"} 1",
            "pingup_refusals_total{problem=\"not-found\"} 0",
            "pingup_operator_tokens_refused_total{reason=\"locked\"} 1",
            "pingup_operator_tokens_refused_total{reason=\"role\"} 0",
            "pingup_history_unneeded_files 5",
            "pingup_history_held_seconds 700",
            "pingup_history_unwell_seconds 1",
            "pingup_agent_keys{state=\"in-use\"} 4",
            "pingup_agent_keys{state=\"offered\"} 1",
            "pingup_agent_keys{state=\"ending\"} 0",
            "pingup_agent_keys_former_master 0",
            "pingup_agent_key_oldest_seconds 90",
            "pingup_written_series 153",
            "pingup_written_series_bytes 7",
            "pingup_sender_series{sender=\"s\\\"17\"} 17",
            "pingup_sender_series{sender=\"s\\\"2\"} 2",
            "pingup_agents{status=\"online\"} 4",
            "pingup_commands{status=\"pending\"} 0",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} is missing in\n{text}");
        }
        assert_eq!(text.matches("pingup_sender_series{").count(), SENDERS_TOLD_MAX);
    }
}
