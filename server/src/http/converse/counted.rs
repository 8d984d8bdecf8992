//! What connections that rest come to together, on the hub's figures; of unfinished heads, and of those that are heard to the end, as
//! much as there may be.

use crate::figures::{Figures, Gauge};

/// What unfinished heads may take together, bytes.
pub(super) const HEADS_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Up to where one is not counted: any honest head is there whole in a moment.
pub(super) const HEAD_BYTES_FREE: usize = 1024;

/// Connections that are read on at a time, after what they send was refused: each takes a page of memory. It is a courtesy.
pub(super) const LINGERING_MAX: u64 = 1_024;

/// Unfinished heads have what they may have.
pub(super) struct NoRoom;

/// Room for so much of a head, if there is any.
pub(super) fn keep_head(figures: &Figures, bytes: usize) -> Result<Option<Counted<'_>>, NoRoom> {
    if bytes <= HEAD_BYTES_FREE {
        return Ok(None);
    }
    let counted = Counted::many(&figures.unfinished_heads, bytes as u64);
    match figures.unfinished_heads.get() {
        ..=HEADS_BYTES_MAX => Ok(Some(counted)),
        _ => Err(NoRoom),
    }
}

/// Room to read on, if there is any.
pub(super) fn linger_on(figures: &Figures) -> Option<Counted<'_>> {
    let counted = Counted::one(&figures.connections_lingering);
    (figures.connections_lingering.get() <= LINGERING_MAX).then_some(counted)
}

/// So many more on a gauge, until this is dropped.
pub(super) struct Counted<'a>(&'a Gauge, u64);

impl<'a> Counted<'a> {
    pub(super) fn one(gauge: &'a Gauge) -> Self {
        Self::many(gauge, 1)
    }

    fn many(gauge: &'a Gauge, count: u64) -> Self {
        gauge.add(count);
        Self(gauge, count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.sub(self.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_read_on_and_leave_their_room() {
        let figures = Figures::default();
        let mut room: Vec<_> = (0..LINGERING_MAX).map(|_| linger_on(&figures)).collect();
        assert!(room.iter().all(Option::is_some) && linger_on(&figures).is_none());
        room.pop();
        assert!(linger_on(&figures).is_some());
        drop(room);
        assert_eq!(figures.connections_lingering.get(), 0);
    }
}
