//! What was sent: acknowledgements, boots, and the two lanes that go to the hub beside each other.

use super::{Lane, Record, Spool, SpoolError};
use pingup_protocol::time::Timestamp;

impl Spool {
    /// The hub has committed everything up to `seq` of `boot`. An acknowledgement of another boot says nothing.
    pub fn acknowledge(&mut self, boot: u64, seq: u64) -> Result<(), SpoolError> {
        let Some(lane) = self.stream.lane_of_boot(boot) else { return Ok(()) };
        let base = self.stream.course(lane).map_or(0, |(course, _)| course.base);
        self.gone(lane, base.saturating_add(seq))
    }

    /// The record `number` and all before it in its lane need not be sent any more.
    pub fn acknowledge_number(&mut self, number: u64) -> Result<(), SpoolError> {
        self.gone(self.stream.lane_of(number), number)
    }

    fn gone(&mut self, lane: Lane, number: u64) -> Result<(), SpoolError> {
        let number = number.min(self.last_number());
        if self.stream.course(lane).is_none_or(|(course, _)| number <= course.floor) {
            return Ok(());
        }
        self.stream.advance(lane, number);
        self.let_go()
    }

    /// Drops the record `number` and all before it in its lane: the hub will never take it. It is counted.
    pub fn discard_through(&mut self, number: u64) -> Result<(), SpoolError> {
        let lane = self.stream.lane_of(number);
        let number = number.min(self.last_number());
        let lost = self.stream.course(lane).map_or(0, |(course, _)| number.saturating_sub(course.floor));
        self.stream.advance(lane, number);
        self.stream.dropped += lost;
        self.let_go()
    }

    /// Begins a new boot in `lane`, not before `min_boot`: what waits there is numbered anew, from 1, in its order.
    pub fn begin_boot(&mut self, lane: Lane, min_boot: u64, now: Timestamp) -> Result<(), SpoolError> {
        self.stream.begin_boot(lane, min_boot, now);
        self.save()
    }

    /// Sets aside what waits, if it is more than `count_max` records: what is appended from now on is sent beside it,
    /// under a boot of its own. Not while something is set aside already. Whether it did.
    pub fn set_aside(&mut self, count_max: u64, now: Timestamp) -> Result<bool, SpoolError> {
        let last = self.last_number();
        let is_much = last.saturating_sub(self.stream.live.floor) > count_max;
        if !is_much || !self.stream.set_aside(last, now) {
            return Ok(false);
        }
        self.save().map(|()| true)
    }

    /// Whether something waits in `lane`.
    pub fn waits_in(&self, lane: Lane) -> bool {
        let end = self.last_number();
        self.stream.course(lane).is_some_and(|(course, most)| course.floor < most.min(end))
    }

    /// Ends what is set aside: nothing of it can be found any more.
    pub fn end_backlog(&mut self) -> Result<(), SpoolError> {
        self.gone(Lane::Backlog, u64::MAX)
    }

    /// The boot that sequence numbers of `lane` count in.
    pub fn boot(&self, lane: Lane) -> u64 {
        self.stream.course(lane).map_or(self.stream.live.boot, |(course, _)| course.boot)
    }

    /// The sequence number that `record` is sent under.
    pub fn seq_of(&self, record: &Record) -> u64 {
        let course = self.stream.course(self.stream.lane_of(record.number));
        record.number.saturating_sub(course.map_or(0, |(course, _)| course.base))
    }

    /// The last sequence number that was given out in the boot of `lane`; 0 when none was.
    pub fn last_seq(&self, lane: Lane) -> u64 {
        let end = self.last_number();
        self.stream.course(lane).map_or(0, |(course, most)| most.min(end).saturating_sub(course.base))
    }
}
