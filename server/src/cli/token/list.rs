//! What `token list` prints: a line a token, in columns.

use crate::{
    auth::operators::store::Row,
    tokens::{TokenStatus, TokenView},
};
use pingup_protocol::time::Timestamp;

const HEADINGS: [&str; 7] = ["ID", "NAME", "ROLE", "STATUS", "EXPIRES", "LAST USED", "FROM"];

/// The tokens of these rows; those that open nothing any more only with `all`.
pub(super) fn table(rows: Vec<Row>, all: bool, now: Timestamp) -> String {
    let views = rows.into_iter().map(|row| TokenView::new(row, None, now));
    let shown = views.filter(|view| all || view.status == TokenStatus::Active).map(columns);
    let lines: Vec<_> = [HEADINGS.map(str::to_owned)].into_iter().chain(shown).collect();
    let width =
        |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; HEADINGS.len()] = std::array::from_fn(width);
    let written = lines.iter().map(|line| {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    });
    written.collect()
}

fn columns(view: TokenView) -> [String; HEADINGS.len()] {
    let status = match view.status {
        TokenStatus::Active if view.former => "former",
        TokenStatus::Active => "active",
        TokenStatus::Expired => "expired",
        TokenStatus::Revoked => "revoked",
    };
    let used = view.last_used_at.map_or_else(|| "never".to_owned(), seconds);
    [
        view.id,
        view.name,
        view.role.as_str().to_owned(),
        status.to_owned(),
        seconds(view.expires_at),
        used,
        view.last_used_from.unwrap_or_default(),
    ]
}

/// A moment to the second.
fn seconds(moment: Timestamp) -> String {
    Timestamp::from_micros(moment.as_micros() / 1_000_000 * 1_000_000).to_string()
}
