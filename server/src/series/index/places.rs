//! Where things lie, by their hash: four bytes and some air for each. The things themselves lie elsewhere, once; whoever asks says
//! which of those it finds is the one.

/// A place that stands for nothing. There are far fewer things.
const EMPTY: u32 = u32::MAX;
/// Places are at most this full, in eighths, and then doubled.
const FULL_EIGHTHS: usize = 6;
const PLACES_MIN: usize = 8;

/// What a place takes at most for each thing that is in: just doubled, they are less than half as full.
pub(super) const PLACE_BYTES: usize = size_of::<u32>() * 16 / FULL_EIGHTHS + 1;

/// Places of things, found by their hash.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// A power of two of them, or none; each thing as near behind its own as there was room.
    slots: Vec<u32>,
    count: usize,
}

impl Places {
    /// Where the thing of this hash lies that `is_it`.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut slot = self.slot(hash)?;
        loop {
            match self.slots[slot] {
                EMPTY => return None,
                at if is_it(at) => return Some(at),
                _ => slot = (slot + 1) & (self.slots.len() - 1),
            }
        }
    }

    /// Puts in a thing that is not in yet; `hash_of` tells that of any that is, by where it lies.
    pub(super) fn put(&mut self, hash: u64, at: u32, hash_of: impl Fn(u32) -> u64) {
        if (self.count + 1) * 8 > self.slots.len() * FULL_EIGHTHS {
            let double = (self.slots.len() * 2).max(PLACES_MIN);
            let former = std::mem::replace(&mut self.slots, vec![EMPTY; double]);
            former.into_iter().filter(|at| *at != EMPTY).for_each(|at| self.enter(hash_of(at), at));
        }
        self.enter(hash, at);
        self.count += 1;
    }

    /// Another thing of the same hash and meaning, in the place of the one at `former`.
    pub(super) fn replace(&mut self, hash: u64, former: u32, at: u32) {
        let Some(mut slot) = self.slot(hash) else { return };
        while self.slots[slot] != EMPTY {
            if self.slots[slot] == former {
                self.slots[slot] = at;
                return;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    fn enter(&mut self, hash: u64, at: u32) {
        let Some(mut slot) = self.slot(hash) else { return };
        while self.slots[slot] != EMPTY {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.slots[slot] = at;
    }

    /// The slot that is a hash's own; none where there are no slots.
    fn slot(&self, hash: u64) -> Option<usize> {
        // Their count is a power of two, so it is the hash's low bits that count.
        (hash as usize).checked_rem(self.slots.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All hashes alike, some alike, none alike.
    #[test]
    fn what_is_put_in_is_found_however_hashes_meet() {
        for alike in [1, 3, u64::MAX] {
            let hash = |thing: u32| u64::from(thing).wrapping_mul(0x9e37_79b9_7f4a_7c15) % alike;
            let things: Vec<u32> = (0..1_000).map(|n| n * 7).collect();
            let mut places = Places::default();
            for (at, thing) in (0..).zip(&things) {
                assert_eq!(places.find(hash(*thing), |at| things[at as usize] == *thing), None);
                places.put(hash(*thing), at, |at| hash(things[at as usize]));
                assert!(places.slots.len() * size_of::<u32>() <= (places.count * PLACE_BYTES).max(32));
            }
            for (at, thing) in (0..).zip(&things) {
                assert_eq!(places.find(hash(*thing), |at| things[at as usize] == *thing), Some(at));
            }
            places.replace(hash(things[5]), 5, 2_000);
            assert_eq!(places.find(hash(things[5]), |at| at >= 1_000), Some(2_000));
            assert_eq!(places.find(hash(1), |at| things.get(at as usize) == Some(&1)), None);
        }
    }
}
