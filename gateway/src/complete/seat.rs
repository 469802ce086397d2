//! Seats: how many calls run at once, those included whose callers hung up.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};

/// All seats of a gateway.
#[derive(Debug)]
pub struct Seats {
    taken: AtomicU64,
    most: u64,
}

/// One call's seat. It is given back when the last who holds it is done: the RPC, or the attempt
/// that is read on after its caller hung up.
#[derive(Debug)]
pub struct Seat(Arc<Seats>);

impl Seats {
    /// So many seats.
    #[must_use]
    pub fn new(most: u64) -> Arc<Self> {
        let taken = AtomicU64::new(0);
        Arc::new(Self { taken, most })
    }

    /// A seat, or `None` if all are taken.
    #[must_use]
    pub fn take(self: &Arc<Self>) -> Option<Arc<Seat>> {
        if self.taken.fetch_add(1, SeqCst) >= self.most {
            self.taken.fetch_sub(1, SeqCst);
            return None;
        }
        Some(Arc::new(Seat(Arc::clone(self))))
    }

    /// How many are taken.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken.load(SeqCst)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_free_when_the_last_holder_is_done() {
        let seats = Seats::new(1);
        let seat = seats.take().expect("free");
        let reader = Arc::clone(&seat);
        drop(seat);
        assert!(seats.take().is_none(), "somebody reads on");
        drop(reader);
        assert!(seats.take().is_some());
    }
}
