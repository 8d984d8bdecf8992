//! Requests that are more than one push, at a limit of series: what is kept of them, and what they are told.

use super::*;
use crate::{
    series::tests::House,
    tsdb::testing::Bench,
};
use std::sync::Mutex;

/// Doors to a room where a sender may write so many series; the history that they lead to, and the room.
pub(super) fn doors(of_sender: usize) -> (Doors, Arc<Mutex<Bench>>, Arc<Series>) {
    let House { bench, series, .. } = House::new(of_sender);
    let series = Arc::new(series);
    (Doors::new(Arc::clone(&series), Budget::senders()), bench, series)
}
